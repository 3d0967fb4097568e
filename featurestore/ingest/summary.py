"""How a rating table was read, in words: what a researcher checks before anything is stored."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from featurestore.ingest.cells import Numbers
from featurestore.ingest.photo_names import Match
from featurestore.ingest.rating_rows import NO_ANSWER, RatingRows
from featurestore.ingest.reading import RawTable
from featurestore.ingest.recipe import Recipe

Facts = tuple[tuple[str, str], ...]


def facts(
    table: RawTable, recipe: Recipe, answers: RatingRows, numbers: Numbers, matches: Mapping[str, Match],
    scale_from: str, remarks: Sequence[str],
) -> Facts:  # fmt: skip
    """(what, how it was read), in the order in which people read."""
    rows = answers.rows
    found = [
        ("file", ", ".join((table.source.name, *table.notes))),
        ("layout", _layout(recipe)),
        ("image", _image(recipe, rows["image"].unique().to_list(), matches)),
        ("rater", _rater(recipe, rows["rater"].n_unique() if rows["rater"].null_count() == 0 else 0)),
        ("trait", _with_counts(recipe.trait, Counter(rows["trait"].to_list()))),
        ("session", _with_counts(recipe.session, Counter(rows["session"].drop_nulls().to_list())) or "one"),
        ("score", _score(recipe, numbers, len(rows))),
        ("scale", f"{recipe.scale.words}, {scale_from}"),
        ("missing", _missing(recipe, answers.skipped)),
        ("photo", _attributes(recipe.photo_attributes)),
        ("raters", _attributes(recipe.rater_attributes)),
        ("skipped", "; ".join(_skipped(answers.skipped))),
        ("not used", _columns(recipe.not_used)),
        *(("note", remark) for remark in remarks),
    ]
    return tuple((what, text) for what, text in found if text)


def _layout(recipe: Recipe) -> str:
    if recipe.image is None:
        return f"a row a rater, {_plural(len(recipe.scores), 'column')} of one photo each"
    if any(score.rater for score in recipe.scores):
        return f"a row a photo, {_plural(len(recipe.scores), 'column')} of one rater each"
    return "a row a rating" if recipe.rater else "a row a photo with its score"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _image(recipe: Recipe, labels: Sequence[str], matches: Mapping[str, Match]) -> str:
    one = [matches[label] for label in labels if len(matches[label].photos) == 1]
    differing = Counter(match.differs for match in one if match.differs)
    parts = [
        f"column {recipe.image!r}" if recipe.image else "headings",
        _plural(len(labels), "label"),
        f"{len(one):,} with a photo",
        *(f"{number:,} {how}" for how, number in differing.items()),
    ]
    return ", ".join(parts)


def _rater(recipe: Recipe, raters: int) -> str:
    count = _plural(raters, "rater")
    if recipe.rater:
        return f"column {recipe.rater!r}, {count}"
    columns = [score.column for score in recipe.scores]
    if any(score.rater for score in recipe.scores):
        return f"columns {columns[0]} to {columns[-1]}, {count}"
    if recipe.image is None:
        return f"{count}, numbered by row"
    return "none: scores are means" if not recipe.raters else f"none: scores are means, number in {recipe.raters!r}"


def _with_counts(column: str | None, counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} ({number:,})" for name, number in sorted(counts.items()))
    return f"column {column!r}: {listed}" if column else ", ".join(sorted(counts))


def _score(recipe: Recipe, numbers: Numbers, rows: int) -> str:
    columns = dict.fromkeys(score.column for score in recipe.scores)
    parts = [f"column {next(iter(columns))!r}" if len(columns) == 1 else f"{len(columns)} columns", f"{rows:,} answers"]
    if numbers.levels:
        parts.append(f"levels from {numbers.levels[0]} to {numbers.levels[-1]}")
    if numbers.labelled:
        parts.append(f"numbers of answers such as {numbers.labelled!r}")
    if numbers.decimal == ",":
        parts.append("decimal comma")
    if recipe.sd:
        parts.append(f"standard deviation in {recipe.sd!r}")
    return ", ".join(parts)


def _skipped(skipped: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for reason, (rows, cells) in skipped.items():
        if reason != NO_ANSWER:
            cells_text = f" ({cells:,} cells)" if cells != rows else ""
            yield f"{_plural(rows, 'row')} {reason}{cells_text}"


def _missing(recipe: Recipe, skipped: Mapping[str, tuple[int, int]]) -> str:
    _, number = skipped.get(NO_ANSWER, (0, 0))
    codes = f" (blank, NA ... and {', '.join(recipe.missing)})" if recipe.missing else ""
    return f"{_plural(number, 'cell')} without an answer{codes}" if number or codes else "none"


def _attributes(attributes: Mapping[str, str] | None) -> str:
    return ", ".join(c if c == name else f"{c} as {name}" for c, name in (attributes or {}).items())


def _columns(columns: Sequence[str]) -> str:
    return ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")
