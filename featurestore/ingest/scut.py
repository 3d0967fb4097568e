"""SCUT-FBP5500 (Liang et al. 2018), in the layout of its release."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import polars as pl

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.ingest.dataset import DataSet, Finding, conform, empty, findings_frame
from featurestore.ingest.label_files import columns_of, read_csv, read_score_list, read_sheets
from featurestore.ingest.labels import build_scores, check_within, label_findings, present, with_score
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.scale import Scale

NAME = "scut"
SCALE = Scale(1.0, 5.0)
TRAIT = "attractiveness"
LICENCE = "non-commercial research only"
LANDMARKS = 86
OLD_PREFIXES = {"fty": "AF", "mty": "AM", "ftw": "CF", "mtw": "CM"}
SUBSETS = {
    "AF": ("female", "asian"),
    "AM": ("male", "asian"),
    "CF": ("female", "caucasian"),
    "CM": ("male", "caucasian"),
}
SIBLING = "SCUT-FBP5500_ratings"


def read_scut(folder: Path, ratings: Path | None = None, histograms: Path | None = None) -> DataSet:
    """Read `Images`, `train_test_files`, `facial landmark`, single ratings and histograms.

    Ratings (xlsx or csv) and histograms (csv) are looked for in the folder and in `SCUT-FBP5500_ratings`
    beside it unless they are named. Photos under their old names (fty1.jpg) get the new ones (AF1.jpg) as
    image_id. Raises InputError when a file of the release is missing, DataError when one is malformed.
    """
    if not (folder / "train_test_files").is_dir() or not (folder / "Images").is_dir():
        raise InputError(f"{folder} is not SCUT-FBP5500: give the folder that holds Images and train_test_files.")
    images, findings = _images(folder)
    labels_file = folder / "train_test_files" / "All_labels.txt"
    labels = read_score_list(labels_file)
    check_within(labels, "score", SCALE, labels_file, f"correct {labels_file.name}")
    published = labels.select(_image_id("image"), pl.lit(TRAIT).alias("trait"), mean="score")
    findings += label_findings(images, published["image_id"], labels_file.name)
    ratings = ratings or _found(folder, "All_Ratings.xlsx", "ratings*.csv")
    histograms = histograms or _found(folder, "histograms.csv")
    rated = present(_ratings(ratings), images)
    counted = _histograms(histograms)
    landmarks, broken = _landmarks(folder / "facial landmark")
    lists = (file for _, _, _, file in _lists(folder / "train_test_files"))
    return DataSet(
        name=NAME,
        root=folder / "Images",
        files=(labels_file, *lists, *filter(None, (ratings, histograms))),
        scales={TRAIT: SCALE},
        licence=LICENCE,
        images=images,
        ratings=rated,
        scores=present(_scores(published, rated, counted), images),
        splits=present(_splits(folder / "train_test_files"), images),
        published_landmarks=present(landmarks, images),
        findings=findings_frame(NAME, findings + broken),
    )


def new_name(file: pl.Expr) -> pl.Expr:
    """AF1.jpg for fty1.jpg; the numbers did not change."""
    for old, new in OLD_PREFIXES.items():
        file = file.str.replace(rf"^{old}(\d)", f"{new}${{1}}")
    return file


def _image_id(column: str) -> pl.Expr:
    return pl.format(f"{NAME}/{{}}", new_name(pl.col(column).str.strip_chars())).alias("image_id")


def _images(folder: Path) -> tuple[pl.DataFrame, list[Finding]]:
    photos, findings = find_photos(folder / "Images")
    named = pl.DataFrame({"file": photos.keys()}).with_columns(name=new_name(pl.col("file")))
    # New names sort before old ones, so a photo that is there under both is taken under its new name.
    named = named.sort("file").with_columns(is_first=pl.col("name").is_first_distinct())
    findings += [
        Finding("duplicate", file, f"is also there as {name}")
        for file, name in named.filter(~pl.col("is_first")).select("file", "name").iter_rows()
    ]
    first_files = named.filter("is_first").select("name", "file").iter_rows()
    images, more = scan_images(NAME, folder / "Images", {name: photos[file] for name, file in first_files})
    group = pl.col("image_id").str.extract(r"/(AF|AM|CF|CM)\d+\.")
    sexes = {subset: sex for subset, (sex, _) in SUBSETS.items()}
    ethnicities = {subset: ethnicity for subset, (_, ethnicity) in SUBSETS.items()}
    return images.with_columns(
        subset=group,
        sex=group.replace_strict(sexes, return_dtype=pl.String),
        ethnicity=group.replace_strict(ethnicities, return_dtype=pl.String),
    ), findings + more


def _found(folder: Path, *patterns: str) -> Path | None:
    """The first file of these names in the folder or in the ratings folder beside it."""
    places = (folder, folder.resolve().parent / SIBLING)
    return next((file for p in patterns for place in places for file in sorted(place.glob(p))), None)


def _ratings(file: Path | None) -> pl.DataFrame:
    if file is None:
        return empty("ratings")
    raw = read_sheets(file, "ALL") if file.suffix.lower() == ".xlsx" else read_csv(file)
    columns = ["Rater", "Filename", "Rating", "original Rating"]
    if lacking := [c for c in columns if c not in raw.columns]:
        raise DataError(f"{file} has no column {', '.join(lacking)}: SCUT's ratings have {', '.join(columns)}.")
    with columns_of(file):
        rows = raw.select(
            _image_id("Filename"),
            pl.col("Rater").cast(pl.Int64).cast(pl.String).alias("rater_id"),
            pl.col("Rating").cast(pl.Float64).alias("rating"),
            pl.col("original Rating").cast(pl.Float64).alias("first_rating"),
            pl.lit(TRAIT).alias("trait"),
        )
    check_within(rows.rename({"image_id": "image"}), "rating", SCALE, file, f"correct {file.name}")
    return conform("ratings", rows)


def _histograms(file: Path | None) -> pl.DataFrame:
    """image_id, histogram: how many raters gave 1, 2, 3, 4, 5."""
    if file is None:
        return empty("scores").select("image_id", "histogram")
    raw, steps = read_csv(file), ["1", "2", "3", "4", "5"]
    if lacking := [c for c in ("filename", *steps) if c not in raw.columns]:
        raise DataError(f"{file} has no column {', '.join(lacking)}: histograms have filename,1,2,3,4,5.")
    counts = pl.col(steps).cast(pl.UInt32).cast(pl.Int32)
    with columns_of(file):
        return raw.select(_image_id("filename"), pl.concat_list(counts).alias("histogram"))


def _scores(published: pl.DataFrame, ratings: pl.DataFrame, histograms: pl.DataFrame) -> pl.DataFrame:
    """Published means; spread from single ratings, and from the histogram where there are none."""
    scores = build_scores({TRAIT: SCALE}, ratings, published)
    steps = [pl.col("counts").list.get(i) for i in range(5)]
    n = pl.sum_horizontal(steps)
    mean = pl.sum_horizontal([(i + 1) * s for i, s in enumerate(steps)]) / n
    square = pl.sum_horizontal([(i + 1) ** 2 * s for i, s in enumerate(steps)]) / n
    counted = histograms.rename({"histogram": "counts"}).with_columns(
        counted_sd=(square - mean**2).clip(0).sqrt(), counted=n
    )
    joined = scores.join(counted, on="image_id", how="left", maintain_order="left")
    filled = joined.with_columns(
        sd=pl.coalesce("sd", "counted_sd"),
        raters=pl.coalesce("raters", "counted"),
        histogram=pl.coalesce("histogram", "counts"),
    )
    return conform("scores", with_score(filled, SCALE).drop("counts", "counted", "counted_sd"))


def _lists(folder: Path) -> list[tuple[str, int, str, Path]]:
    """(protocol, fold, role, file) of the official five folds and the 60/40 split."""
    five = folder / "5_folders_cross_validations_files"
    half = folder / "split_of_60%training and 40%testing"
    files = [
        ("scut-5fold", k, role, five / f"cross_validation_{k}" / f"{role}_{k}.txt")
        for k in range(1, 6)
        for role in ("train", "test")
    ]
    return [*files, *(("scut-60-40", 1, role, half / f"{role}.txt") for role in ("train", "test"))]


def _splits(folder: Path) -> pl.DataFrame:
    rows = [
        read_score_list(file).select(
            _image_id("image"), protocol=pl.lit(protocol), fold=pl.lit(fold), role=pl.lit(role), trait=pl.lit(TRAIT)
        )
        for protocol, fold, role, file in _lists(folder)
    ]
    return conform("splits", pl.concat(rows))


def _landmarks(folder: Path) -> tuple[pl.DataFrame, list[Finding]]:
    """The 86 points of each `.pts`: little-endian int32 count, then x, y, x, y ... as float32, in pixels."""
    rows, findings = [], []
    for file in sorted(folder.glob("*.pts")):
        content = file.read_bytes()
        expected = 4 + 8 * LANDMARKS
        if len(content) != expected or struct.unpack("<i", content[:4])[0] != LANDMARKS:
            detail = f"{len(content)} bytes, not the {expected} of {LANDMARKS} points"
            findings.append(Finding("bad_landmarks", f"{folder.name}/{file.name}", detail))
            continue
        points = np.frombuffer(content, dtype="<f4", offset=4).reshape(LANDMARKS, 2)
        rows.append((f"{file.stem}.jpg", points[:, 0].tolist(), points[:, 1].tolist()))
    schema = pl.Schema({"file": pl.String(), "x": pl.List(pl.Float32), "y": pl.List(pl.Float32)})
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return conform("published_landmarks", frame.select(_image_id("file"), "x", "y")), findings
