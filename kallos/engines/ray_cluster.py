"""The Ray engine: the machines of a Ray cluster run the extractors, and this process alone writes to the store.

Each actor runs the pool of `engines.workers`, so that a photo that kills or hangs a process loses no more than it would
on one machine. An actor writes its results as a shard beside the store, which must therefore lie on storage that all
machines share. Ray restarts a killed actor, which begins its shard again.
"""

import logging
import os
import socket
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from extractors.errors import KallosError
from extractors.landmarker import muted
from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.errors import ExtractionError
from featurestore.shards import AT_ONCE, folder_of, merge, merge_left_over, write_shard
from featurestore.store import Store
from kallos.engines.batch import Batch
from kallos.engines.engine import COMMIT_SECONDS
from kallos.engines.pool import WORKERS
from kallos.engines.workers import Task, Workers

SHARD = 500
"""Photos of a shard: a killed actor loses some seconds of work, and there are few enough files for any file system."""

_TASKS = pa.schema(
    {
        "sha256": pa.string(),
        "paths": pa.list_(pa.string()),
        "roots": pa.list_(pa.string()),
        "missing": pa.list_(pa.string()),
        "landmarks": pa.binary(),
    }
)
# set before Ray is imported, which reads some of them then
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
# named after the systems on which it is the default: Ray then listens on the loopback address only
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def extract_on_ray(
    store: Store, outputs: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
) -> Generator[tuple[int, int]]:
    """An engine of `kallos.workflows.extract`; RAY_ADDRESS names the cluster, without it Ray runs on this machine.

    Raises ExtractionError when Ray cannot start or be reached, FolderGoneError as the pool of one machine.
    """
    folder = folder_of(store.path)
    folder.mkdir(parents=True, exist_ok=True)
    store.publish()
    with session():
        import ray
        from ray.data import ActorPoolStrategy, from_arrow_refs

        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        cores = [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]
        # a head node without workers has none
        processes = min([WORKERS, *filter(None, cores)])
        submitted: list[Any] = [ray.put(table) for table in _tables(tasks)]
        shards = from_arrow_refs(submitted).map_batches(
            _Actor,
            fn_constructor_args=(folder, tuple(outputs), tuple(encoders), processes),
            num_cpus=processes,
            compute=ActorPoolStrategy(),
            batch_size=None,
            batch_format="pyarrow",
        )
        waiting: list[Path] = []
        merged = time.monotonic()
        try:
            for row in shards.iter_rows():
                waiting.append(folder / row["shard"])
                if len(waiting) == AT_ONCE or time.monotonic() - merged > COMMIT_SECONDS:
                    yield merge(store, waiting)
                    waiting, merged = [], time.monotonic()
            yield merge(store, waiting)
        except ray.exceptions.RayTaskError as problem:
            if isinstance(problem.cause, KallosError):
                raise problem.cause from problem
            raise
        finally:
            # after Ctrl-C, the finished shards are merged
            merge_left_over(store)


@contextmanager
def session() -> Iterator[None]:
    """A Ray session: the cluster of RAY_ADDRESS, else this machine alone, whose logs are deleted afterwards."""
    if elsewhere := os.environ.get("RAY_ADDRESS"):
        _check_listening(elsewhere)
    os.environ.update(_QUIET if elsewhere else _QUIET | _ALONE)
    import ray
    import ray.data

    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # not below TMPDIR: the paths of Ray's sockets may not be long
    with tempfile.TemporaryDirectory(prefix="kallos-ray-", dir="/tmp", ignore_cleanup_errors=True) as logs:
        alone: dict[str, Any] = {"include_dashboard": False, "_temp_dir": logs}
        try:
            with muted():
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **({} if elsewhere else alone))
        except (ConnectionError, OSError, RuntimeError, ValueError) as problem:
            raise ExtractionError(f"Ray cannot start: {str(problem).splitlines()[0]}") from problem
        try:
            yield
        finally:
            ray.shutdown()


def _check_listening(address: str) -> None:
    """Fail early: Ray itself would retry for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as problem:
            raise ExtractionError(
                f"No Ray cluster answers at RAY_ADDRESS={address}: start its head with `ray start --head`, "
                "or unset RAY_ADDRESS."
            ) from problem


def _tables(tasks: Iterator[Task]) -> Iterator[pa.Table]:
    """The tasks of each shard, as Ray carries them."""
    while some := list(islice(tasks, SHARD)):
        landmarks = (None if task.landmarks is None else task.landmarks.tobytes() for task in some)
        rows = [vars(task) | {"landmarks": packed} for task, packed in zip(some, landmarks, strict=True)]
        yield pa.Table.from_pylist(rows, schema=_TASKS)


class _Actor:
    """Runs in a process of the cluster: a pool that processes the photos of one shard after another."""

    def __init__(
        self, folder: Path, outputs: Sequence[Output], encoders: Sequence[EncoderSource], processes: int
    ) -> None:
        self._folder, self._outputs = folder, outputs
        self._workers = Workers(encoders, processes)

    def __call__(self, table: pa.Table) -> pa.Table:
        batch = Batch(self._outputs)
        for answer in self._workers.answers(map(_task, table.to_pylist())):
            batch.add(answer)
        return pa.table({"shard": [write_shard(self._folder, batch.take())]})


def _task(row: dict[str, Any]) -> Task:
    landmarks = row.pop("landmarks")
    return Task(**row, landmarks=None if landmarks is None else np.frombuffer(landmarks, np.float32).reshape(-1, 3))
