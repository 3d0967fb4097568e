"""Any csv with an image column and a score column; a rater column makes it long."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import DataSet, Finding, check_name, conform, findings_frame
from featurestore.ingest.files import read_csv, read_text
from featurestore.ingest.labels import (
    build_scores,
    check_scale,
    check_within,
    folds,
    label_findings,
)
from featurestore.ingest.photos import PhotoNames, find_photos, scan_images

IMAGE_COLUMNS = (
    "image",
    "filename",
    "file",
    "file_name",
    "image_path",
    "path",
    "img",
    "photo",
    "image_id",
    "name",
)
SCORE_COLUMNS = ("score", "rating", "mean", "mean_score", "mean_rating", "label", "attractiveness", "beauty")
RATER_COLUMNS = ("rater", "rater_id", "raters_id", "annotator", "user", "user_id")
GROUP_COLUMNS = ("subset", "sex", "ethnicity")
OWN_READERS = ("scut", "mebeauty")


@dataclass(frozen=True)
class Columns:
    """Which column of the csv is what; `groups` maps subset, sex, ethnicity to the columns that are there."""

    image: str
    score: str
    rater: str | None
    groups: dict[str, str]


def read_table(
    csv: Path,
    images: Path,
    *,
    name: str | None = None,
    scale: tuple[float, float] = (1.0, 5.0),
    image_column: str | None = None,
    score_column: str | None = None,
    rater_column: str | None = None,
) -> DataSet:
    """Read a csv of scores, or of single ratings where it has a rater column, and the photos of a folder.

    The data set is called as the csv unless it is named. Separator , ; or tab; columns that are not stated
    are found by name: see IMAGE_COLUMNS, SCORE_COLUMNS, RATER_COLUMNS. An image is given by its path in the
    folder, or by as much of its end as makes it unique, with or without suffix.
    Raises InputError for missing files, DataError for labels that cannot be used, UsageError for a bad name.
    """
    check_scale(scale)
    name = check_name(name or _name_of(csv))
    if name in OWN_READERS:
        raise UsageError(f"{name} is the name of a data set with its own reader: choose another --name.")
    labels = _labels(csv, scale, image_column, score_column, rater_column)
    rows, images_frame, findings = _matched(csv, images, labels, name)
    rows, repeated = _once(csv, rows)
    ratings = conform("ratings", rows.drop_nulls("rater").select("image_id", rater_id="rater", rating="score"))
    published = rows.filter(pl.col("rater").is_null()).select("image_id", mean="score")
    scores = build_scores(scale, ratings, published)
    return DataSet(
        name=name,
        root=images,
        scale=scale,
        licence="not stated",
        images=images_frame,
        ratings=ratings,
        scores=scores,
        splits=folds(name, images_frame.join(scores, on="image_id", how="semi").select("image_id", "sha256")),
        findings=findings_frame(name, findings + repeated),
    )


def _name_of(csv: Path) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", csv.stem.lower()).strip("-_") or csv.stem


def _labels(
    csv: Path, scale: tuple[float, float], image: str | None, score: str | None, rater: str | None
) -> pl.DataFrame:
    """image, score, rater (NULL without a rater column), subset, sex, ethnicity where given."""
    raw = _parse(csv)
    labels = _numbers(csv, raw, _columns(csv, raw, image, score, rater))
    check_within(labels, "score", scale, csv, "correct them or state the scale with --scale LOW HIGH")
    return labels


def _parse(csv: Path) -> pl.DataFrame:
    """Every column as text, blanks as NULL."""
    header = read_text(csv).partition("\n")[0]
    separator = max(",;\t", key=header.count)
    raw = read_csv(csv, separator, infer=False)
    names = [name.strip() for name in raw.columns]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{csv} has several columns called {twice[0]!r}: rename or remove them.")
    raw = raw.rename(dict(zip(raw.columns, names, strict=True))).select(pl.all().str.strip_chars().replace("", None))
    # Where the semicolon separates columns, the comma is the decimal point.
    return raw.select(pl.all().str.replace(r"^(-?\d+),(\d+)$", "${1}.${2}")) if separator == ";" else raw


def _columns(csv: Path, raw: pl.DataFrame, image: str | None, score: str | None, rater: str | None) -> Columns:
    """The columns that were stated, else the first usual name. Raises DataError when one is lacking."""
    by_lower = {c.lower(): c for c in reversed(raw.columns)}
    found = ", ".join(raw.columns)

    def optional(stated: str | None, usual: Sequence[str], what: str) -> str | None:
        if stated is None:
            return next((by_lower[c] for c in usual if c in by_lower), None)
        if stated.lower() not in by_lower:
            raise DataError(f"{csv} has no column {stated!r} for --{what}-column; its columns are {found}.")
        return by_lower[stated.lower()]

    def needed(stated: str | None, usual: Sequence[str], what: str) -> str:
        if column := optional(stated, usual, what):
            return column
        raise DataError(
            f"{csv} has no {what} column ({', '.join(usual)}); its columns are {found}: state it with --{what}-column."
        )

    return Columns(
        image=needed(image, IMAGE_COLUMNS, "image"),
        score=needed(score, SCORE_COLUMNS, "score"),
        rater=optional(rater, RATER_COLUMNS, "rater"),
        groups={g: by_lower[g] for g in GROUP_COLUMNS if g in by_lower},
    )


def _numbers(csv: Path, raw: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The labels with finite scores. Raises DataError for what is blank or no number."""
    rater = pl.col(columns.rater) if columns.rater else pl.lit(None, pl.String)
    named = raw.select(pl.col(columns.image).alias("image"), text=columns.score, rater=rater, **columns.groups)
    labels = named.filter(~pl.all_horizontal(pl.col("image", "text").is_null())).with_columns(
        score=pl.col("text").cast(pl.Float64, strict=False)
    )
    if labels.is_empty():
        raise DataError(f"{csv} has no rows: it needs one row an image.")
    is_bad = ~pl.col("score").is_finite().fill_null(False) | pl.col("image").is_null()
    if columns.rater:
        is_bad |= pl.col("rater").is_null()
    bad = labels.filter(is_bad)
    if len(bad):
        first = bad.row(0, named=True)
        raise DataError(
            f"{len(bad)} rows of {csv} lack an image, a rater or a number in {columns.score!r}, the first has "
            f"{first['text'] or ''!r} for {first['image'] or 'no image'}: correct or remove them."
        )
    return labels.drop("text")


