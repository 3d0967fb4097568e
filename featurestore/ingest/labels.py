"""From ratings to scores and folds, the same for every reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import Finding, conform, empty
from featurestore.records import SCALE


def check_scale(scale: tuple[float, float]) -> None:
    """Raises UsageError when the highest rating is not above the lowest."""
    if not scale[0] < scale[1]:
        raise UsageError(f"A scale from {scale[0]:g} to {scale[1]:g} is empty: give --scale LOW HIGH, as in 1 10.")


def check_within(values: pl.DataFrame, column: str, scale: tuple[float, float], source: Path, remedy: str) -> None:
    """Raises DataError when a value of `column` is not a number on the scale; `image` names the row."""
    low, high = scale
    outside = values.filter(~pl.col(column).is_between(low, high).fill_null(False)).sort("image", column)
    if len(outside):
        image, value = outside["image"][0], outside[column][0]
        shown = "blank or no number" if value is None else f"{value:g}"
        raise DataError(
            f"{len(outside)} scores in {source} lie outside {low:g}-{high:g}, "
            f"the first is {shown} for {image}: {remedy}."
        )


def build_scores(
    scale: tuple[float, float], ratings: pl.DataFrame, published: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Rows for the table `scores` from single ratings, published means (image_id, mean), or both.

    A published mean wins. sd is the population's (divided by n): it describes these raters. The score is
    1 + 4 (mean - low) / (high - low).
    """
    # Sorted, because a floating-point mean depends on the order of its terms and a csv's must not matter.
    rated = (
        ratings.sort("image_id", "rating")
        .group_by("image_id", maintain_order=True)
        .agg(
            pl.col("rating").mean().alias("rated_mean"),
            pl.when(pl.len() > 1).then(pl.col("rating").std(ddof=0)).alias("sd"),
            pl.len().alias("raters"),
            _histogram(ratings, scale),
        )
    )
    known = empty("scores").select("image_id", "mean") if published is None else published
    joined = known.join(rated, on="image_id", how="full", coalesce=True)
    return conform(
        "scores",
        with_score(joined.with_columns(mean=pl.coalesce("mean", "rated_mean")), scale).drop("rated_mean"),
    ).sort("image_id")


def with_score(frame: pl.DataFrame, scale: tuple[float, float]) -> pl.DataFrame:
    """Add `score`, the mean mapped linearly to what models learn."""
    (low, high), (bottom, top) = scale, SCALE
    return frame.with_columns(score=bottom + (top - bottom) * (pl.col("mean") - low) / (high - low))


def _histogram(ratings: pl.DataFrame, scale: tuple[float, float]) -> pl.Expr:
    """How many raters gave each whole rating; NULL when ratings or scale are not whole."""
    low, high = scale
    is_whole = bool((ratings["rating"] == ratings["rating"].round()).all()) and low == int(low) and high == int(high)
    if not is_whole:
        return pl.lit(None).alias("histogram")
    counts = [(pl.col("rating") == step).sum() for step in range(int(low), int(high) + 1)]
    return pl.concat_list(counts).alias("histogram")


def folds(name: str, images: pl.DataFrame, k: int = 5) -> pl.DataFrame:
    """Rows for the table `splits`: protocol `<name>-5fold` for a data set without official folds.

    Drawn by a hash of the image_id, so the same images always have the same folds; photos with the same
    bytes share a fold. `images` has image_id and sha256. Fewer than k different photos give no folds.
    """
    content = images.select("image_id", group=pl.col("image_id").min().over(pl.coalesce("sha256", "image_id")))
    groups = sorted(content["group"].unique(), key=lambda group: hashlib.sha256(group.encode()).digest())
    if len(groups) < k:
        return empty("splits")
    fold_of = pl.DataFrame({"group": groups, "test_fold": [i % k + 1 for i in range(len(groups))]})
    drawn = content.join(fold_of, on="group").join(pl.DataFrame({"fold": range(1, k + 1)}), how="cross")
    role = pl.when(pl.col("fold") == pl.col("test_fold")).then(pl.lit("test")).otherwise(pl.lit("train"))
    rows = drawn.select("image_id", "fold", role.alias("role"), protocol=pl.lit(f"{name}-{k}fold"))
    return conform("splits", rows).sort("fold", "image_id")


def present(rows: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """The rows whose photo is there."""
    return rows.join(images, on="image_id", how="semi", maintain_order="left")


def label_findings(images: pl.DataFrame, labelled: Iterable[str], source: str) -> list[Finding]:
    """missing_image and unlabelled: labels (image_ids) without photo, and photos without label."""
    paths = dict(images.select("image_id", "path").iter_rows())
    labelled = set(labelled)
    missing = [
        Finding("missing_image", i.partition("/")[2], f"has a label in {source} but no photo")
        for i in labelled - paths.keys()
    ]
    unlabelled = [Finding("unlabelled", paths[i], f"has no label in {source}") for i in paths.keys() - labelled]
    return missing + unlabelled
