"""From ratings to scores and folds, the same for every reader."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from featurestore.errors import DataError
from featurestore.ingest.dataset import Finding, conform, empty
from featurestore.scale import Scale

UNNAMED_TRAIT = "score"
"""The trait of a table that does not name what was rated."""

FOLDS = 5
LONGEST_HISTOGRAM = 100
"""Steps of a scale up to which ratings are counted one by one."""


def check_within(values: pl.DataFrame, column: str, scale: Scale, source: Path, remedy: str) -> None:
    """Raises DataError when a value of `column` is not a number on the scale; `image` names the row."""
    off_scale = values.filter(~pl.col(column).is_between(*scale).fill_null(False)).sort("image", column)
    if len(off_scale):
        image, value = off_scale["image"][0], off_scale[column][0]
        shown = "blank or not a number" if value is None else f"{value:g}"
        raise DataError(
            f"{len(off_scale)} scores in {source} lie outside {scale}, the first is {shown} for {image}: {remedy}."
        )


def build_scores(
    scales: Mapping[str, tuple[float, float]], ratings: pl.DataFrame, published: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Rows for the table `scores` from single ratings, published means, or both.

    ratings     frame: image_id, trait, rater_id, rating
    published   frame: image_id, trait, mean, and sd and raters where they are known too

    The mean is over raters, each with the mean of the own sessions; sd is the population's (divided by n): it
    describes these raters. A published value wins. The score is the mean on the scale of models.
    """
    known = empty("scores") if published is None else conform("scores", published)
    parts = [_trait_scores(trait, Scale(*ends), ratings, known) for trait, ends in scales.items()]
    return pl.concat([empty("scores"), *parts]).sort("image_id", "trait")


def _trait_scores(trait: str, scale: Scale, ratings: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    # Sorted, because a floating-point mean depends on the order of its terms and a table's must not matter.
    trait_ratings = ratings.filter(trait=trait).sort("image_id", "rating")
    by_rater = trait_ratings.group_by("image_id", "rater_id", maintain_order=True).agg(pl.col("rating").mean())
    rated = (
        by_rater.sort("image_id", "rating")
        .group_by("image_id", maintain_order=True)
        .agg(
            pl.col("rating").mean().alias("rated_mean"),
            pl.when(pl.len() > 1).then(pl.col("rating").std(ddof=0)).alias("rated_sd"),
            pl.len().alias("rated_by"),
        )
    )
    counted = trait_ratings.group_by("image_id").agg(_histogram(trait_ratings, scale))
    joined = (
        known.filter(trait=trait)
        .drop("trait", "histogram")
        .join(rated, on="image_id", how="full", coalesce=True)
        .join(counted, on="image_id", how="left")
    )
    filled = joined.with_columns(
        pl.lit(trait).alias("trait"),
        mean=pl.coalesce("mean", "rated_mean"),
        sd=pl.coalesce("sd", "rated_sd"),
        raters=pl.coalesce("raters", "rated_by"),
    )
    return conform("scores", with_score(filled, scale).drop("rated_mean", "rated_sd", "rated_by"))


def with_score(frame: pl.DataFrame, scale: Scale) -> pl.DataFrame:
    """Add `score`, the mean mapped linearly to the scale of models."""
    return frame.with_columns(score=scale.to_models(pl.col("mean")))


def _histogram(ratings: pl.DataFrame, scale: Scale) -> pl.Expr:
    """How often each whole rating was given; NULL when ratings or scale are not whole, or the scale is a long one."""
    low, high = scale
    is_whole = bool((ratings["rating"] == ratings["rating"].round()).all()) and low == int(low) and high == int(high)
    if not is_whole or scale.width > LONGEST_HISTOGRAM:
        return pl.lit(None).alias("histogram")
    counts = [(pl.col("rating") == step).sum() for step in range(int(low), int(high) + 1)]
    return pl.concat_list(counts).alias("histogram")


def protocol_name(data_set: str, trait: str) -> str:
    """The protocol of a trait of a data set without official folds."""
    return f"{data_set}-{FOLDS}fold" if trait == UNNAMED_TRAIT else f"{data_set}-{trait}-{FOLDS}fold"


def folds(name: str, trait: str, images: pl.DataFrame, known: Mapping[str, int] | None = None) -> pl.DataFrame:
    """Rows for the table `splits`: a protocol of FOLDS folds for a trait of a data set without official folds.

    Drawn by a hash of the image_id, so the same images always have the same folds; photos with the same
    bytes share a fold. `images` has image_id and sha256. Fewer different photos than folds give none.
    `known` are the folds (image_id -> fold whose test set it is in) of photos that were dealt before: they stay there,
    and new photos go to the smallest folds.
    """
    known = known or {}
    content = images.select("image_id", group=pl.col("image_id").min().over(pl.coalesce("sha256", "image_id")))
    fold_by_group = {group: known[image_id] for image_id, group in content.iter_rows() if image_id in known}
    groups = sorted(content["group"].unique(), key=lambda group: hashlib.sha256(group.encode()).digest())
    if len(groups) < FOLDS:
        return empty("splits")
    sizes = Counter(fold_by_group.values())
    for group in groups:
        if group not in fold_by_group:
            fold_by_group[group] = min(range(1, FOLDS + 1), key=lambda fold: (sizes[fold], fold))
            sizes[fold_by_group[group]] += 1
    fold_of = pl.DataFrame(list(fold_by_group.items()), schema=["group", "test_fold"], orient="row")
    return with_roles(content.join(fold_of, on="group"), protocol_name(name, trait), trait)


def with_roles(images: pl.DataFrame, protocol: str, trait: str) -> pl.DataFrame:
    """Rows for the table `splits`: image_ids are tested in their `test_fold`, and trained on in the other folds."""
    rows = images.join(pl.DataFrame({"fold": range(1, FOLDS + 1)}), how="cross")
    role = pl.when(pl.col("fold") == pl.col("test_fold")).then(pl.lit("test")).otherwise(pl.lit("train"))
    rows = rows.select("image_id", "fold", protocol=pl.lit(protocol), role=role, trait=pl.lit(trait))
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
