"""`make bench-intervals`: how often intervals hold the raters' score of test photos, and how wide they are.

Of every fold of a protocol, from the stored predictions of its ensemble's members: intervals with one width for all
scores beside those with widths by score, on test photos, by fifths of the predicted score and by subset. Then the same
with combiner and intervals fitted on a few training rows, drawn at random; members stay what they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import ensemble.intervals
from ensemble.combiner_fit import CombinerConfig, Scores, combine_out_of_fold, fit_combiner
from ensemble.intervals import Intervals
from featurestore import runs
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.training_sets import folds_of
from models.registry import ENSEMBLE

FIFTHS = 5
WIDTHS = {"one width": 1, "by score": ensemble.intervals.STRETCHES}
"""Kind of width -> stretches of the scores for which a usual error is measured, at most."""


@dataclass(frozen=True)
class Rows:
    """Predictions of members on n photos, their scores, and each photo's subset and part."""

    members: Scores
    truth: NDArray[np.float64]
    subsets: NDArray[np.str_]
    part: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(
            {name: scores[rows] for name, scores in self.members.items()},
            *(self.truth[rows], self.subsets[rows], self.part[rows]),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--few", type=int, nargs="*", default=[40, 100, 300], help="training rows of the second table")
    parser.add_argument("--draws", type=int, default=5, help="draws of so many rows from each fold")
    arguments = parser.parse_args()
    with open_store(arguments.store, read_only=True) as store:
        folds = [_read(store, arguments.protocol, fold) for fold in folds_of(store, arguments.protocol)]
    names = ["all", *(f"fifth {fifth}" for fifth in range(1, FIFTHS + 1)), *np.unique(folds[0][1].subsets)]
    table = Table("intervals of", "width", *names, title="share of test photos covered, and mean width")
    _add(table, "all", [_covered(train, test) for train, test in folds])
    for few in arguments.few:
        random = np.random.default_rng(few)
        drawn = [
            _covered(train.take(random.choice(len(train.truth), few, replace=False)), test)
            for train, test in folds
            for _ in range(arguments.draws)
        ]
        _add(table, f"{few:,}", drawn)
    Console(highlight=False, width=120).print(table)


def _read(store: Store, protocol: str, fold: int) -> tuple[Rows, Rows]:
    """Training and test rows of a fold's newest ensemble; the parts of five folds are the other folds."""
    run = runs.load(store, runs.latest(store, protocol, fold)[ENSEMBLE])
    about = store.frame(
        "SELECT image_id, coalesce(subset, 'none') AS subset, score, fold FROM splits JOIN images USING (image_id) "
        "JOIN scores USING (image_id, trait) WHERE protocol = $protocol AND role = 'test'",
        protocol=protocol,
    )
    train, test = (_rows(store, run.config["members"], role, about) for role in ("out_of_fold", "test"))
    return train, test


def _rows(store: Store, members: Mapping[str, str], role: str, about: pl.DataFrame) -> Rows:
    frames = {model: runs.predictions(store, run_id, role) for model, run_id in members.items()}
    known = next(iter(frames.values())).select("image_id").join(about, on="image_id", maintain_order="left")
    scores = {model: frame["score"].to_numpy() for model, frame in frames.items()}
    return Rows(scores, known["score"].to_numpy(), known["subset"].to_numpy().astype(str), known["fold"].to_numpy())


def _covered(train: Rows, test: Rows) -> pl.DataFrame:
    """Of each test photo and kind of width: covered or not, the width, its fifth by score, and its subset."""
    config = CombinerConfig()
    combined = combine_out_of_fold(train.members, train.truth, train.part, config)
    scores = fit_combiner(train.members, train.truth, config).predict(test.members)
    fifth = 1 + np.argsort(np.argsort(scores)) * FIFTHS // len(scores)
    frames = []
    for kind, stretches in WIDTHS.items():
        ensemble.intervals.STRETCHES = stretches
        intervals = Intervals.fit(combined, train.truth, train.part, *([None] * len(combined), [""] * len(combined)))
        low, high = intervals.everyone.interval(scores) or (np.full(len(scores), np.nan),) * 2
        covered = (low <= test.truth) & (test.truth <= high)
        columns = {"covered": covered, "width": high - low, "fifth": fifth, "subset": test.subsets}
        frames.append(pl.DataFrame(columns).with_columns(kind=pl.lit(kind)))
    return pl.concat(frames)


def _add(table: Table, rows: str, several: list[pl.DataFrame]) -> None:
    """A line a kind of width."""
    for kind in WIDTHS:
        chosen = pl.concat(several).filter(kind=kind)
        figures = [chosen["width"].mean(), chosen["covered"].mean()]
        for column in ("fifth", "subset"):
            figures += chosen.group_by(column).agg(pl.col("covered").mean()).sort(column)["covered"].to_list()
        table.add_row(f"{rows} rows, {kind}", *(f"{figure:.3f}" for figure in figures))


if __name__ == "__main__":
    main()
