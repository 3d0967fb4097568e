"""`kallos extract`: photos to stored values in a run that can stop and go on at any image.

First what needs pixels, in worker processes; then what is computed from stored landmarks alone, all at once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.definitions import definitions
from extractors.values import FROM_LANDMARKS, Columns, EncoderSource, outputs
from extractors.workers import Answer, Task, Workers
from featurestore.errors import OrderError
from featurestore.outputs import ATTEMPT_COLUMNS, Output, write
from featurestore.planning import forget_failures, from_landmarks_todo, from_pixels_todo
from featurestore.store import Store
from featurestore.versions import activate, register

COMMIT_SECONDS = 5.0
CHUNK = 500
"""Faces that are measured at once from stored landmarks."""

OnProgress = Callable[[int, int, str], None]
"""Told how many of how many are done, and what is being done."""


@dataclass(frozen=True)
class Extracted:
    """What a run did: photos looked at, photos that failed, photos measured again from stored landmarks."""

    looked: int = 0
    failed: int = 0
    measured: int = 0


def extract(
    store: Store, encoders: Sequence[EncoderSource], on_progress: OnProgress, *, retry_failed: bool = False
) -> Extracted:
    """Bring every image of the store up to date with the current extractors and these encoders.

    A photo that cannot be used goes to the ledger with its reason. Killed at any time, at most the last few
    seconds of work are done again. What people see changes to new versions at the end, all at once.
    Raises OrderError when the store has no images.
    """
    if not store.value("SELECT count(*) FROM images"):
        raise OrderError("The store has no images yet: run `kallos ingest` first.")
    wanted = outputs(encoders)
    with store.transaction():
        _define_features(store, wanted)
        register(store, wanted)
        if retry_failed:
            forget_failures(store, wanted)
    looked, failed = _look(store, wanted, encoders, on_progress)
    with store.passing():
        measured = _measure(store, wanted, on_progress)
    with store.transaction():
        activate(store, [(output.extractor, output.version) for output in wanted])
    return Extracted(looked, failed, measured)


def _look(
    store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], on_progress: OnProgress
) -> tuple[int, int]:
    """What needs pixels; returns how many photos were looked at, and how many of them failed."""
    todo = from_pixels_todo(store, [output for output in wanted if output.extractor not in FROM_LANDMARKS])
    if todo.is_empty():
        return 0, 0
    store.publish()
    done = failed = 0
    batch = _Batch(store, wanted)
    with Workers(encoders) as workers, store.passing():
        try:
            for answer in workers.answers(_tasks(store, wanted[0], todo)):
                batch.add(answer)
                done += 1
                failed += any(attempt.status != "ok" for attempt in answer.attempts)
                batch.commit_if_due()
                on_progress(done, len(todo), "looking at photos")
        finally:
            # stopped with Ctrl-C, what was answered is kept
            batch.commit()
    return done, failed


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


class _Batch:
    """Answers that wait to be written, rows and ledger together."""

    def __init__(self, store: Store, wanted: Sequence[Output]) -> None:
        self._store, self._outputs = store, {output.extractor: output for output in wanted}
        self._committed = time.monotonic()
        self._rows: dict[str, list[tuple[str, Columns]]] = defaultdict(list)
        self._attempts: dict[str, list[tuple[object, ...]]] = defaultdict(list)

    def add(self, answer: Answer) -> None:
        for name, columns in answer.rows.items():
            self._rows[name].append((answer.sha256, columns))
        for a in answer.attempts:
            line = (answer.sha256, a.extractor, self._outputs[a.extractor].version, a.status, a.detail, a.milliseconds)
            self._attempts[a.extractor].append(line)

    def commit_if_due(self) -> None:
        if time.monotonic() - self._committed > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        with self._store.transaction():
            for name, lines in self._attempts.items():
                attempts = pl.DataFrame(lines, schema=ATTEMPT_COLUMNS, orient="row")
                write(self._store, self._outputs[name], _stacked(self._rows[name]), attempts)
        self._rows.clear()
        self._attempts.clear()
        self._committed = time.monotonic()


def _stacked(rows: list[tuple[str, Columns]]) -> pl.DataFrame:
    """Rows of one extractor as one frame; no rows give an empty one."""
    if not rows:
        return pl.DataFrame()
    columns = {name: np.concatenate([row[name] for _, row in rows]) for name in rows[0][1]}
    return pl.DataFrame({"sha256": [sha256 for sha256, _ in rows], **columns})


def _define_features(store: Store, wanted: Sequence[Output]) -> None:
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
    for kind in ("geometry", "skin"):
        own = rows.filter(pl.col("extractor") == kind)
        store.sync("feature_definitions", own, "t.extractor_version = $version", version=versions[kind])
