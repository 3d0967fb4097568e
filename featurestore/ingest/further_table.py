"""A further table of a data set that is in the store: new rows come in, nothing goes, contradictions are refused."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import DataSet, conform
from featurestore.ingest.labels import build_scores, folds, present, protocol_name
from featurestore.ingest.photo_names import PhotoNames
from featurestore.ingest.table import IMAGE_COLUMNS
from featurestore.store import Store

_RATING = ("image_id", "trait", "rater_id", "session")
_SCORE = ("image_id", "trait")
_ATTRIBUTE = ("image_id", "attribute")


def added(store: Store, new: DataSet) -> DataSet:
    """The data set as it is once `new` has been added to what the store has under its name.

    Scores are computed anew from all ratings; photos keep the fold that they were dealt to. Raises UsageError for
    photos of another folder and for another scale, DataError for a row that contradicts a stored one.
    """
    stored_at = store.frame("SELECT root, files FROM locations WHERE data_set = $name", name=new.name)
    if stored_at.is_empty():
        return new
    root, files = stored_at.row(0)
    if root != str(new.root.resolve()):
        raise UsageError(
            f"The photos of {new.name} lie in {root}: give it as --images, put new photos there, "
            "or choose another --name."
        )
    scales = {**_scales(store, new), **new.scales}
    ratings, published = _answers(store, new)
    images = _images(new.name, _stored(store, new.name, "images"), new.images)
    scores = build_scores(scales, ratings, published)
    stored = partial(_stored, store, new.name)
    rater_key = ("data_set", "rater_id", "attribute")
    return replace(
        new,
        files=(*map(Path, files or ()), *new.files),
        scales=scales,
        images=images,
        ratings=ratings,
        scores=scores,
        splits=_splits(store, new.name, scales, images, scores),
        published_landmarks=stored("published_landmarks"),
        drawn_parameters=stored("drawn_parameters"),
        findings=_findings(stored("findings"), new.findings, images, scores),
        rater_attributes=_union(new.name, stored("rater_attributes"), new.rater_attributes, rater_key, "value"),
        image_attributes=_union(new.name, stored("image_attributes"), new.image_attributes, _ATTRIBUTE, "value"),
    )


def _stored(store: Store, name: str, table: str) -> pl.DataFrame:
    has_data_set = table in ("images", "rater_attributes", "findings")
    condition = "data_set = $name" if has_data_set else "starts_with(image_id, $name || '/')"
    return conform(table, store.frame(f'SELECT * FROM "{table}" WHERE {condition}', name=name))


def _scales(store: Store, new: DataSet) -> dict[str, tuple[float, float]]:
    rows = store.frame(
        "SELECT trait, scale_low, scale_high FROM traits WHERE data_set = $name ORDER BY trait", name=new.name
    ).rows()
    for trait, low, high in rows:
        if new.scales.get(trait, (low, high)) != (low, high):
            raise UsageError(
                f"{trait} of {new.name} is stored on a scale from {low:g} to {high:g}: state --scale {low:g} {high:g}, "
                "name another --trait, or make the data set equal to this table with --replace."
            )
    return {trait: (low, high) for trait, low, high in rows}


def _answers(store: Store, new: DataSet) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Single ratings, and the means that are published without them; a photo has one kind of them on a trait."""
    stored = _stored(store, new.name, "ratings")
    ratings = _union(new.name, stored, new.ratings, _RATING, "rating")
    published = _union(
        new.name, _means(_stored(store, new.name, "scores"), stored), _means(new.scores, new.ratings), _SCORE, "mean"
    )
    if mixed := published.join(ratings, on=_SCORE, how="semi")["image_id"].to_list():
        raise DataError(
            f"{len(mixed)} photos of {new.name} have a mean in one table and single ratings in the other, the first is "
            f"{min(mixed)}: keep one kind, or make the data set equal to this table with --replace."
        )
    return ratings, published


def _means(scores: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    """The scores that are not computed from single ratings."""
    return scores.join(ratings, on=_SCORE, how="anti").select("image_id", "trait", "mean", "sd", "raters")


def _union(name: str, stored: pl.DataFrame, new: pl.DataFrame, key: Sequence[str], value: str) -> pl.DataFrame:
    """All rows, each key once. Raises DataError when a value differs from the stored one."""
    both = stored.join(new, on=key, how="inner", nulls_equal=True, suffix="_new")
    if len(differing := both.filter(pl.col(value).ne_missing(pl.col(f"{value}_new"))).sort(key)):
        first = differing.row(0, named=True)
        key_text = ", ".join(str(first[column]) for column in key if first[column] not in (None, name))
        raise DataError(
            f"{len(differing)} rows contradict the store, the first is {key_text}: {first[value]} there, "
            f"{first[f'{value}_new']} here; correct them, or make {name} equal to this table with --replace."
        )
    return pl.concat([stored, new.join(stored, on=key, how="anti", nulls_equal=True)])


def _images(name: str, stored: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The photos that lie in the folder now and those that were there, with the attributes from every table."""
    stored_attributes, new_attributes = (
        frame.unpivot(IMAGE_COLUMNS, index="image_id", variable_name="attribute").drop_nulls()
        for frame in (stored, new)
    )
    attributes = _union(name, stored_attributes, new_attributes, _ATTRIBUTE, "value")
    attributes = attributes.pivot("attribute", index="image_id", values="value")
    photos = pl.concat([new, stored.join(new, on="image_id", how="anti")]).drop(IMAGE_COLUMNS)
    return conform("images", photos.join(attributes, on="image_id", how="left", maintain_order="left"))


def _splits(
    store: Store, name: str, traits: Collection[str], images: pl.DataFrame, scores: pl.DataFrame
) -> pl.DataFrame:
    """The folds of each trait, in which known photos stay where they are, and the rows of all other protocols."""
    content = images.select("image_id", "sha256")
    splits = [
        folds(name, trait, present(content, scores.filter(trait=trait)), known=_dealt(store, name, trait))
        for trait in traits
    ]
    own = [protocol_name(name, trait) for trait in traits]
    others = _stored(store, name, "splits").filter(~pl.col("protocol").is_in(own))
    return pl.concat([others, *splits])


def _dealt(store: Store, name: str, trait: str) -> dict[str, int]:
    """image_id -> the fold that tests it."""
    query = "SELECT image_id, fold FROM splits WHERE protocol = $protocol AND role = 'test'"
    return store.mapping(query, protocol=protocol_name(name, trait))


def _findings(stored: pl.DataFrame, new: pl.DataFrame, images: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The findings of both tables that still hold."""
    scored = images.join(scores, on="image_id", how="semi")["path"].to_list()
    found = pl.concat([stored, new]).unique(["kind", "subject"], keep="last", maintain_order=True)
    names = PhotoNames(images["path"])
    there = [subject for subject in found["subject"] if len(names.find(subject).photos) == 1]
    is_resolved = (pl.col("kind") == "unlabelled") & pl.col("subject").is_in(scored)
    is_resolved |= (pl.col("kind") == "missing_image") & pl.col("subject").is_in(there)
    return found.filter(~is_resolved).sort("kind", "subject")
