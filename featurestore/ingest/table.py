"""Ratings or scores from any table: read by a recipe that is decided first and shown before anything is stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import DataError
from featurestore.ingest.cells import is_missing
from featurestore.ingest.column_roles import find_roles
from featurestore.ingest.columns import TableOptions
from featurestore.ingest.dataset import DataSet, Finding, check_name, conform, findings_frame
from featurestore.ingest.headings import SEX
from featurestore.ingest.labels import UNNAMED_TRAIT, build_scores, folds, label_findings
from featurestore.ingest.photo_names import Match, PhotoNames
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.ingest.rating_rows import check_scale, collect, find_scale, rater_ids, read_numbers, written
from featurestore.ingest.reading import Origin, RawTable, read_raw
from featurestore.ingest.recipe import Recipe
from featurestore.ingest.summary import facts
from featurestore.opening import open_store
from featurestore.scale import Scale

IMAGE_COLUMNS = ("subset", "sex", "ethnicity")
"""Attributes that the table `images` has columns for."""


@dataclass(frozen=True, eq=False)
class TableReading:
    """A table as it was read.

    data_set     what can be stored
    recipe       what was decided, to be used again
    facts        (what, how it was read): for people, in the order in which they read
    first_rows   frame: image, trait, rater, session, score: the first answers
    dry_run      whether it is only shown, not stored
    """

    data_set: DataSet
    recipe: Recipe
    facts: tuple[tuple[str, str], ...]
    first_rows: pl.DataFrame
    dry_run: bool = False


def read_table(
    file: Path,
    images: Path,
    *,
    name: str | None = None,
    options: TableOptions | None = None,
    origin: Origin | None = None,
    recipe: Recipe | None = None,
    known_scale: Scale | None = None,
) -> TableReading:
    """Read ratings (long, or a column a rater or a photo) or mean scores, and the photos of a folder.

    file          csv, tsv, xlsx, xls, ods, sav, dta or Parquet
    name          of the data set; by default the file's
    options       what the user states of the table; the rest is detected, or the table is refused
    origin        encoding, sheet and whether there are headings
    recipe        decisions of an earlier reading, instead of `options` and `origin`
    known_scale   the scale that the data set has in the store, for one that is not stated

    An image is given by its path in the folder, or by as much of its end as makes it unique, with or without suffix.
    Raises InputError for missing files, DataError for labels that cannot be used, UsageError for a bad name and for a
    scale that nobody states.
    """
    name = data_set_name(file, name)
    photos, findings = find_photos(images)
    names = PhotoNames(photos)
    if recipe is not None:
        origin = Origin(recipe.encoding, recipe.sheet, recipe.header)
    table = read_raw(file, origin or Origin(), lambda label: bool(names.find(label).photos))
    remarks: tuple[str, ...] = ()
    source_of_scale = "of the recipe"
    if recipe is None:
        recipe, remarks, source_of_scale = _decide(table, names, options or TableOptions(), known_scale)
    else:
        _check_columns(table, recipe)
    matches = _matches(table, recipe, names)
    answers = collect(table, recipe, {label for label, match in matches.items() if match.photos})
    answers, numbers = read_numbers(file, answers, recipe)
    check_scale(file, answers.rows, recipe.scale)
    ids, missing = _image_ids(name, matches, set(answers.rows["image"]))
    if not ids:
        raise DataError(
            f"None of the images in {file} is in {images}: the first label is {answers.rows['image'][0]}, "
            f"the first photo is {min(photos)}; give the right --images or --image-column."
        )
    scanned, more = scan_images(name, images, photos)
    rows, repeated = _once(file, answers.rows.with_columns(image_id=_replaced("image", ids)).drop_nulls("image_id"))
    findings = [*findings, *missing, *more, *label_findings(scanned, ids.values(), file.name), *repeated]
    data_set = _data_set(name, images, recipe, table, rows, scanned, ids, findings)
    described = facts(table, recipe, answers, numbers, matches, source_of_scale, remarks)
    shown = answers.rows.head(6).select("image", "trait", "rater", "session", "score")
    return TableReading(data_set, recipe, described, shown)


def data_set_name(source: Path, name: str | None) -> str:
    """The name, or one from the file's or folder's. Raises UsageError when it cannot be one."""
    return check_name(name or re.sub(r"[^a-z0-9_-]+", "-", source.stem.lower()).strip("-_") or source.stem)


def stored_scale(store: Path, name: str) -> Scale | None:
    """The scale that a data set has in a store, which may not be there yet, where all its traits share one."""
    if not store.is_file():
        return None
    with open_store(store, read_only=True) as opened:
        scales = opened.frame("SELECT DISTINCT scale_low, scale_high FROM traits WHERE data_set = $name", name=name)
    return Scale(*scales.row(0)) if len(scales) == 1 else None


def _decide(
    table: RawTable, names: PhotoNames, options: TableOptions, known: Scale | None
) -> tuple[Recipe, tuple[str, ...], str]:
    """The recipe, remarks on it, and where the scale is known from."""
    roles, remarks = find_roles(table, names, options)
    codes = set(options.missing)
    texts = [
        text
        for score in roles.scores
        for text in table.cells[score.column].drop_nulls()
        if not is_missing(text) and text not in codes
    ]
    lowest = options.scale[0] if options.scale else 1.0
    numbers = written(table.source, list(dict.fromkeys(texts)), options.decimal, options.levels, lowest)
    headings = [score.column for score in roles.scores]
    scale, source = find_scale(table.source, texts, headings, options.scale, known, numbers)
    recipe = Recipe(
        **vars(roles),
        scale=scale,
        encoding=table.origin.encoding,
        sheet=table.origin.sheet,
        header=bool(table.origin.header),
        missing=tuple(options.missing),
        levels=tuple(options.levels),
        decimal=numbers.decimal,
    )
    return recipe, remarks, source


def _check_columns(table: RawTable, recipe: Recipe) -> None:
    """Raises DataError when the table has not the columns that the recipe was written for."""
    columns = set(table.cells.columns)
    needed = recipe.columns - set(recipe.not_used)
    if lacking := sorted(needed - columns):
        raise DataError(f"{table.source} has no column {', '.join(lacking)} of the recipe: write one of this table.")
    if new := sorted(columns - recipe.columns):
        raise DataError(
            f"{table.source} has columns that the recipe does not know ({', '.join(new)}): write one of this table."
        )


def _matches(table: RawTable, recipe: Recipe, names: PhotoNames) -> dict[str, Match]:
    """label -> the photos that it may mean."""
    if recipe.image is None:
        labels = {score.image for score in recipe.scores if score.image}
    else:
        labels = set(table.cells[recipe.image].drop_nulls())
    matches = {}
    for label in labels:
        number = names.by_number(label.removesuffix(".0")) if recipe.numbered_images else None
        matches[label] = Match([number], "by the number in its name") if number else names.find(label)
    return matches


def _image_ids(name: str, matches: Mapping[str, Match], labels: set[str]) -> tuple[dict[str, str], list[Finding]]:
    """label -> image_id of the labels with one photo, and findings on the others."""
    ids, findings = {}, []
    for label in sorted(labels):
        hits = matches[label].photos
        if len(hits) == 1:
            ids[label] = f"{name}/{hits[0]}"
        else:
            detail = f"may mean {' or '.join(hits)}: write its path" if hits else "has a label but no photo"
            findings.append(Finding("missing_image", label, detail))
    return ids, findings


def _replaced(column: str, values: Mapping[str, str]) -> pl.Expr:
    return pl.col(column).replace_strict(values, default=None, return_dtype=pl.String)


def _once(file: Path, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Each image, trait, rater and session once: equal rows are merged and reported.

    Raises DataError for rows that contradict each other.
    """
    key = ["image_id", "trait", "rater", "session"]
    distinct = rows.select(*key, "score", "sd", "raters").unique().sort(pl.all())
    again = distinct.filter(pl.struct(key).is_duplicated())
    if len(again):
        first = again.row(0, named=True)
        shared = [first[column] for column in ("trait", "rater", "session")]
        row_key = ", ".join(value for value in shared if value not in (None, UNNAMED_TRAIT))
        row_key = f" ({row_key})" if row_key else ""
        raise DataError(
            f"{file} has several scores for the same image, the first is {first['image_id']}{row_key}: "
            "keep one, or state what tells them apart with --rater-column, --session-column or --trait-column."
        )
    repeated = rows.filter(pl.struct(key).is_duplicated())["image"].unique()
    return distinct, [Finding("duplicate", label, "is labelled more than once") for label in repeated]


