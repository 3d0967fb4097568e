"""What every engine is: photos are looked at somewhere, and what comes of it is written into the store."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from extractors.outputs import Output
from extractors.values import EncoderSource
from featurestore.store import Store
from kallos.engines.workers import Task

COMMIT_SECONDS = 5.0
"""How often results are written: what a kill costs at most."""


class Engine(Protocol):
    """Where photos are looked at."""

    def __call__(
        self, store: Store, wanted: Sequence[Output], encoders: Sequence[EncoderSource], tasks: Iterator[Task]
    ) -> Generator[tuple[int, int]]:
        """Write what comes of the tasks; gives, as work goes on, how many photos more were looked at and failed."""
