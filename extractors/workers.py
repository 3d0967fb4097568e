"""Worker processes that look at photos, a FaceMesh each. One that dies costs the photo it was looking at, no more."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pebble import ProcessExpired, ProcessPool

from extractors.decode import decode
from extractors.facemesh import FaceMesh
from extractors.values import Columns, Encoder, EncoderSource, Face, face_of, from_pixels
from featurestore.errors import ExtractionError, InputError, PhotoError
from featurestore.outputs import EMBEDDING

WORKERS = min(os.cpu_count() or 1, 8)
WAITING = 8
"""Photos a worker that wait or are looked at: enough that no worker is idle, few enough for any memory."""

SECONDS_A_PHOTO = 60.0


@dataclass(frozen=True, eq=False)
class Task:
    """One photo and the extractors that have not tried it.

    sha256     what its bytes must hash to
    paths      where it lies, under one name or several
    missing    extractors that need its pixels
    landmarks  (468, 3) float32 where they are known already
    """

    sha256: str
    paths: Sequence[str]
    missing: Sequence[str]
    landmarks: NDArray[np.float32] | None = None

    @property
    def blamed(self) -> Sequence[str]:
        """The extractors that have failed when the photo cannot be looked at: without landmarks no other was tried."""
        return ["landmarks"] if "landmarks" in self.missing else self.missing


@dataclass(frozen=True)
class Attempt:
    """What the ledger says of one extractor: ok, or why not."""

    extractor: str
    status: str
    detail: str | None
    milliseconds: float


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one task: one row for each extractor that is ok."""

    sha256: str
    attempts: Sequence[Attempt]
    rows: Mapping[str, Columns] = field(default_factory=dict)


class Workers:
    """A pool of spawned processes. Use it as a context manager: leaving it leaves no process behind."""

    def __init__(self, encoders: Sequence[EncoderSource], processes: int = WORKERS) -> None:
        self._waiting = processes * WAITING
        self._encoders = {f"{EMBEDDING}{encoder.name}": encoder for encoder in encoders}
        # never forked: MediaPipe, torch and DuckDB have threads, which a fork would lose
        self._pool = ProcessPool(max_workers=processes, context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def answers(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """An answer a task, in the order of the tasks. Raises ExtractionError when workers cannot start."""
        self._start()
        coming = iter(tasks)
        running = deque((task, self._look(task)) for task in islice(coming, self._waiting))
        while running:
            task, future = running.popleft()
            answer = _answer(task, future)
            running.extend((task, self._look(task)) for task in islice(coming, 1))
            yield answer

    def _start(self) -> None:
        """Without this, workers that cannot start would be blamed on one photo after another."""
        try:
            self._pool.schedule(_get_ready).result()
        except ProcessExpired as died:
            raise ExtractionError(
                f"A worker process cannot start ({_how(died)}): `kallos doctor` shows what is installed."
            ) from died

    def _look(self, task: Task) -> Future[Answer]:
        encoders = {name: self._encoders[name] for name in task.missing if name in self._encoders}
        looked: Future[Answer] = self._pool.schedule(_look, args=(task, encoders), timeout=SECONDS_A_PHOTO)
        return looked


def _answer(task: Task, future: Future[Answer]) -> Answer:
    try:
        return future.result()
    except ProcessExpired as died:
        status, detail, milliseconds = "crash", f"the worker process died ({_how(died)})", float("nan")
    except TimeoutError:
        status, detail, milliseconds = "timeout", f"took longer than {SECONDS_A_PHOTO:g} s", SECONDS_A_PHOTO * 1000
    return Answer(task.sha256, [Attempt(name, status, detail, milliseconds) for name in task.blamed])


def _how(died: ProcessExpired) -> str:
    return signal.Signals(-died.exitcode).name if died.exitcode < 0 else f"exit code {died.exitcode}"


def _get_ready() -> None:
    _mesh()


@cache
def _mesh() -> FaceMesh:
    return FaceMesh()


@cache
def _open(encoder: EncoderSource) -> Encoder:
    return encoder.open()


def _look(task: Task, encoders: Mapping[str, EncoderSource]) -> Answer:
    """In a worker: everything that is missing of one photo and needs its pixels."""
    opened = {name: _open(encoder) for name, encoder in encoders.items()}
    began = time.perf_counter()
    try:
        face = _face(task)
    except (PhotoError, InputError) as error:
        status = error.status if isinstance(error, PhotoError) else "missing"
        spent = (time.perf_counter() - began) * 1000
        return Answer(task.sha256, [Attempt(name, status, _detail(error, task), spent) for name in task.blamed])
    measures = from_pixels(opened)
    attempts, rows = [], {}
    for name in task.missing:
        rows[name] = measures[name](face)
        ended = time.perf_counter()
        # decoding, finding and levelling the face are counted with the first
        attempts.append(Attempt(name, "ok", face.remark if name == "landmarks" else None, (ended - began) * 1000))
        began = ended
    return Answer(task.sha256, attempts, rows)


def _face(task: Task) -> Face:
    path = next((p for p in map(Path, task.paths) if p.is_file()), Path(task.paths[0]))
    image = decode(path)
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != task.sha256:
            raise ChangedPhotoError("The photo has changed since it was ingested: run `kallos ingest` again.")
    return face_of(image, _mesh(), task.landmarks)


class ChangedPhotoError(PhotoError):
    """A file whose bytes are not those that were ingested."""

    status = "changed"


def _detail(error: Exception, task: Task) -> str:
    """The reason without the path: a photo may lie elsewhere tomorrow, and no path belongs into tables."""
    text = str(error)
    for path in task.paths:
        text = text.replace(path, "the photo")
    return text[:1].upper() + text[1:]