def _matched(
    csv: Path, folder: Path, labels: pl.DataFrame, name: str
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Labels with their image_id, rows for `images`, and findings. Raises DataError when none has a photo."""
    photos, findings = find_photos(folder)
    names, ids = PhotoNames(photos), dict[str, str]()
    for label in sorted(set(labels["image"])):
        hits = names.find(label)
        if len(hits) == 1:
            ids[label] = f"{name}/{hits[0]}"
        else:
            detail = f"may mean {' or '.join(hits)}: write its path" if hits else "has a label but no photo"
            findings.append(Finding("missing_image", label, detail))
    if not ids:
        raise DataError(
            f"None of the images in {csv} is in {folder}: the first label is {labels['image'][0]}, "
            f"the first photo is {min(photos)}; give the right --images or --image-column."
        )
    images, more = scan_images(name, folder, photos)
    findings += more + label_findings(images, ids.values(), csv.name)
    image_id = pl.col("image").replace_strict(ids, default=None, return_dtype=pl.String)
    rows = labels.with_columns(image_id=image_id).drop_nulls("image_id")
    return rows, _with_groups(images, rows), findings


def _once(csv: Path, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Each image, or each image and rater, once: equal rows are merged and reported.

    Raises DataError for rows that contradict each other.
    """
    key = pl.struct("image_id", "rater")
    distinct = rows.select("image_id", "rater", "score").unique().sort(pl.all())
    again = distinct.filter(key.is_duplicated())
    if len(again):
        raise DataError(
            f"{csv} has several scores for the same image (and rater), the first is {again['image_id'][0]}: "
            "keep one, or state the column of raters with --rater-column."
        )
    repeated = rows.filter(key.is_duplicated())["image"].unique()
    return distinct, [Finding("duplicate", label, "is labelled more than once") for label in repeated]


def _with_groups(images: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Fill subset, sex and ethnicity from the csv; of several values for one image the least is taken."""
    groups = [g for g in GROUP_COLUMNS if g in rows.columns]
    given = rows.group_by("image_id").agg(pl.col(groups).min())
    return conform("images", images.drop(groups).join(given, on="image_id", how="left", maintain_order="left"))
