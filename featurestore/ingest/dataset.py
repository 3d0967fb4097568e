"""What a reader hands to the store: one data set as frames, written in one transaction."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from featurestore.errors import UsageError
from featurestore.folders import contents
from featurestore.schema import TABLES
from featurestore.store import Store
from featurestore.versions import forget

POLARS_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DOUBLE": pl.Float64(),
    "INTEGER": pl.Int32(),
    "VARCHAR[]": pl.List(pl.String()),
    "INTEGER[]": pl.List(pl.Int32()),
    "FLOAT[]": pl.List(pl.Float32()),
}
PER_IMAGE = ("images", "ratings", "scores", "splits", "image_attributes", "published_landmarks", "drawn_parameters")
COLOUR_PROFILE = "colour_profile"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Finding(NamedTuple):
    """One thing wrong with a data set; the kinds are those of the table `findings`."""

    kind: str
    subject: str
    detail: str


def conform(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns and types of a table; what it lacks is NULL."""
    columns = _columns(table)
    if unknown := set(frame.columns) - set(columns):
        raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
    known = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(type_).alias(name)
        for name, type_ in columns.items()
    ]
    return frame.select(known)


def _columns(table: str) -> dict[str, pl.DataType]:
    return {c.name: POLARS_TYPES[c.type] for t in TABLES if t.name == table for c in t.columns}


def empty(table: str) -> pl.DataFrame:
    """No rows of a table."""
    return pl.DataFrame(schema=_columns(table))


def findings_frame(name: str, findings: Iterable[Finding]) -> pl.DataFrame:
    """Rows for the table `findings`, sorted, each once."""
    rows = sorted(set(findings))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(Finding._fields, pl.String), orient="row")
    return conform("findings", frame.with_columns(data_set=pl.lit(name)))


def check_name(name: str) -> str:
    """The name itself. Raises UsageError when it cannot be the first part of an image_id."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a data set: use lower-case letters, digits, - and _, as in --name my-set."
        )
    return name


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set as a reader found it; each frame has the columns of the table of its name.

    root    folder that images.path is relative to
    scales  trait -> lowest and highest rating that a rater can give; empty for photos without ratings
    files   files that ratings, splits and landmarks were read from: no output replaces them
    adds    whether it comes to what the store has under its name, instead of taking its place
    """

    name: str
    root: Path
    scales: Mapping[str, tuple[float, float]]
    licence: str
    images: pl.DataFrame
    scores: pl.DataFrame
    findings: pl.DataFrame
    splits: pl.DataFrame
    files: tuple[Path, ...] = ()
    adds: bool = False
    ratings: pl.DataFrame = field(default_factory=partial(empty, "ratings"))
    rater_attributes: pl.DataFrame = field(default_factory=partial(empty, "rater_attributes"))
    image_attributes: pl.DataFrame = field(default_factory=partial(empty, "image_attributes"))
    published_landmarks: pl.DataFrame = field(default_factory=partial(empty, "published_landmarks"))
    drawn_parameters: pl.DataFrame = field(default_factory=partial(empty, "drawn_parameters"))

    def described(self) -> pl.DataFrame:
        """The row for the table `data_sets`."""
        return pl.DataFrame({"data_set": [self.name], "licence": [self.licence]})

    def traits(self) -> pl.DataFrame:
        """The rows for the table `traits`."""
        rows = [(self.name, trait, low, high) for trait, (low, high) in self.scales.items()]
        columns = ["data_set", "trait", "scale_low", "scale_high"]
        return conform("traits", pl.DataFrame(rows, schema=dict.fromkeys(columns), orient="row"))

    def location(self) -> pl.DataFrame:
        """The row for the table `locations`."""
        files = sorted({str(file.resolve()) for file in self.files})
        row = {"data_set": [self.name], "root": [str(self.root.resolve())], "files": [files]}
        return conform("locations", pl.DataFrame(row))