def _data_set(
    name: str,
    root: Path,
    recipe: Recipe,
    table: RawTable,
    rows: pl.DataFrame,
    images: pl.DataFrame,
    ids: Mapping[str, str],
    findings: list[Finding],
) -> DataSet:
    scales = dict.fromkeys(sorted(rows["trait"].unique()), recipe.scale)
    rated = rows.drop_nulls("rater")
    ratings = conform("ratings", rated.select("image_id", "trait", "session", rater_id="rater", rating="score"))
    published = rows.filter(pl.col("rater").is_null()).select("image_id", "trait", "sd", "raters", mean="score")
    scores = build_scores(scales, ratings, published)
    attributes = _photo_attributes(table, recipe, ids)
    in_images = attributes.filter(pl.col("attribute").is_in(IMAGE_COLUMNS))
    images = _with_columns(images, in_images)
    content = images.select("image_id", "sha256")
    splits = [
        folds(name, trait, content.join(scores.filter(trait=trait), on="image_id", how="semi")) for trait in scales
    ]
    return DataSet(
        name=name,
        root=root,
        files=(table.source,),
        scales=scales,
        licence="not stated",
        images=images,
        ratings=ratings,
        scores=scores,
        splits=pl.concat(splits),
        rater_attributes=_rater_attributes(name, table, recipe, ratings),
        image_attributes=conform(
            "image_attributes", attributes.join(in_images, on=["image_id", "attribute"], how="anti")
        ),
        findings=findings_frame(name, findings),
    )


