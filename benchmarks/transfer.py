"""What models learnt from some subsets of a data set say of the others, as ranks and in points of the scale.

    python -m benchmarks.transfer --store kallos.duckdb --protocol scut-5fold

Every row is a training row of one fold: no test row is looked at. For each choice of subsets to test on, models learn
from all others; `part 1` is a quarter of every subset, as new photos of the same kind would be. One fit of each model
that sees no pixels, and the mean of those that the ensemble combines.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from featurestore import runs
from featurestore.group_differences import people_in
from featurestore.opening import open_store
from featurestore.records import Evaluation, FaceBatch
from featurestore.training_sets import training_set
from models.registry import MODELS
from models.spec import Listener, Model, Options, resolve
from reports.stats.bootstrap import figures

PART = "part 1"
SILENT = Listener(lambda _: None, lambda *_: None, Path("no-checkpoint"))
HEADINGS = f"{'':<44}{'Spearman':>9}{'95 %':>16}{'PC':>8}{'MAE':>8}{'RMSE':>8}{'bias':>8}{'slope':>8}"


def fold_parser(description: str) -> argparse.ArgumentParser:
    """The options that name the fold whose training rows are used."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("kallos.duckdb"))
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--encoder")
    return parser


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument(
        "--test",
        nargs="+",
        default=[PART, "CF,CM", "AF,AM", "AF", "AM", "CF", "CM"],
        help="subsets to test on, comma-separated, one choice after the other",
    )
    blind = [name for name, spec in MODELS.items() if not spec.needs_faces]
    parser.add_argument("--models", nargs="+", choices=blind, default=blind)
    arguments = parser.parse_args()
    with open_store(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder)
        subset = np.array(runs.subsets(store, rows.train.image_ids))
        people = np.array(people_in(store, rows.train.image_ids))
    for test in arguments.test:
        tested = rows.part == 1 if test == PART else np.isin(subset, test.split(","))
        print(f"\ntested on {test} ({tested.sum():,} rows), learnt from the others ({(~tested).sum():,})")
        print(HEADINGS)
        _compare(rows.train.take(~tested), rows.train.take(tested), people[tested], arguments.models)


def _compare(learn: FaceBatch, test: FaceBatch, people: NDArray[np.str_], models: list[str]) -> None:
    combined = []
    for name in models:
        predicted = fitted(name, learn).predict(test)
        combined += [predicted] if MODELS[name].combined else []
        print(figures_line(name, test.scores, predicted, people), flush=True)
    if len(combined) > 1:
        print(figures_line("their mean", test.scores, np.mean(combined, axis=0), people), flush=True)


def fitted(name: str, learn: FaceBatch) -> Model:
    """One fit of a model that sees no pixels."""
    watched = learn.take(np.arange(min(len(learn), 100)))
    model: Model = resolve(MODELS[name].fitter)(Options()).fit(learn, watched, SILENT, {})
    return model


def figures_line(
    name: str, truth: NDArray[np.float64], predicted: NDArray[np.float64], people: NDArray[np.str_]
) -> str:
    """A line under HEADINGS. Bias is the mean of predicted - true; the interval is of resamples of the people."""
    found, spearman = Evaluation.from_scores(truth, predicted), figures(truth, predicted, people)["spearman"]
    # of the truth on what was predicted: 1, with a bias of 0, where predictions are calibrated
    slope = np.polyfit(predicted, truth, 1)[0]
    rest = (found.pearson, found.mae, found.rmse, float((predicted - truth).mean()), slope)
    interval = f"{spearman.low:.3f}, {spearman.high:.3f}"
    return f"{name:<44}{found.spearman:>9.4f}{interval:>16}" + "".join(f"{figure:>8.4f}" for figure in rest)


if __name__ == "__main__":
    main()
