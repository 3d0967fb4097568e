"""`kallos extract`: photos to stored values in a run that can stop and go on at any image.

First what needs pixels, in worker processes; then what is computed from stored landmarks alone, all at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.batch import Batch
from extractors.definitions import definitions
from extractors.values import FROM_LANDMARKS, EncoderSource, outputs
from extractors.workers import Task, Workers
from featurestore.outputs import Output
from featurestore.planning import forget_failures, from_landmarks_todo, from_pixels_todo
from featurestore.shards import merge_left_over
from featurestore.steps import before_extract
from featurestore.store import Store
from featurestore.versions import activate, register, write
from featurestore.views import make_views

COMMIT_SECONDS = 5.0
CHUNK = 500
"""Faces that are measured at once from stored landmarks."""

OnProgress = Callable[[int, int, str], None]
"""Told how many of how many are done, and what is being done."""


class Engine(Protocol):
    """Where photos are looked at."""

    def __call__(
        self, store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
    ) -> Generator[tuple[int, int]]:
        """Write what comes of the tasks; gives, as work goes on, how many photos more were looked at and failed."""


@dataclass(frozen=True)
class Extracted:
    """What a run did: photos looked at, photos that failed, photos measured again from stored landmarks."""

    looked: int = 0
    failed: int = 0
    measured: int = 0


def extract(
    store: Store,
    encoders: Sequence[EncoderSource],
    on_progress: OnProgress,
    *,
    retry_failed: bool = False,
    engine: Engine | None = None,
) -> Extracted:
    """Bring every image of the store up to date with the current extractors and these encoders.

    A photo that cannot be used goes to the ledger with its reason. Killed at any time, at most the last few
    seconds of work are done again. What people see changes to new versions at the end, all at once.
    Raises OrderError when the store has no images.
    """
    if not store.value("SELECT count(*) FROM images"):
        raise before_extract(store, "The store has no photo yet")
    wanted = outputs(encoders)
    with store.transaction():
        redefined = define_features(store, wanted)
        register(store, wanted)
        if redefined:
            make_views(store)
        if retry_failed:
            forget_failures(store, wanted)
    looked, failed = _look(store, wanted, encoders, engine or look_here, on_progress)
    with store.passing():
        measured = _measure(store, wanted, on_progress)
    with store.transaction():
        activate(store, [(output.extractor, output.version) for output in wanted])
    return Extracted(looked, failed, measured)


def _look(
    store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], engine: Engine, on_progress: OnProgress
) -> tuple[int, int]:
    """What needs pixels; returns how many photos were looked at, and how many of them failed."""
    merge_left_over(store)
    todo = from_pixels_todo(store, [output for output in wanted if output.extractor not in FROM_LANDMARKS])
    if todo.is_empty():
        return 0, 0
    done = failed = 0
    with closing(engine(store, wanted, encoders, _tasks(store, wanted[0], todo))) as written:
        for looked, unusable in written:
            done, failed = done + looked, failed + unusable
            on_progress(done, len(todo), "looking at photos")
    return done, failed


def look_here(
    store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
) -> Generator[tuple[int, int]]:
    """The engine of one machine: worker processes look, and what they say is written every few seconds."""
    batch, committed = Batch(wanted), time.monotonic()
    with Workers(encoders) as workers, store.passing():
        # while the workers start
        store.publish()
        try:
            for answer in workers.answers(tasks):
                batch.add(answer)
                if time.monotonic() - committed > COMMIT_SECONDS:
                    _write(store, batch)
                    committed = time.monotonic()
                yield 1, int(any(attempt.status != "ok" for attempt in answer.attempts))
        finally:
            # stopped with Ctrl-C, what was answered is kept
            _write(store, batch)


def _write(store: Store, batch: Batch) -> None:
    with store.transaction():
        for output, rows, attempts in batch.take():
            write(store, output, rows, attempts)


def _tasks(store: Store, landmarks: Output, todo: pl.DataFrame) -> Iterator[Task]:
    """The photos to look at, with their landmarks where those are known."""
    for rows in todo.iter_slices(CHUNK):
        known = rows.filter(~pl.col("missing").list.contains("landmarks"))
        found = _landmarks(store, landmarks, known["sha256"]) if len(known) else {}
        for sha256, paths, missing in rows.select("sha256", "paths", "missing").iter_rows():
            yield Task(sha256, paths, missing, found.get(sha256))


def _landmarks(store: Store, landmarks: Output, sha256: pl.Series) -> dict[str, NDArray[np.float32]]:
    """sha256 -> (468, 3)."""
    with store.registered(sha256.to_frame("sha256")):
        rows = store.frame(f'SELECT sha256, x, y, z FROM incoming JOIN "{landmarks.table_name}" USING (sha256)')
    return dict(zip(rows["sha256"], np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2), strict=True))


def _measure(store: Store, wanted: Sequence[Output], on_progress: OnProgress) -> int:
    """What is computed from stored landmarks; returns how many photos were measured."""
    measured = set[str]()
    for output in wanted:
        if output.extractor not in FROM_LANDMARKS:
            continue
        todo = from_landmarks_todo(store, output, wanted[0])
        for start in range(0, len(todo), CHUNK):
            sha256 = todo["sha256"][start : start + CHUNK]
            faces = _landmarks(store, wanted[0], sha256)
            began = time.perf_counter()
            columns = FROM_LANDMARKS[output.extractor](np.stack(list(faces.values())))
            each = (time.perf_counter() - began) * 1000 / len(faces)
            rows = pl.DataFrame({"sha256": list(faces), **columns})
            attempts = rows.select(
                "sha256",
                extractor=pl.lit(output.extractor),
                version=pl.lit(output.version),
                status=pl.lit("ok"),
                detail=pl.lit(None, pl.String),
                milliseconds=pl.lit(each),
            )
            with store.transaction():
                write(store, output, rows, attempts)
            measured.update(faces)
            on_progress(start + len(faces), len(todo), f"measuring {output.extractor}")
    return len(measured)


def define_features(store: Store, wanted: Sequence[Output]) -> int:
    """Bring what the store says of features up to date; returns how many definitions were added or removed."""
    versions = {output.extractor: output.version for output in wanted}
    rows = pl.DataFrame(
        {
            "feature": d.name,
            "summary": d.summary,
            "region": d.region,
            "unit": d.unit,
            "formula": d.formula,
            "points": ", ".join(d.points),
            "source": d.source,
            "low": d.low,
            "high": d.high,
            "version": d.version,
            "extractor": d.kind,
            "extractor_version": versions[d.kind],
        }
        for d in definitions()
    )
    return sum(
        store.sync("feature_definitions", own, "t.extractor_version = $version", version=versions[kind])
        for (kind,), own in rows.group_by("extractor")
    )
