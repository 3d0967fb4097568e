"""The ratings of a table by its recipe: one row an answer, with its number, and a count of every row that is none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from featurestore.errors import DataError, UsageError
from featurestore.ingest.cells import AmbiguousNumbersError, Numbers, how_written, is_missing, is_number, plain
from featurestore.ingest.headings import TOTALS, normal, scale_in, slug
from featurestore.ingest.reading import RawTable
from featurestore.ingest.recipe import Recipe
from featurestore.scale import Scale

NO_ANSWER = "without an answer"


@dataclass(frozen=True, eq=False)
class RatingRows:
    """Ratings or scores as the table has them.

    rows      frame: image (label), rater, trait, session, sd, raters, text, score; what is unknown is NULL
    skipped   what the rows of the table are like -> how many they are, and their cells that are no answers
    """

    rows: pl.DataFrame
    skipped: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def collect(table: RawTable, recipe: Recipe, photo_labels: set[str]) -> RatingRows:
    """Every answer that the score columns hold; `photo_labels` are the labels that name a photo.

    Rows without an answer, of totals, and of screens that are no photo and have no number are skipped and counted.
    Raises DataError for answers without a rater where there is a column of raters, and for tables whose images are
    given once for several rows.
    """
    rows = _long(table, recipe)
    skipped = dict[str, tuple[int, int]]()

    def skip(reason: str, condition: pl.Expr) -> None:
        nonlocal rows
        if len(hits := rows.filter(condition.fill_null(False))):
            skipped[reason] = hits["row"].n_unique(), len(hits)
            rows = rows.filter(~condition.fill_null(False))

    missing = {text for text in rows["text"].unique() if text is None or is_missing(text) or _is_code(text, recipe)}
    skip("without an image and an answer", pl.col("image").is_null() & _in("text", missing))
    skip(NO_ANSWER, _in("text", missing))
    without = rows["image"].null_count()
    if without > len(rows) - without:
        raise DataError(
            f"{table.source} has {without} answers without an image in {recipe.image!r}: write it into every row."
        )
    skip("with an answer and no image", pl.col("image").is_null())
    totals = {label for label in rows["image"].unique() if normal(label) in TOTALS} - photo_labels
    skip(f"of totals ({', '.join(sorted(totals))})", _in("image", totals))
    words = {text for text in rows["text"].unique() if not (is_number(text) or any(c.isdigit() for c in text))}
    if not recipe.levels:
        skip("without a photo and a number", _in("text", words) & ~_in("image", photo_labels))
    if recipe.rater is not None and (lacking := rows["rater"].null_count()):
        first = rows.filter(pl.col("rater").is_null())["image"][0]
        raise DataError(
            f"{lacking} rows of {table.source} lack a rater in {recipe.rater!r}, the first for {first}: "
            "correct or remove them."
        )
    if rows.is_empty():
        raise DataError(f"{table.source} has no rows with an answer: it needs one row an image or a rating.")
    return RatingRows(rows.drop("row"), skipped)


def _in(column: str, values: set[str]) -> pl.Expr:
    is_in = pl.col(column).is_in(sorted(v for v in values if v is not None))
    return is_in.fill_null(None in values)


def _is_code(text: str, recipe: Recipe) -> bool:
    """Whether the cell is one of the codes that mean "no answer", as text or as number."""
    if text in recipe.missing:
        return True
    number = Numbers(recipe.decimal).read(text)
    return number is not None and number in {Numbers(recipe.decimal).read(code) for code in recipe.missing}


def _long(table: RawTable, recipe: Recipe) -> pl.DataFrame:
    """One row a cell of the score columns."""
    cells = table.cells
    raters = rater_ids(table, recipe)
    parts = []
    for score in recipe.scores:
        parts.append(
            cells.select(
                row=pl.int_range(pl.len()),
                image=pl.col(recipe.image) if recipe.image else pl.lit(score.image),
                rater=raters if score.rater is None else pl.lit(score.rater, pl.String),
                trait=pl.col(recipe.trait) if recipe.trait else pl.lit(score.trait, pl.String),
                session=pl.col(recipe.session) if recipe.session else pl.lit(score.session, pl.String),
                sd=_optional(recipe.sd),
                raters=_optional(recipe.raters),
                text=pl.col(score.column),
            )
        )
    rows = pl.concat(parts)
    if recipe.trait:
        names = {trait: slug(trait) or trait for trait in rows["trait"].drop_nulls().unique()}
        rows = rows.with_columns(pl.col("trait").replace(names))
    return rows


def _optional(column: str | None) -> pl.Expr:
    return pl.col(column) if column else pl.lit(None, pl.String)


def rater_ids(table: RawTable, recipe: Recipe) -> pl.Expr:
    """The raters' ids: as given, `3.0` as `3` where all are so; where a row is a rater without one, by row."""
    if recipe.rater is None:
        if recipe.image is not None:
            return pl.lit(None, pl.String)
        stem = slug(table.source.stem)
        return pl.lit(pl.Series([f"{stem}-{row}" for row in range(1, len(table.cells) + 1)]))
    ids = table.cells[recipe.rater].drop_nulls()
    if ids.str.contains(r"^\d+\.0$").all():
        return pl.col(recipe.rater).str.strip_suffix(".0")
    return pl.col(recipe.rater)


