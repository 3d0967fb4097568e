"""`kallos extract`: photos to stored values in one pass that can stop and go on at any image."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.catalogue import definitions
from extractors.decode import decode
from extractors.facemesh import FaceMesh
from extractors.values import Encoder, Face, face_of, measurements, outputs
from featurestore.errors import InputError, OrderError, PhotoError
from featurestore.outputs import LEDGER_COLUMNS, Output, activate, plan, write
from featurestore.store import Store

BATCH = 32
COMMIT_SECONDS = 5.0


@dataclass(frozen=True)
class Progress:
    """Images done and failed so far, out of `total` to do."""

    total: int
    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Task:
    """One image and the extractors that have not tried it."""

    image_id: str
    path: str
    missing: list[str]


def extract(store: Store, encoder: Encoder, on_progress: Callable[[Progress], None]) -> Progress:
    """Bring every image of the store up to date with the current extractors and this encoder.

    A photo that cannot be used goes to the ledger with its reason. Killed at any time, at most
    the last few seconds of work are done again. Raises OrderError when the store has no images.
    """
    if not store.value("SELECT count(*) FROM images"):
        raise OrderError("The store has no images yet: run `kallos ingest` first.")
    wanted = outputs(encoder)
    with store.transaction():
        for output in wanted:
            activate(store, output)
        store.sync("feature_catalog", _catalogue(), "t.extractor IN ('geometry', 'skin')")
    tasks = [_Task(*row) for row in plan(store, wanted).iter_rows()]
    progress = Progress(len(tasks))
    on_progress(progress)
    if not tasks:
        return progress
    committed = time.monotonic()
    with FaceMesh() as mesh:
        work = _Pass(store, mesh, encoder, wanted)
        for start in range(0, len(tasks), BATCH):
            batch = tasks[start : start + BATCH]
            failed = work.batch(batch)
            progress = Progress(len(tasks), start + len(batch), progress.failed + failed)
            if time.monotonic() - committed > COMMIT_SECONDS or progress.done == len(tasks):
                work.commit()
                committed = time.monotonic()
            on_progress(progress)
    return progress


class _Pass:
    """The extractors at work; keeps their rows until they are committed."""

    def __init__(self, store: Store, mesh: FaceMesh, encoder: Encoder, wanted: list[Output]) -> None:
        self._store, self._mesh = store, mesh
        self._outputs = {output.extractor: output for output in wanted}
        self._measurements = measurements(encoder)
        self._rows: dict[str, list[pl.DataFrame]] = {name: [] for name in self._outputs}
        self._ledger: dict[str, list[dict[str, Any]]] = {name: [] for name in self._outputs}

    def batch(self, tasks: list[_Task]) -> int:
        """Extract a few images; returns how many failed."""
        stored = self._stored_landmarks([t.image_id for t in tasks if "landmarks" not in t.missing])
        looked = [(task, face) for task in tasks if (face := self._look(task, stored.get(task.image_id)))]
        for extractor, measure in self._measurements.items():
            chosen = [(task, face) for task, face in looked if extractor in task.missing]
            if chosen:
                self._measure(extractor, measure, chosen)
        return len(tasks) - len(looked)

    def commit(self) -> None:
        """Write what is kept, rows and ledger together."""
        with self._store.transaction():
            for extractor, output in self._outputs.items():
                if lines := self._ledger[extractor]:
                    rows = pl.concat(self._rows[extractor]) if self._rows[extractor] else pl.DataFrame()
                    write(self._store, output, rows, pl.DataFrame(lines, schema=LEDGER_COLUMNS))
                    self._rows[extractor], self._ledger[extractor] = [], []

    def _look(self, task: _Task, landmarks: NDArray[np.float32] | None) -> Face | None:
        """The face in the photo, or None and a line in the ledger."""
        began = time.perf_counter()
        try:
            face = face_of(decode(Path(task.path)), self._mesh, landmarks)
        except (PhotoError, InputError) as error:
            status = error.status if isinstance(error, PhotoError) else "missing"
            for extractor in ["landmarks"] if landmarks is None else task.missing:
                self._note(extractor, task.image_id, status, str(error), time.perf_counter() - began)
            return None
        if landmarks is None:
            self._note("landmarks", task.image_id, "ok", face.remark, time.perf_counter() - began)
        return face

    def _measure(
        self,
        extractor: str,
        measure: Callable[[list[Face]], dict[str, NDArray[Any]]],
        chosen: list[tuple[_Task, Face]],
    ) -> None:
        began = time.perf_counter()
        columns = measure([face for _, face in chosen])
        ids = [task.image_id for task, _ in chosen]
        self._rows[extractor].append(pl.DataFrame({"image_id": ids, **columns}))
        if extractor != "landmarks":
            each = (time.perf_counter() - began) / len(ids)
            for image_id in ids:
                self._note(extractor, image_id, "ok", None, each)

    def _note(self, extractor: str, image_id: str, status: str, detail: str | None, seconds: float) -> None:
        line = (image_id, extractor, self._outputs[extractor].version, status, detail, seconds * 1000)
        self._ledger[extractor].append(dict(zip(LEDGER_COLUMNS, line, strict=True)))

    def _stored_landmarks(self, image_ids: list[str]) -> dict[str, NDArray[np.float32]]:
        if not image_ids:
            return {}
        rows = self._store.frame(
            "SELECT image_id, x, y, z FROM landmarks WHERE list_contains($ids, image_id)", ids=image_ids
        )
        xyz = np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2)
        return dict(zip(rows["image_id"], xyz, strict=True))


def _catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "feature": d.name,
            "region": d.region,
            "unit": d.unit,
            "formula": d.formula,
            "points": d.points,
            "source": d.source,
            "extractor": d.kind,
        }
        for d in definitions()
    )