def _photo_attributes(table: RawTable, recipe: Recipe, ids: Mapping[str, str]) -> pl.DataFrame:
    """image_id, attribute, value."""
    parts = [pl.DataFrame(schema=dict.fromkeys(("image_id", "attribute", "value"), pl.String))]
    for column, attribute in (recipe.photo_attributes or {}).items():
        value = _known(attribute, pl.col(column))
        part = table.cells.select(image_id=_replaced(recipe.image or "", ids), attribute=pl.lit(attribute), value=value)
        parts.append(part.drop_nulls())
    return pl.concat(parts).unique().sort(pl.all()).unique(["image_id", "attribute"], keep="first", maintain_order=True)


def _rater_attributes(name: str, table: RawTable, recipe: Recipe, ratings: pl.DataFrame) -> pl.DataFrame:
    """Rows for the table `rater_attributes`, of raters with a rating."""
    parts = [pl.DataFrame(schema=dict.fromkeys(("rater_id", "attribute", "value"), pl.String))]
    for column, attribute in (recipe.rater_attributes or {}).items():
        value = _known(attribute, pl.col(column))
        part = table.cells.select(rater_id=rater_ids(table, recipe), attribute=pl.lit(attribute), value=value)
        parts.append(part.drop_nulls())
    rows = pl.concat(parts).unique().join(ratings, on="rater_id", how="semi").sort(pl.all())
    return conform("rater_attributes", rows.with_columns(data_set=pl.lit(name)))


def _known(attribute: str, value: pl.Expr) -> pl.Expr:
    """Sex as `female` and `male` where it is written so in short; other values as they are; missing words as NULL."""
    value = value.map_elements(lambda text: None if is_missing(text) else text, return_dtype=pl.String)
    return value.map_elements(lambda t: SEX.get(t.lower(), t), return_dtype=pl.String) if attribute == "sex" else value


def _with_columns(images: pl.DataFrame, attributes: pl.DataFrame) -> pl.DataFrame:
    """Fill subset, sex and ethnicity."""
    wide = attributes.pivot("attribute", index="image_id", values="value") if len(attributes) else attributes
    known = [column for column in IMAGE_COLUMNS if column in wide.columns]
    if not known:
        return images
    return conform(
        "images",
        images.drop(known).join(wide.select("image_id", *known), on="image_id", how="left", maintain_order="left"),
    )