def read_numbers(source: Path, answers: RatingRows, recipe: Recipe) -> tuple[RatingRows, Numbers]:
    """The answers with their numbers in `score`, and how these are written.

    Raises DataError for words, and for a comma that may part decimals or thousands.
    """
    texts = answers.rows["text"].unique(maintain_order=True).to_list()
    numbers = written(source, texts, recipe.decimal, recipe.levels, recipe.scale[0])
    read = {text: numbers.read(text) for text in texts}
    if words := [text for text, number in read.items() if number is None]:
        raise _words(source, answers.rows, words)
    rows = answers.rows.with_columns(score=pl.col("text").replace_strict(read, return_dtype=pl.Float64))
    further = {}
    for column in ("sd", "raters"):
        distinct = rows[column].drop_nulls().unique().to_list()
        further[column] = {text: Numbers(numbers.decimal).read(text) for text in distinct}
    rows = rows.with_columns(
        pl.col(column).replace_strict(values, default=None, return_dtype=pl.Float64)
        for column, values in further.items()
    )
    return RatingRows(rows, answers.skipped), numbers


def written(source: Path, texts: Sequence[str], decimal: str | None, levels: Sequence[str], lowest: float) -> Numbers:
    """How the numbers of a table are written. Raises DataError when the comma may part decimals or thousands."""
    try:
        return how_written(texts, decimal, levels, lowest)
    except AmbiguousNumbersError as error:
        raise DataError(
            f"{error} in {source} may be {str(error).replace(',', '.')} or {str(error).replace(',', '')}: "
            "state the decimal mark with --decimal , or --decimal ."
        ) from error


def _words(source: Path, rows: pl.DataFrame, words: list[str]) -> DataError:
    hits = rows.filter(pl.col("text").is_in(words))
    shown = ", ".join(repr(word[:60]) for word in words[:5]) + (" ..." if len(words) > 5 else "")
    return DataError(
        f"{len(hits)} answers in {source} are not numbers ({shown}), the first is {hits['text'][0][:60]!r} for "
        f"{hits['image'][0]}: give the order of levels in words, as in --levels 'not at all,somewhat,very', "
        "or declare a word that means no answer with --missing WORD."
    )


def find_scale(
    source: Path, texts: Sequence[str], headings: Sequence[str], stated: tuple[float, float] | None,
    known: Scale | None, numbers: Numbers,
) -> tuple[Scale, str]:  # fmt: skip
    """The scale, and where it is known from: stated, or beyond doubt. It is never taken from the ratings' range.

    `known` is the scale that the store has for this data set. Raises UsageError when it is not stated.
    """
    if stated is not None:
        if not stated[0] < stated[1]:
            raise UsageError(
                f"A scale from {stated[0]:g} to {stated[1]:g} is empty: give --scale LOW HIGH, as in 1 10."
            )
        return Scale(*stated), "stated"
    if known is not None:
        return known, "that of the data set in the store"
    if numbers.levels:
        return Scale(numbers.lowest, numbers.lowest + len(numbers.levels) - 1), "one for each level"
    in_headings = {scale_in(heading) for heading in headings}
    if len(in_headings) == 1 and (scale := in_headings.pop()):
        return scale, "stated in the heading"
    if numbers.percent:
        return Scale(0.0, 100.0), "percent"
    values = Counter(value for text in texts if (value := numbers.read(text)) is not None)
    codes = _missing_codes(values)
    usual = [value for value in values if value not in codes]
    values_text = f"they run from {min(usual):g} to {max(usual):g}" if usual else "there are no numbers"
    if codes:
        values_text += f", and {_listed(codes)} far outside, which --missing {codes[0]:g} declares as no answer"
    raise UsageError(
        f"Which ratings could be given in {source}? Their scale is not guessed ({values_text}): "
        "state the lowest and highest that raters could give, as in --scale 1 7."
    )


def check_scale(source: Path, rows: pl.DataFrame, scale: Scale) -> None:
    """Raises DataError when a score is not on the scale, naming the values and the remedy."""
    off_scale = rows.filter(~pl.col("score").is_between(*scale))
    if off_scale.is_empty():
        return
    counts = Counter(off_scale["score"].to_list())
    codes = _missing_codes(Counter(rows["score"].to_list()))
    shown = _listed([value for value, _ in counts.most_common(5)]) + (" ..." if len(counts) > 5 else "")
    remedy = f"declare that they mean no answer with --missing {codes[0]:g}" if codes else "correct them"
    other = "" if codes and len(counts) == len(codes) else ", or state the scale with --scale LOW HIGH"
    also = "" if codes else f" (one that means no answer: --missing {off_scale['score'][0]:g})"
    raise DataError(
        f"{len(off_scale)} scores in {source} lie outside {scale.words} ({shown}), the first is "
        f"{off_scale['text'][0]} for {off_scale['image'][0]}: {remedy}{other}{also}."
    )


def _missing_codes(values: Counter[float]) -> list[float]:
    """Values such as -99, 999 and 88 that stand further from all others than these from each other."""
    codes = [v for v in values if v == int(v) and abs(v) >= 7 and len(set(plain(f"{abs(v):.0f}"))) == 1]
    found = []
    for code in codes:
        others = [value for value in values if value not in codes]
        if others and (code > 2 * max(others) - min(others) + 1 or code < 2 * min(others) - max(others) - 1):
            found.append(code)
    return sorted(found, key=abs)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
