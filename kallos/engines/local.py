"""The engine of one machine: worker processes run the extractors, and this process writes the results."""

import time
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice

from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.store import Store
from featurestore.versions import write
from kallos.engines import pool
from kallos.engines.batch import Batch
from kallos.engines.engine import COMMIT_SECONDS
from kallos.engines.workers import Task, Workers

APPENDED_AT_ONCE = 2 * 2048
"""Rows for which DuckDB makes room, however few are added: as they come and as they are stored."""


def extract_locally(
    store: Store, outputs: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
) -> Generator[tuple[int, int]]:
    """Process the photos on this machine; results are written every few seconds."""
    batch, committed = Batch(outputs), time.monotonic()
    widest = max(output.row_size for output in outputs)
    # no more processes than photos: each takes most of a second of a core to start
    first = list(islice(tasks, pool.WORKERS))
    with Workers(encoders, len(first)) as workers, store.bounded_memory(APPENDED_AT_ONCE * widest):
        # while the workers start
        store.publish()
        try:
            for answer in workers.answers(chain(first, tasks)):
                batch.add(answer)
                if time.monotonic() - committed > COMMIT_SECONDS:
                    _write(store, batch)
                    committed = time.monotonic()
                yield 1, int(any(attempt.status != "ok" for attempt in answer.attempts))
        finally:
            # after Ctrl-C, the results so far are written
            _write(store, batch)


def _write(store: Store, batch: Batch) -> None:
    with store.transaction():
        for output, rows, attempts in batch.take():
            write(store, output, rows, attempts)
