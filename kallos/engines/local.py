"""The engine of one machine: worker processes look at photos, and this process writes what they found."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence

from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.store import Store
from featurestore.versions import write
from kallos.engines.batch import Batch
from kallos.engines.engine import COMMIT_SECONDS
from kallos.engines.workers import Task, Workers


def look_here(
    store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
) -> Generator[tuple[int, int]]:
    """Look at the photos here; what came of them is written every few seconds."""
    batch, committed = Batch(wanted), time.monotonic()
    with Workers(encoders) as workers, store.bounded_memory():
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