@dataclass(frozen=True, eq=False)
class IngestSummary:
    """What an ingest found and did.

    scored      images with a score
    folds       protocol -> number of folds
    subsets     subset -> number of images
    landmarks   images with landmarks that came with the data set
    changed     table -> rows added or removed; all zero when nothing was new
    findings    frame: data_set, kind, subject, detail
    beside      what lies beside the photos: suffix, `hidden` and the like -> number of files
    """

    data_set: str
    images: int
    scored: int
    ratings: int
    raters: int
    landmarks: int
    folds: Mapping[str, int]
    subsets: Mapping[str, int]
    changed: Mapping[str, int]
    findings: pl.DataFrame
    beside: Mapping[str, int] = field(default_factory=dict)


def write(store: Store, data_set: DataSet) -> IngestSummary:
    """Make the store's rows of this data set equal to it, in one transaction.

    What was computed from a photo that changed or left stays under its bytes, until `kallos compact`.
    Raises UsageError when the name belongs to a data set of other photos.
    """
    prefix = f"{check_name(data_set.name)}/"
    roots = store.column("SELECT root FROM locations WHERE data_set = $name", name=data_set.name)
    with store.transaction():
        _refuse_other_photos(store, data_set)
        forget(store, _first_converted(store, data_set))
        changed = {
            table: store.sync(table, getattr(data_set, table), "starts_with(t.image_id, $prefix)", prefix=prefix)
            for table in PER_IMAGE
        }
        per_data_set = {
            "data_sets": data_set.described(),
            "traits": data_set.traits(),
            "locations": data_set.location(),
            "rater_attributes": data_set.rater_attributes,
            "findings": data_set.findings,
        }
        for table, rows in per_data_set.items():
            changed[table] = store.sync(table, rows, "t.data_set = $name", name=data_set.name)
    if roots == [str(data_set.root.resolve())]:
        changed["locations"] = 0  # the same data, read from other files
    return _summary(data_set, changed)


def _refuse_other_photos(store: Store, data_set: DataSet) -> None:
    """Two files called labels.csv would otherwise silently replace each other's data set."""
    known = store.frame(
        "SELECT image_id, root FROM images JOIN locations USING (data_set) WHERE data_set = $name", name=data_set.name
    )
    if len(known) and known["root"][0] != str(data_set.root.resolve()):
        shared = known.join(data_set.images, on="image_id", how="semi")
        if shared.is_empty():
            raise UsageError(
                f"The store already has another data set called {data_set.name}, from {known['root'][0]}: "
                "choose another --name or another --store."
            )


def _first_converted(store: Store, data_set: DataSet) -> pl.Series:
    """sha256 of photos whose colour profile was not known: what an earlier kallos measured of them is not sRGB's."""
    query = "SELECT subject AS path FROM findings WHERE data_set = $name AND kind = $kind"
    known = store.frame(query, name=data_set.name, kind=COLOUR_PROFILE)
    found = data_set.findings.filter(pl.col("kind") == COLOUR_PROFILE).select(path="subject")
    return found.join(known, on="path", how="anti").join(data_set.images, on="path")["sha256"]


def _summary(data_set: DataSet, changed: Mapping[str, int]) -> IngestSummary:
    folds = data_set.splits.group_by("protocol").agg(pl.col("fold").max()).sort("protocol")
    subsets = data_set.images.drop_nulls("subset").group_by("subset").len().sort("subset")
    return IngestSummary(
        data_set=data_set.name,
        images=len(data_set.images),
        scored=len(data_set.scores),
        ratings=len(data_set.ratings),
        raters=data_set.ratings["rater_id"].n_unique(),
        landmarks=len(data_set.published_landmarks),
        folds=dict(folds.iter_rows()),
        subsets=dict(subsets.iter_rows()),
        changed=changed,
        findings=data_set.findings,
        beside=contents(data_set.root).beside,
    )
