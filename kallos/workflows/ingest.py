"""Photos, ratings and splits into the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from featurestore.errors import UsageError
from featurestore.ingest.adding import added
from featurestore.ingest.columns import Stated
from featurestore.ingest.dataset import DataSet, IngestSummary, write
from featurestore.ingest.demo import read_demo
from featurestore.ingest.mebeauty import read_mebeauty
from featurestore.ingest.raw import Origin
from featurestore.ingest.recipe import Recipe
from featurestore.ingest.scut import read_scut
from featurestore.ingest.table import TableReading, data_set_name, known_scale
from featurestore.ingest.table import read_table as read
from featurestore.ingest.unrated import read_photos
from featurestore.steps import how_to_extract
from featurestore.store import Store
from kallos.portraits.dataset import write_demo
from kallos.workflows.progress import OnProgress, ignore


@dataclass(frozen=True)
class Ingested:
    """What was stored, and the command that comes next."""

    summary: IngestSummary
    following: str


def read_table(
    file: str | Path,
    images: str | Path,
    store: str | Path,
    *,
    name: str | None = None,
    stated: Stated | None = None,
    origin: Origin | None = None,
    recipe: str | Path | None = None,
) -> TableReading:
    """How a table of ratings is read; nothing is stored.

    `stated` and `origin` say what cannot be told from the table, or `recipe`, a file that says it all. The scale of a
    data set that the store has already is known. Raises UsageError, InputError and DataError, each with the remedy.
    """
    if recipe is not None and (stated or origin):
        raise UsageError("A recipe already says how the table is read: leave out the other options, or the recipe.")
    if stated and stated.decimal not in (None, ".", ","):
        raise UsageError(f"{stated.decimal!r} is no decimal mark: give --decimal . or --decimal ,")
    name = data_set_name(Path(file), name)
    scale = None
    if Path(store).is_file():
        with Store.open(Path(store), read_only=True) as opened:
            scale = known_scale(opened, name)
    return read(
        Path(file),
        Path(images),
        name=name,
        stated=stated or Stated(),
        origin=origin or Origin(),
        recipe=Recipe.load(Path(recipe)) if recipe else None,
        known_scale=scale,
    )


def ingest(
    file: str | Path,
    images: str | Path,
    store: str | Path,
    *,
    name: str | None = None,
    stated: Stated | None = None,
    origin: Origin | None = None,
    recipe: str | Path | None = None,
    replace: bool = False,
) -> Ingested:
    """Read a table of ratings as `read_table` does, and store it: added to the data set, or in its place."""
    reading = read_table(file, images, store, name=name, stated=stated, origin=origin, recipe=recipe)
    return store_data_set(reading.data_set, store, replace=replace)


def ingest_photos(folder: str | Path, store: str | Path, *, name: str | None = None) -> Ingested:
    """Photos without any rating, for their features; ratings can be added later."""
    return store_data_set(read_photos(Path(folder), name=name), store, replace=False)


def ingest_scut(folder: str | Path, store: str | Path) -> Ingested:
    """SCUT-FBP5500 in its release's own layout; single ratings are read when they lie beside it."""
    return store_data_set(read_scut(Path(folder)), store, replace=True)


def ingest_mebeauty(folder: str | Path, store: str | Path) -> Ingested:
    """MEBeauty: scores 1-10, official train, val and test lists."""
    return store_data_set(read_mebeauty(Path(folder)), store, replace=True)


def ingest_demo(
    folder: str | Path, store: str | Path, *, count: int = 500, seed: int = 0, on_progress: OnProgress = ignore
) -> Ingested:
    """Portraits that kallos draws itself, rated by 60 simulated raters whose preference is known."""
    write_demo(Path(folder), count, seed, on_progress)
    return store_data_set(read_demo(Path(folder)), store, replace=True)


def store_data_set(data_set: DataSet, store: str | Path, *, replace: bool) -> Ingested:
    """Write a data set that was read: in place of what the store has of it, or added to that."""
    with Store.open(Path(store)) as opened:
        summary = write(opened, data_set if replace else added(opened, data_set))
        return Ingested(summary, how_to_extract(opened))
