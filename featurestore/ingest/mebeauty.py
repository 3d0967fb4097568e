"""MEBeauty (Lebedeva et al. 2022), in the layout of its repository."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.ingest.dataset import DataSet, Finding, conform, empty, findings_frame
from featurestore.ingest.label_files import columns_of, read_csv, read_score_list, read_sheets
from featurestore.ingest.labels import build_scores, check_within, label_findings, present
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.scale import Scale

NAME = "mebeauty"
SCALE = Scale(1.0, 10.0)
TRAIT = "attractiveness"
LICENCE = "non-commercial research only"
PHOTO_FOLDERS = ("cropped_images/images_crop_align_mtcnn", "original_images")
PROTOCOLS = {
    "mebeauty-2022": {"train": "train_2022.txt", "val": "val_2022.txt", "test": "test_2022.txt"},
    "mebeauty-crop": {"train": "train_crop.csv", "test": "test_crop.csv"},
}
WORKBOOK = "generic_scores_all_2022.xlsx"


def read_mebeauty(folder: Path) -> DataSet:
    """Read the photos (the aligned crops, else the originals), the split lists and the raters' workbook.

    Photos are known by their last three parts, `female/asian/x.jpg`: the files of the release write the
    folders before them in several ways. A photo that stands in several lists of a protocol keeps the first
    role of train, val, test. Raises InputError when photos or all lists are missing.
    """
    root = next((folder / f for f in PHOTO_FOLDERS if (folder / f).is_dir()), None)
    if root is None:
        raise InputError(f"{folder} is not MEBeauty: give the folder that holds {' or '.join(PHOTO_FOLDERS)}.")
    photos, findings = find_photos(root)
    images, more = scan_images(NAME, root, photos)
    workbook, files = folder / "scores" / WORKBOOK, _list_files(folder / "scores")
    lists, repeated = _lists(files)
    ratings = _ratings(workbook)
    first = lists.unique("image_id", keep="first", maintain_order=True)
    published = first.select("image_id", pl.lit(TRAIT).alias("trait"), mean="score")
    scores = build_scores({TRAIT: SCALE}, ratings, published)
    findings += more + repeated + label_findings(images, scores["image_id"], "scores")
    sex, ethnicity = (pl.col("image_id").str.split("/").list.get(i, null_on_oob=True) for i in (1, 2))
    return DataSet(
        name=NAME,
        root=root,
        files=(workbook, *(file for _, _, file in files)),
        scales={TRAIT: SCALE},
        licence=LICENCE,
        images=images.with_columns(sex=sex, ethnicity=ethnicity, subset=ethnicity + "_" + sex),
        ratings=present(ratings, images),
        scores=present(scores, images),
        splits=present(conform("splits", lists.drop("score").with_columns(trait=pl.lit(TRAIT))), images),
        findings=findings_frame(NAME, findings),
    )


def _image_id(column: str) -> pl.Expr:
    """mebeauty/female/asian/x.jpg from any path that ends so."""
    tail = pl.col(column).str.replace_all("\\", "/", literal=True).str.extract(r"([^/]+/[^/]+/[^/]+)$")
    composed = tail.map_elements(lambda path: unicodedata.normalize("NFC", path), return_dtype=pl.String)
    return pl.format(f"{NAME}/{{}}", composed).alias("image_id")


def _list_files(folder: Path) -> list[tuple[str, str, Path]]:
    """(protocol, role, file); the 2022 lists come first, so that their scores win."""
    files = [
        (protocol, role, folder / name)
        for protocol, names in PROTOCOLS.items()
        if (folder / names["train"]).is_file()
        for role, name in names.items()
    ]
    if not files:
        raise InputError(f"{folder} holds no train_2022.txt and no train_crop.csv: give the whole MEBeauty folder.")
    return files


def _lists(files: Sequence[tuple[str, str, Path]]) -> tuple[pl.DataFrame, list[Finding]]:
    """image_id, protocol, fold, role, score."""
    parts = [
        _read_list(file).with_columns(protocol=pl.lit(protocol), fold=pl.lit(1), role=pl.lit(role))
        for protocol, role, file in files
    ]
    rows = pl.concat(parts).with_columns(is_first=pl.struct("image_id", "protocol").is_first_distinct())
    findings = [
        Finding("duplicate", image_id.partition("/")[2], f"stands in {protocol} again as {role}: left out there")
        for image_id, protocol, role in rows.filter(~pl.col("is_first"))
        .select("image_id", "protocol", "role")
        .iter_rows()
    ]
    return rows.filter("is_first").drop("is_first"), findings


def _read_list(file: Path) -> pl.DataFrame:
    """image_id, score from `<path> <score>` lines or from a csv with image,score."""
    rows = read_score_list(file) if file.suffix == ".txt" else read_csv(file)
    if lacking := {"image", "score"} - set(rows.columns):
        raise DataError(f"{file} has no column {', '.join(sorted(lacking))}: take the file of the release.")
    with columns_of(file):
        rows = rows.with_columns(pl.col("score").cast(pl.Float64, strict=False))
        check_within(rows, "score", SCALE, file, f"correct {file.name}")
        return rows.select(_image_id("image"), "score")


def _ratings(workbook: Path) -> pl.DataFrame:
    """The workbook has one row an image and one column a rater, beside `image`, `path` and `mean`."""
    if not workbook.is_file():
        return empty("ratings")
    wide = read_sheets(workbook, "Sheet1")
    column = next((c for c in ("path", "image") if c in wide.columns), None)
    if column is None:
        raise DataError(f"{workbook} has neither a column path nor image: take the workbook of the release.")
    # A column without a name is pandas' row number.
    raters = [c for c in wide.columns if c not in ("path", "image", "mean") and not c.startswith("__UNNAMED__")]
    with columns_of(workbook):
        long = (
            wide.select(_image_id(column), pl.col(raters).cast(pl.Float64, strict=False))
            .unpivot(index="image_id", variable_name="rater_id", value_name="rating")
            .drop_nulls()
            .unique(["image_id", "rater_id"], keep="first", maintain_order=True)
        )
    check_within(long.rename({"image_id": "image"}), "rating", SCALE, workbook, f"correct {workbook.name}")
    return conform("ratings", long.with_columns(trait=pl.lit(TRAIT)))
