"""Stores as users have them on the way: each in a folder of its own, with what lies beside it."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb

from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.opening import open_store
from featurestore.store import Store
from kallos.engines.extraction import extract
from kallos.engines.local import extract_locally
from kallos.engines.workers import Task
from kallos.workflows.encoders import chosen_encoders
from tests.command import kallos_ok
from tests.conftest import Workspace

PORTRAITS = 20
PHOTOS_BEFORE_STOP = 6
"""Photos that a stopped extraction looked at."""

STATES = (
    "no store",
    "empty",
    "ingested",
    "stopped before the first photo",
    "partly extracted",
    "extracted",
    "photos without scores",
    "two data sets",
    "partly trained",
    "trained",
    "two data sets, one trained",
    "trained, models gone",
    "older version",
    "older version, brought up to date",
)
SCHEMA_1 = Path(__file__).parent / "stores" / "schema_1.sql"


class States:
    """Makes each store once; one that is ahead is made from a copy of the one before."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self._folder, self._workspace = folder, workspace
        self._built: dict[str, Path] = {}
        self._portraits = folder / "portraits"

    def store(self, state: str) -> Path:
        """The store in that state, only to be read."""
        if state not in self._built:
            getattr(self, f"_{state.replace(',', '').replace(' ', '_')}")(self._place(state))
        return self._built[state]

    def copy(self, state: str, folder: Path) -> Path:
        """The same with what lies beside it, for a command that writes."""
        return _copied(self.store(state), folder)

    def _place(self, state: str) -> Path:
        self._built[state] = self._folder / state.replace(" ", "-") / "kallos.duckdb"
        return self._built[state]

    def _from(self, before: str, path: Path) -> None:
        _copied(self.store(before), path.parent)

    def _no_store(self, path: Path) -> None:
        path.parent.mkdir()

    def _empty(self, path: Path) -> None:
        path.parent.mkdir()
        open_store(path).close()

    def _ingested(self, path: Path) -> None:
        path.parent.mkdir()
        kallos_ok("ingest", "demo", self._portraits, "--count", PORTRAITS, "--store", path)

    def _stopped_before_the_first_photo(self, path: Path) -> None:
        self._from("ingested", path)
        _extract_and_stop(path, 0)

    def _partly_extracted(self, path: Path) -> None:
        self._from("ingested", path)
        _extract_and_stop(path, PHOTOS_BEFORE_STOP)

    def _extracted(self, path: Path) -> None:
        self._from("partly extracted", path)
        kallos_ok("extract", "--store", path)

    def _photos_without_scores(self, path: Path) -> None:
        self._from("extracted", path)
        with open_store(path) as store:
            for table in ("ratings", "scores", "splits"):
                store.execute(f"DELETE FROM {table}")

    def _two_data_sets(self, path: Path) -> None:
        self._from("extracted", path)
        self._add_another(path, self._portraits / "images")

    def _trained(self, path: Path) -> None:
        _copied(self._workspace.store, path.parent)

    def _partly_trained(self, path: Path) -> None:
        self._from("trained", path)
        with open_store(path) as store:
            for table in ("predictions", "evaluations", "training_history", "sub_scores", "sub_score_weights", "runs"):
                store.execute(
                    f"DELETE FROM {table} WHERE run_id NOT LIKE '%-ridge-%' AND run_id NOT LIKE '%-baseline-%'"
                )

    def _two_data_sets_one_trained(self, path: Path) -> None:
        self._from("trained", path)
        self._add_another(path, self._workspace.portraits / "images")

    def _trained_models_gone(self, path: Path) -> None:
        self._from("trained", path)
        shutil.rmtree(path.with_suffix(".runs"))

    def _older_version(self, path: Path) -> None:
        path.parent.mkdir()
        with duckdb.connect(str(path)) as connection:
            connection.execute(SCHEMA_1.read_text(encoding="utf-8"))

    def _older_version_brought_up_to_date(self, path: Path) -> None:
        self._from("older version", path)
        open_store(path).close()

    def _add_another(self, path: Path, images: Path) -> None:
        """The same portraits as other people rated them, on another scale."""
        table = self._folder / "other.csv"
        rows = [f"P{number:04d}.jpg,{number % 10 + 0.5}" for number in range(1, PORTRAITS + 1)]
        table.write_text("\n".join(["image,score", *rows]), encoding="utf-8")
        kallos_ok("ingest", "table", table, "--images", images, "--scale", 0, 10, "--store", path)


def _copied(store: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    if store.is_file():
        shutil.copy(store, folder / "kallos.duckdb")
    if store.with_suffix(".runs").is_dir():
        shutil.copytree(store.with_suffix(".runs"), folder / "kallos.runs")
    return folder / "kallos.duckdb"


def _extract_and_stop(path: Path, photos: int) -> None:
    """What an extraction leaves that is stopped with Ctrl-C."""

    def engine(
        store: Store, outputs: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
    ) -> Generator[tuple[int, int]]:
        if photos:
            yield from extract_locally(store, outputs, encoders, islice(tasks, photos))
        raise KeyboardInterrupt

    with open_store(path) as store:
        encoders = chosen_encoders(store, "mobilenet_v3_small", "none", download=False)
        try:
            extract(store, encoders, lambda *_: None, engine=engine)
        except KeyboardInterrupt:
            return
    raise AssertionError("the extraction was not stopped")
