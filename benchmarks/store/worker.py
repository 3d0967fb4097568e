"""One repeat of one system in its own interpreter: `python -m benchmarks.store.worker SYSTEM DATA FOLDER STAGE`.

Stage `write` makes the store; stage `use`, a new process, opens it, reads, adds and searches. What it prints last is
one line of JSON: seconds per operation, versions and what failed. A wrong answer is a failure and has no time.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.store import workload
from benchmarks.store.system import System
from benchmarks.store.workload import FACES, FOLD, Faces

SYSTEMS = {
    "Parquet + Polars": ("parquet_polars", "ParquetPolars"),
    "DuckDB": ("bare_duckdb", "BareDuckDB"),
    "kallos": ("kallos_store", "Kallos"),
    "LanceDB": ("lance_store", "Lance"),
    "Feast": ("feast_store", "Feast"),
    "Pixeltable": ("pixeltable_store", "Pixeltable"),
}
AGAIN = 3
"""How often a process repeats what can be repeated in one store."""

Answer = TypeVar("Answer")


class WrongAnswerError(Exception):
    """A system gave other values than it was given."""


class Stopwatch:
    """Seconds per operation."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def time(self, operation: str, work: Callable[[], Answer]) -> Answer:
        start = time.perf_counter()
        answer = work()
        self.seconds.setdefault(operation, []).append(time.perf_counter() - start)
        return answer

    def require(self, right: bool, operation: str) -> None:
        """Forget the time of an operation whose answer was wrong, and stop."""
        if not right:
            del self.seconds[operation]
            raise WrongAnswerError(f"{operation}: other values came back than were written")


def main() -> None:
    name, data, folder, stage = sys.argv[1:]
    module, adapter = SYSTEMS[name]
    system: System = getattr(import_module(f"benchmarks.store.{module}"), adapter)(Path(folder).resolve())
    faces = workload.load(Path(data))
    watch = Stopwatch()
    result: dict[str, object] = {"seconds": watch.seconds, "versions": system.versions()}
    try:
        result |= _write(system, faces, watch) if stage == "write" else _use(system, faces, watch)
    except Exception as error:  # whatever goes wrong inside a peer is a finding, not the end of the run
        traceback.print_exc()
        result["failed"] = str(error).splitlines()[0]
    system.close()
    print(json.dumps(result))


def _write(system: System, faces: Faces, watch: Stopwatch) -> dict[str, object]:
    faces = _without_last_feature(faces.take(np.arange(FACES)))
    watch.time("write all", lambda: system.write(faces))
    return {}


def _use(system: System, faces: Faces, watch: Stopwatch) -> dict[str, object]:
    narrow = _without_last_feature(faces)
    watch.time("open", system.open)
    answer = workload.expected(narrow.take(np.arange(FACES))).digest()
    for repeat in range(AGAIN + 1):
        operation = "training set, again" if repeat else "training set"
        rows = watch.time(operation, lambda: system.training_set(FOLD, narrow.names))
        watch.require(rows.digest() == answer, operation)

    for row in range(FACES, FACES + AGAIN):
        face = narrow.take(np.array([row]))
        watch.time("add one image", lambda face=face: system.add_image(face))
    present = np.arange(FACES + AGAIN)
    rows = system.training_set(FOLD, narrow.names)
    watch.require(rows.digest() == workload.expected(narrow.take(present)).digest(), "add one image")

    faces = faces.take(present)
    watch.time("add one feature", lambda: system.add_feature(faces.names[-1], faces.ids, faces.features[:, -1]))
    rows = system.training_set(FOLD, faces.names)
    watch.require(rows.digest() == workload.expected(faces).digest(), "add one feature")
    return {"recall": _search(system, faces, watch)}


def _search(system: System, faces: Faces, watch: Stopwatch) -> float:
    """Share of the true nearest that is found; the searches are timed."""
    watch.time("prepare search", system.prepare_search)
    hits = 0
    for row in range(AGAIN):
        vector = faces.embeddings[row]
        found = watch.time("nearest neighbours", lambda vector=vector: system.neighbours(vector, workload.NEAREST))
        hits += len(set(found) & set(workload.nearest(faces, vector)))
    return hits / (AGAIN * workload.NEAREST)


def _without_last_feature(faces: Faces) -> Faces:
    return replace(faces, names=faces.names[:-1], features=np.ascontiguousarray(faces.features[:, :-1]))


if __name__ == "__main__":
    main()
