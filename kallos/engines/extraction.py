"""Photos to stored values, in a run that can be stopped and resumed at any photo.

First the extractors that need pixels, in worker processes; then those that need only stored landmarks, in this one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.definitions import definitions
from extractors.outputs import Output
from extractors.registry import EXTRACTORS, FROM_LANDMARKS
from extractors.values import LANDMARKS, EncoderSource
from extractors.values import outputs as current_outputs
from featurestore import planning
from featurestore.feature_definitions import define_features
from featurestore.next_step import before_extract
from featurestore.shards import merge_left_over
from featurestore.store import Store
from featurestore.versions import activate, register, write
from featurestore.views import create_views
from kallos.engines.engine import Engine
from kallos.engines.local import extract_locally
from kallos.engines.workers import Task

CHUNK = 500
"""Faces that are measured at once from stored landmarks."""


@dataclass(frozen=True)
class Extracted:
    """Counts of a run: photos processed, photos that failed, photos measured again from stored landmarks."""

    processed: int = 0
    failed: int = 0
    measured: int = 0


def extract(
    store: Store,
    encoders: Sequence[EncoderSource],
    on_progress: Callable[[int, int, str], None],
    *,
    retry_failed: bool = False,
    engine: Engine = extract_locally,
) -> Extracted:
    """Bring every image of the store up to date with the current extractors and these encoders.

    A photo that cannot be used is recorded in the ledger with the reason; a missing one is tried again once it is
    back. A killed run repeats at most the last few seconds of work. Views switch to the new versions at the end, all at
    once. Raises PrerequisiteError when the store has no images, and FolderGoneError, with nothing recorded, when the
    folder of the photos is missing.
    """
    if not store.value("SELECT count(*) FROM images"):
        raise before_extract(store, "The store has no photo yet")
    outputs = current_outputs(encoders)
    merge_left_over(store)
    with store.transaction():
        redefined = define_features(store, definitions(), {output.extractor: output.version for output in outputs})
        register(store, outputs)
        if redefined:
            create_views(store)
        planning.forget_failures(store, outputs) if retry_failed else planning.forget_resolved(store, outputs)
        from_pixels = [output for output in outputs if output.extractor not in FROM_LANDMARKS]
        todo = planning.from_pixels_todo(store, from_pixels)
        planning.require_folders(todo)
    processed, failed = _extract_pixels(store, outputs, todo, encoders, engine, on_progress)
    with store.bounded_memory():
        measured = _measure(store, outputs, on_progress)
    with store.transaction():
        activate(store, [(output.extractor, output.version) for output in outputs])
    return Extracted(processed, failed, measured)


def _extract_pixels(
    store: Store,
    outputs: Sequence[Output],
    todo: pl.DataFrame,
    encoders: Sequence[EncoderSource],
    engine: Engine,
    on_progress: Callable[[int, int, str], None],
) -> tuple[int, int]:
    """Run the extractors that need pixels; returns how many photos were processed, and how many of them failed."""
    if todo.is_empty():
        return 0, 0
    total_processed = total_failed = 0
    with closing(engine(store, outputs, encoders, _tasks(store, outputs[0], todo))) as written:
        for processed, failed in written:
            total_processed, total_failed = total_processed + processed, total_failed + failed
            on_progress(total_processed, len(todo), "processing photos")
    return total_processed, total_failed


def _tasks(store: Store, landmarks: Output, todo: pl.DataFrame) -> Iterator[Task]:
    """The photos to process, with their landmarks where those are stored."""
    for rows in todo.iter_slices(CHUNK):
        with_landmarks = rows.filter(~pl.col("missing").list.contains(LANDMARKS))
        landmarks_of = _landmarks(store, landmarks, with_landmarks["sha256"]) if len(with_landmarks) else {}
        for sha256, paths, roots, missing in rows.select("sha256", "paths", "roots", "missing").iter_rows():
            yield Task(sha256, paths, roots, missing, landmarks_of.get(sha256))


def _landmarks(store: Store, landmarks: Output, sha256: pl.Series) -> dict[str, NDArray[np.float32]]:
    """sha256 -> (P, 3)."""
    with store.registered(sha256.to_frame("sha256")):
        rows = store.frame(f'SELECT sha256, x, y, z FROM incoming JOIN "{landmarks.table_name}" USING (sha256)')
    return dict(zip(rows["sha256"], np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2), strict=True))


def _measure(store: Store, outputs: Sequence[Output], on_progress: Callable[[int, int, str], None]) -> int:
    """Run the extractors that need only stored landmarks; returns how many photos were measured."""
    measured = set[str]()
    for output in outputs:
        if output.extractor not in FROM_LANDMARKS:
            continue
        todo = planning.from_landmarks_todo(store, output, outputs[0])
        for start in range(0, len(todo), CHUNK):
            sha256 = todo["sha256"][start : start + CHUNK]
            faces = _landmarks(store, outputs[0], sha256)
            began = time.perf_counter()
            columns = EXTRACTORS[output.extractor].measure(np.stack(list(faces.values())))
            milliseconds = (time.perf_counter() - began) * 1000 / len(faces)
            rows = pl.DataFrame({"sha256": list(faces), **columns})
            attempts = rows.select(
                "sha256",
                extractor=pl.lit(output.extractor),
                version=pl.lit(output.version),
                status=pl.lit("ok"),
                detail=pl.lit(None, pl.String),
                milliseconds=pl.lit(milliseconds),
            )
            with store.transaction():
                write(store, output, rows, attempts)
            measured.update(faces)
            on_progress(start + len(faces), len(todo), f"measuring {output.extractor}")
    return len(measured)
