"""Results of workers, collected for the tables that they are written to."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from extractors.outputs import Output
from extractors.spec import Columns
from featurestore.shards import Written
from featurestore.versions import ATTEMPT_COLUMNS
from kallos.engines.workers import Answer


class Batch:
    """Answers that wait to be written, rows and ledger together."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = {output.extractor: output for output in outputs}
        self._rows: dict[str, list[tuple[str, Columns]]] = defaultdict(list)
        self._attempts: dict[str, list[tuple[object, ...]]] = defaultdict(list)

    def add(self, answer: Answer) -> None:
        for name, columns in answer.rows.items():
            self._rows[name].append((answer.sha256, columns))
        for a in answer.attempts:
            line = (answer.sha256, a.extractor, self._outputs[a.extractor].version, a.status, a.detail, a.milliseconds)
            self._attempts[a.extractor].append(line)

    def take(self) -> Iterator[Written]:
        """Everything added so far, by output; empties the batch."""
        for name, lines in self._attempts.items():
            attempts = pl.DataFrame(lines, schema=ATTEMPT_COLUMNS, orient="row")
            yield self._outputs[name], _stacked(self._rows[name]), attempts
        self._rows.clear()
        self._attempts.clear()


def _stacked(rows: list[tuple[str, Columns]]) -> pl.DataFrame:
    """Rows of one extractor as one frame; no rows give an empty one."""
    if not rows:
        return pl.DataFrame()
    columns = {name: np.concatenate([row[name] for _, row in rows]) for name in rows[0][1]}
    return pl.DataFrame({"sha256": [sha256 for sha256, _ in rows], **columns})
