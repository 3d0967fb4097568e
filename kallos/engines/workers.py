"""Worker processes that look at photos, one finder of faces each. One that dies costs the photo it was looking at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from extractors.decode import decode
from extractors.errors import InputError, PhotoError
from extractors.file_hash import sha256_of_file
from extractors.finder import Finder, finder_of
from extractors.outputs import EMBEDDING
from extractors.topologies import registry
from extractors.values import Columns, Encoder, EncoderSource, Face, face_of, from_pixels
from featurestore.errors import FolderGoneError
from featurestore.folders import gone, is_there
from kallos.engines.pool import WORKERS, Lost, Pool


@dataclass(frozen=True, eq=False)
class Task:
    """One photo and the extractors that have not tried it.

    sha256     what its bytes must hash to
    paths      where it lies, under one name or several
    roots      the folders of the data sets that it lies in
    missing    extractors that need its pixels
    landmarks  (P, 3) float32 where they are known already
    """

    sha256: str
    paths: Sequence[str]
    roots: Sequence[str]
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
    """A pool of processes that look at photos. Use it as a context manager."""

    def __init__(self, encoders: Sequence[EncoderSource], processes: int = WORKERS) -> None:
        named = {f"{EMBEDDING}{encoder.id}": encoder for encoder in encoders}
        self._pool = Pool(_hold, named, ready=_get_ready, processes=processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._pool.__exit__(*problem)

    def answers(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """An answer a task, in the order of the tasks.

        Raises ExtractionError when workers cannot start, FolderGoneError when a photo's folder went away.
        """
        for task, answer in self._pool.each(_look, tasks):
            yield _lost(task, answer) if isinstance(answer, Lost) else answer


def _lost(task: Task, lost: Lost) -> Answer:
    return Answer(task.sha256, [Attempt(name, lost.status, lost.detail, lost.milliseconds) for name in task.blamed])


class _Held:
    """What a worker process is given once."""

    encoders: ClassVar[Mapping[str, EncoderSource]]


def _hold(encoders: Mapping[str, EncoderSource]) -> None:
    _Held.encoders = encoders


def _get_ready() -> None:
    _finder()


@cache
def _finder() -> Finder:
    return finder_of(registry.current())()


@cache
def _open(extractor: str) -> Encoder:
    return _Held.encoders[extractor].open()


def _look(task: Task) -> Answer:
    """In a worker: everything that is missing of one photo and needs its pixels."""
    opened = {name: _open(name) for name in task.missing if name in _Held.encoders}
    began = time.perf_counter()
    try:
        face = _face(task)
    except FolderGoneError:
        # the folder's trouble, not the photo's: nothing is recorded
        raise
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
    path = Path(next(filter(os.path.isfile, task.paths), task.paths[0]))
    try:
        image = decode(path)
        digest = sha256_of_file(path)
    except (InputError, OSError) as error:
        if not any(map(is_there, map(Path, task.roots))):
            raise gone(task.roots[0]) from error
        raise InputError(str(error)) from error
    if digest != task.sha256:
        raise ChangedPhotoError("The photo has changed since it was ingested: ingest its data set again.")
    return face_of(image, _finder(), task.landmarks)


class ChangedPhotoError(PhotoError):
    """A file whose bytes are not those that were ingested."""

    status = "changed"


def _detail(error: Exception, task: Task) -> str:
    """The reason without the path: a photo may lie elsewhere tomorrow, and no path belongs into tables."""
    text = str(error)
    for path in task.paths:
        text = text.replace(path, "the photo")
    return text[:1].upper() + text[1:]
