"""The interface of an engine: it runs the extractors on photos, and writes their results into the store."""

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.store import Store
from kallos.engines.workers import Task

COMMIT_SECONDS = 5.0
"""How often results are written; a killed run loses at most this much work."""


class Engine(Protocol):
    """Where extractors run."""

    def __call__(
        self, store: Store, outputs: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
    ) -> Generator[tuple[int, int]]:
        """Write the results of the tasks; yields how many more photos were processed, and how many of them failed."""
