"""What models learnt from some subsets of a data set say of the others, as ranks and in points of the scale.

    python -m benchmarks.transfer --store kallos.duckdb --protocol scut-5fold --learn AF,AM --test CF,CM

Both are training rows of one fold: no test row is looked at. One fit of each model that sees no pixels, and their mean.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from featurestore import runs
from featurestore.records import Evaluation
from featurestore.store import Store
from featurestore.training_sets import training_set
from models.registry import MODELS
from models.spec import Listener, Options, resolve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("kallos.duckdb"))
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--encoder")
    parser.add_argument("--learn", default="AF,AM", help="subsets to learn from, comma-separated")
    parser.add_argument("--test", default="CF,CM", help="subsets to test on")
    arguments = parser.parse_args()
    with Store.open(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder).train
        subset = np.array(runs.subsets(store, rows.image_ids))
    learn, test = (rows.take(np.isin(subset, names.split(","))) for names in (arguments.learn, arguments.test))
    print(f"{len(learn):,} rows of {arguments.learn} to learn from, {len(test):,} of {arguments.test} to test")
    print(f"{'model':<14}{'Spearman':>9}{'PC':>8}{'MAE':>8}{'RMSE':>8}{'bias':>8}{'slope':>8}")
    listener = Listener(lambda _: None, lambda *_: None, Path("no-checkpoint"))
    combined = []
    for name, spec in reversed(MODELS.items()):
        if spec.needs_faces:
            continue
        predicted = resolve(spec.fitter)(Options()).fit(learn, test, listener, {}).predict(test)
        combined += [predicted] if spec.combined else []
        _print(name, test.scores, predicted)
    _print("their mean", test.scores, np.mean(combined, axis=0))


def _print(name: str, truth: np.ndarray, predicted: np.ndarray) -> None:
    found = Evaluation.from_scores(truth, predicted)
    # of the truth on what was predicted: 1 and 0 where predictions are calibrated
    slope = np.polyfit(predicted, truth, 1)[0]
    figures = (found.spearman, found.pearson, found.mae, found.rmse, float((predicted - truth).mean()), slope)
    print(f"{name:<14}{figures[0]:>9.4f}" + "".join(f"{figure:>8.4f}" for figure in figures[1:]), flush=True)


if __name__ == "__main__":
    main()
