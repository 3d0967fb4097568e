"""`kallos extract`: photos to stored values in one pass that can stop and go on at any image."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.decode import decode
from extractors.definitions import definitions
from extractors.facemesh import FaceMesh
from extractors.values import Encoder, Face, face_of, measurements, outputs
from featurestore.errors import InputError, OrderError, PhotoError
from featurestore.outputs import LEDGER_COLUMNS, Output, activate, plan, write
from featurestore.store import Store

BATCH = 32
WORKERS = min(os.cpu_count() or 1, 8)
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
    batches = [tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH)]
    committed = time.monotonic()
    work = _Pass(store, encoder, wanted)
    with _Lookers(encoder, WORKERS) as lookers:
        coming = lookers.look(batches[0], work.stored_landmarks(batches[0]))
        for batch, following in zip(batches, [*batches[1:], []], strict=True):
            # the workers look at the next batch while this one is measured and written
            looks, coming = coming, lookers.look(following, work.stored_landmarks(following))
            failed = work.measure([look.result() for look in looks])
            progress = Progress(len(tasks), progress.done + len(batch), progress.failed + failed)
            if time.monotonic() - committed > COMMIT_SECONDS or not following:
                work.commit()
                committed = time.monotonic()
            on_progress(progress)
    return progress


@dataclass(frozen=True, eq=False)
class _Look:
    """What came of looking for the face in one image: a face, or why there is none."""

    task: _Task
    face: Face | None
    status: str
    detail: str | None
    seconds: float


class _Lookers:
    """Worker threads, a FaceMesh each: decoding, FaceMesh and networks all leave Python's lock while they work."""

    def __init__(self, encoder: Encoder, workers: int) -> None:
        self._encoder, self._workers = encoder, workers
        self._threads = ThreadPoolExecutor(workers)
        self._meshes: SimpleQueue[FaceMesh] = SimpleQueue()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(self._workers):
            self._meshes.put(self._open.enter_context(FaceMesh()))
        return self

    def __exit__(self, *problem: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._open.close()

    def look(self, tasks: list[_Task], landmarks: Mapping[str, NDArray[np.float32]]) -> list[Future[_Look]]:
        """Start on a few images, some of whose landmarks may be known."""
        return [self._threads.submit(self._look, task, landmarks.get(task.image_id)) for task in tasks]

    def _look(self, task: _Task, landmarks: NDArray[np.float32] | None) -> _Look:
        began = time.perf_counter()
        encoder = self._encoder if any(name.startswith("embedding:") for name in task.missing) else None
        mesh = self._meshes.get()
        try:
            face = face_of(decode(Path(task.path)), mesh, encoder, landmarks)
        except PhotoError as error:
            return _Look(task, None, error.status, str(error), time.perf_counter() - began)
        except InputError as error:
            return _Look(task, None, "missing", str(error), time.perf_counter() - began)
        finally:
            self._meshes.put(mesh)
        elsewhere = face.seconds["skin"] + face.seconds["embedding"]
        return _Look(task, face, "ok", face.remark, time.perf_counter() - began - elsewhere)


class _Pass:
    """The extractors at work; keeps their rows until they are committed."""

    def __init__(self, store: Store, encoder: Encoder, wanted: list[Output]) -> None:
        self._store = store
        self._outputs = {output.extractor: output for output in wanted}
        self._measurements = measurements(encoder.name)
        self._rows: dict[str, list[pl.DataFrame]] = {name: [] for name in self._outputs}
        self._ledger: dict[str, list[dict[str, Any]]] = {name: [] for name in self._outputs}

    def stored_landmarks(self, tasks: list[_Task]) -> dict[str, NDArray[np.float32]]:
        """image_id -> (468, 3) of the images whose landmarks are known already."""
        known = [task.image_id for task in tasks if "landmarks" not in task.missing]
        if not known:
            return {}
        rows = self._store.frame(
            "SELECT image_id, x, y, z FROM landmarks WHERE list_contains($ids, image_id)", ids=known
        )
        xyz = np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2)
        return dict(zip(rows["image_id"], xyz, strict=True))

    def measure(self, looks: list[_Look]) -> int:
        """Everything that is missing of a few images; returns how many have failed."""
        for look in looks:
            # landmarks are found by looking; what cannot be looked at fails in all that is missing
            tried = ["landmarks"] if "landmarks" in look.task.missing else look.task.missing
            if look.face is None or "landmarks" in look.task.missing:
                for extractor in tried:
                    self._note(extractor, look.task.image_id, look.status, look.detail, look.seconds)
        for extractor, measure in self._measurements.items():
            chosen = [(x.task.image_id, x.face) for x in looks if x.face and extractor in x.task.missing]
            if chosen:
                self._measure(extractor, measure, [i for i, _ in chosen], [face for _, face in chosen])
        return sum(look.face is None for look in looks)

    def commit(self) -> None:
        """Write what is kept, rows and ledger together."""
        with self._store.transaction():
            for extractor, output in self._outputs.items():
                if lines := self._ledger[extractor]:
                    rows = pl.concat(self._rows[extractor]) if self._rows[extractor] else pl.DataFrame()
                    write(self._store, output, rows, pl.DataFrame(lines, schema=LEDGER_COLUMNS))
                    self._rows[extractor], self._ledger[extractor] = [], []

    def _measure(
        self,
        extractor: str,
        measure: Callable[[list[Face]], dict[str, NDArray[Any]]],
        image_ids: list[str],
        faces: list[Face],
    ) -> None:
        began = time.perf_counter()
        self._rows[extractor].append(pl.DataFrame({"image_id": image_ids, **measure(faces)}))
        if extractor != "landmarks":
            each = (time.perf_counter() - began) / len(faces)
            for image_id, face in zip(image_ids, faces, strict=True):
                self._note(extractor, image_id, "ok", None, face.seconds.get(extractor.split(":")[0], each))

    def _note(self, extractor: str, image_id: str, status: str, detail: str | None, seconds: float) -> None:
        line = (image_id, extractor, self._outputs[extractor].version, status, detail, seconds * 1000)
        self._ledger[extractor].append(dict(zip(LEDGER_COLUMNS, line, strict=True)))


def _catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "feature": d.name,
            "region": d.region,
            "unit": d.unit,
            "formula": d.formula,
            "points": ", ".join(d.points),
            "source": d.source,
            "low": d.low,
            "high": d.high,
            "version": d.version,
            "extractor": d.kind,
        }
        for d in definitions()
    )
