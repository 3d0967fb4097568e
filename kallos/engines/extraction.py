"""Photos to stored values in a run that can stop and go on at any image.

First what needs pixels, in worker processes; then what is computed from stored landmarks alone, all at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.definitions import definitions
from extractors.outputs import Output
from extractors.values import FROM_LANDMARKS, EncoderSource, outputs
from featurestore.feature_definitions import define_features
from featurestore.planning import (
    forget_failures,
    forget_resolved,
    from_landmarks_todo,
    from_pixels_todo,
    require_folders,
)
from featurestore.shards import merge_left_over
from featurestore.steps import before_extract
from featurestore.store import Store
from featurestore.versions import activate, register, write
from featurestore.views import create_views
from kallos.engines.engine import Engine
from kallos.engines.local import look_here
from kallos.engines.workers import Task

CHUNK = 500
"""Faces that are measured at once from stored landmarks."""


@dataclass(frozen=True)
class Extracted:
    """What a run did: photos looked at, photos that failed, photos measured again from stored landmarks."""

    looked: int = 0
    failed: int = 0
    measured: int = 0


def extract(
    store: Store,
    encoders: Sequence[EncoderSource],
    on_progress: Callable[[int, int, str], None],
    *,
    retry_failed: bool = False,
    engine: Engine = look_here,
) -> Extracted:
    """Bring every image of the store up to date with the current extractors and these encoders.

    A photo that cannot be used goes to the ledger with its reason; one that was missing is tried again when it is
    there. Killed at any time, at most the last few seconds of work are done again. What people see changes to new
    versions at the end, all at once. Raises PrerequisiteError when the store has no images, and FolderGoneError, with nothing
    recorded, when the folder of photos to look at is not there.
    """
    if not store.value("SELECT count(*) FROM images"):
        raise before_extract(store, "The store has no photo yet")
    wanted = outputs(encoders)
    merge_left_over(store)
    with store.transaction():
        redefined = define_features(store, definitions(), {output.extractor: output.version for output in wanted})
        register(store, wanted)
        if redefined:
            create_views(store)
        forget_failures(store, wanted) if retry_failed else forget_resolved(store, wanted)
        todo = from_pixels_todo(store, [output for output in wanted if output.extractor not in FROM_LANDMARKS])
        require_folders(todo)
    looked, failed = _look(store, wanted, todo, encoders, engine, on_progress)
    with store.bounded_memory():
        measured = _measure(store, wanted, on_progress)
    with store.transaction():
        activate(store, [(output.extractor, output.version) for output in wanted])
    return Extracted(looked, failed, measured)


def _look(
    store: Store,
    wanted: Sequence[Output],
    todo: pl.DataFrame,
    encoders: Sequence[EncoderSource],
    engine: Engine,
    on_progress: Callable[[int, int, str], None],
) -> tuple[int, int]:
    """What needs pixels; returns how many photos were looked at, and how many of them failed."""
    if todo.is_empty():
        return 0, 0
    done = failed = 0
    with closing(engine(store, wanted, encoders, _tasks(store, wanted[0], todo))) as written:
        for looked, unusable in written:
            done, failed = done + looked, failed + unusable
            on_progress(done, len(todo), "looking at photos")
    return done, failed


def _tasks(store: Store, landmarks: Output, todo: pl.DataFrame) -> Iterator[Task]:
    """The photos to look at, with their landmarks where those are known."""
    for rows in todo.iter_slices(CHUNK):
        known = rows.filter(~pl.col("missing").list.contains("landmarks"))
        found = _landmarks(store, landmarks, known["sha256"]) if len(known) else {}
        for sha256, paths, roots, missing in rows.select("sha256", "paths", "roots", "missing").iter_rows():
            yield Task(sha256, paths, roots, missing, found.get(sha256))


def _landmarks(store: Store, landmarks: Output, sha256: pl.Series) -> dict[str, NDArray[np.float32]]:
    """sha256 -> (P, 3)."""
    with store.registered(sha256.to_frame("sha256")):
        rows = store.frame(f'SELECT sha256, x, y, z FROM incoming JOIN "{landmarks.table_name}" USING (sha256)')
    return dict(zip(rows["sha256"], np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2), strict=True))


def _measure(store: Store, wanted: Sequence[Output], on_progress: Callable[[int, int, str], None]) -> int:
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
