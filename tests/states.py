"""Stores as users have them on the way: a folder each, with the store, and beside it what belongs to it."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb

from extractors.pipeline import extract, look_here
from extractors.values import EncoderSource
from extractors.workers import Task
from featurestore.outputs import Output
from featurestore.store import Store
from kallos.extraction import chosen_encoders
from tests.command import done

PORTRAITS = 40
LOOKED_AT = 8
"""Photos that a stopped extraction looked at."""

TRAINING = ("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", "32", "--epochs", "1")
SCHEMA_1 = Path(__file__).parent / "stores" / "schema_1.sql"


def build(folder: Path) -> dict[str, Path]:
    """name -> the store in that state; one that is ahead is made from a copy of the one before."""
    made: dict[str, Path] = {}

    def state(name: str, after: str | None = None) -> Path:
        place = folder / name.replace(" ", "-")
        shutil.copytree(made[after].parent, place) if after else place.mkdir()
        made[name] = place / "kallos.duckdb"
        return made[name]

    state("no store")
    Store.open(state("empty")).close()
    done("ingest", "demo", folder / "portraits", "--count", PORTRAITS, "--store", state("ingested"))
    _stopped(state("stopped before the first photo", "ingested"), 0)
    _stopped(state("partly extracted", "ingested"), LOOKED_AT)
    done("extract", "--store", state("extracted", "partly extracted"))
    _without_scores(state("photos without scores", "extracted"))
    _second_data_set(folder, state("two data sets", "extracted"))
    done("train", "baseline", "--store", state("partly trained", "extracted"))
    done("train", "all", *TRAINING, "--store", state("trained", "partly trained"))
    _second_data_set(folder, state("two data sets, one trained", "trained"))
    shutil.rmtree(state("trained, models gone", "trained").with_suffix(".runs"))
    with duckdb.connect(str(state("older version"))) as connection:
        connection.execute(SCHEMA_1.read_text(encoding="utf-8"))
    Store.open(state("older version, brought up to date", "older version")).close()
    return made


def _without_scores(path: Path) -> None:
    with Store.open(path) as store:
        for table in ("ratings", "scores", "splits"):
            store.execute(f"DELETE FROM {table}")


def _stopped(path: Path, looked_at: int) -> None:
    """What an extraction that was stopped with Ctrl-C leaves."""

    def engine(
        store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
    ) -> Generator[tuple[int, int]]:
        if looked_at:
            yield from look_here(store, wanted, encoders, islice(tasks, looked_at))
        raise KeyboardInterrupt

    with Store.open(path) as store:
        encoders = chosen_encoders(store, "mobilenet_v3_small", "none", download=False)
        try:
            extract(store, encoders, lambda *_: None, engine=engine)
        except KeyboardInterrupt:
            return
    raise AssertionError("the extraction was not stopped")


def _second_data_set(folder: Path, path: Path) -> None:
    """The same portraits as other people rated them, on another scale."""
    table = folder / "other.csv"
    rows = [f"P{number:04d}.jpg,{number % 10 + 0.5}" for number in range(1, PORTRAITS + 1)]
    table.write_text("\n".join(["image,score", *rows]), encoding="utf-8")
    images = folder / "portraits" / "images"
    done("ingest", "csv", table, "--images", images, "--scale", 0, 10, "--store", path)


def copy(store: Path, folder: Path) -> Path:
    """A store with what lies beside it, for a command that writes."""
    shutil.copytree(store.parent, folder)
    return folder / store.name
