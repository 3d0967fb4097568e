"""Worker processes that run the extractors, each with a face finder. One that dies loses only its current photo."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.decode import decode
from extractors.errors import InputError, PhotoError
from extractors.file_hash import sha256_of_file
from extractors.landmark_finder import Finder, finder_of
from extractors.outputs import EMBEDDING
from extractors.spec import Columns, Face
from extractors.topologies import registry
from extractors.values import LANDMARKS, Encoder, EncoderSource, face_of, measure
from featurestore.errors import FolderGoneError
from featurestore.folders import gone, is_there
from kallos.engines.pool import FailedTask, Pool


@dataclass(frozen=True, eq=False)
class Task:
    """One photo and the extractors to run on it.

    sha256     expected hash of its bytes
    paths      of its file or copies
    roots      folders of the data sets that contain it
    missing    extractors that need its pixels
    landmarks  (P, 3) float32 where they are already stored
    """

    sha256: str
    paths: Sequence[str]
    roots: Sequence[str]
    missing: Sequence[str]
    landmarks: NDArray[np.float32] | None = None

    @property
    def blamed(self) -> Sequence[str]:
        """Extractors recorded as failed when the photo cannot be used: without landmarks no other is tried."""
        return [LANDMARKS] if LANDMARKS in self.missing else self.missing


@dataclass(frozen=True)
class Attempt:
    """The ledger entry of one extractor: ok, or why not."""

    extractor: str
    status: str
    detail: str | None
    milliseconds: float


@dataclass(frozen=True, eq=False)
class Answer:
    """The result of one task: one row for each extractor that succeeded."""

    sha256: str
    attempts: Sequence[Attempt]
    rows: Mapping[str, Columns] = field(default_factory=dict)


class Workers(Pool):
    """A pool of processes that run the extractors."""

    def __init__(self, encoders: Sequence[EncoderSource], processes: int | None = None) -> None:
        super().__init__(Tools, encoders, processes=processes)

    def answers(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """One answer per task, in order.

        Raises ExtractionError when workers cannot start, FolderGoneError when a photo's folder disappears.
        """
        for task, answer in self.map(extract, tasks):
            yield _failed_answer(task, answer) if isinstance(answer, FailedTask) else answer


def _failed_answer(task: Task, failure: FailedTask) -> Answer:
    return Answer(
        task.sha256, [Attempt(name, failure.status, failure.detail, failure.milliseconds) for name in task.blamed]
    )


class Tools:
    """What a worker needs: a face finder, and encoders, which are opened when a photo first needs them."""

    def __init__(self, encoders: Sequence[EncoderSource] = ()) -> None:
        self.finder: Finder = finder_of(registry.current())()
        self._encoders = {f"{EMBEDDING}{encoder.id}": encoder for encoder in encoders}
        self._opened: dict[str, Encoder] = {}

    def opened(self, extractors: Iterable[str]) -> dict[str, Encoder]:
        """Those of the extractors that are encoders."""
        for name in (self._encoders.keys() & extractors) - self._opened.keys():
            self._opened[name] = self._encoders[name].open()
        return self._opened


def extract(tools: Tools, task: Task) -> Answer:
    """Run the missing extractors that need the pixels of one photo."""
    opened = tools.opened(task.missing)
    began = time.perf_counter()
    try:
        face = _face(tools.finder, task)
    except FolderGoneError:
        # an error of the folder, not of the photo: nothing is recorded
        raise
    except (PhotoError, InputError) as error:
        status = error.status if isinstance(error, PhotoError) else "missing"
        spent = (time.perf_counter() - began) * 1000
        return Answer(task.sha256, [Attempt(name, status, _detail(error, task), spent) for name in task.blamed])
    attempts, rows = [], {}
    for name in task.missing:
        rows[name] = measure(name, face, opened)
        ended = time.perf_counter()
        # the first includes decoding, face detection and levelling
        attempts.append(Attempt(name, "ok", face.remark if name == LANDMARKS else None, (ended - began) * 1000))
        began = ended
    return Answer(task.sha256, attempts, rows)


def _face(finder: Finder, task: Task) -> Face:
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
    return face_of(image, finder, task.landmarks)


class ChangedPhotoError(PhotoError):
    """A file whose bytes are not those that were ingested."""

    status = "changed"


def _detail(error: Exception, task: Task) -> str:
    """The reason without the path: photos may be moved, so tables hold no absolute paths."""
    text = str(error)
    for path in task.paths:
        text = text.replace(path, "the photo")
    return text[:1].upper() + text[1:]
