"""Subsets as if they were data sets on scales of their own: trained on together, judged on the rest.

    python -m benchmarks.several_data_sets --store kallos.duckdb --learn AF,AM --test CF,CM

The first keeps its scale; scores of the others are bent by a curve that no model is told (`BENT`). All rows are
training rows of one fold, and no test row is looked at: models learn from three of its four parts. What they say is
judged on the subsets under --test, on the first one's scale, and on the part that was held out, on each one's own.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.transfer import fitted
from featurestore import runs
from featurestore.records import Evaluation, FaceBatch
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.scale_maps import ScaleMaps, data_set_of
from featurestore.store import Store
from featurestore.training_sets import training_set
from models.spec import Model

BENT = {
    "AF": lambda share: share**1.5,
    "AM": lambda share: share**0.5,
    "CF": lambda share: share**2,
    "CM": lambda share: (np.tanh(4 * share - 1.8) + np.tanh(1.8)) / (np.tanh(2.2) + np.tanh(1.8)),
}
"""Share of the scale as rated -> share of the made-up one: harsh, lenient, sparing with high marks, all or nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("kallos.duckdb"))
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--encoder")
    parser.add_argument("--model", default="quadratic")
    parser.add_argument("--learn", default="AF,AM", help="subsets to learn from, comma-separated, the reference first")
    parser.add_argument("--test", default="CF,CM", help="subsets to judge on")
    arguments = parser.parse_args()
    with Store.open(arguments.store, must_exist=True) as store:
        fold_rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder)
        subset = np.array(runs.subsets(store, fold_rows.train.image_ids))
    named = tuple(f"{name}/{image_id}" for name, image_id in zip(subset, fold_rows.train.image_ids, strict=True))
    as_rated = replace(fold_rows.train, image_ids=named)
    first, *others = arguments.learn.split(",")
    bent = as_rated.scores.copy()
    for name in others:
        rows = subset == name
        bent[rows] = MODEL_SCALE.at(BENT[name](MODEL_SCALE.share(bent[rows])))
    on_bent_scales = replace(as_rated, scores=bent)
    learn, held_out = ((fold_rows.part > 1), (fold_rows.part == 1))
    together = np.isin(subset, [first, *others])
    tested = as_rated.take(np.isin(subset, arguments.test.split(",")))
    own = {name: on_bent_scales.take((subset == name) & held_out) for name in (first, *others)}
    given, rated = on_bent_scales.take(together & learn), as_rated.scores[together & learn]
    maps = ScaleMaps.fit(
        dict.fromkeys((first, *others), Scale(1, 5)),
        [*map(data_set_of, given.image_ids)],
        given.image_ids,
        given.scores,
    )
    ways = {
        f"{first} alone": (as_rated.take((subset == first) & learn), None),
        "stretched": (given, ScaleMaps()),
        "linked": (replace(given, scores=maps.to_shared(given.image_ids, given.scores)), maps),
        "as rated": (replace(given, scores=rated), None),
    }
    print(
        f"{arguments.model}: {len(given):,} rows of {arguments.learn} to learn from, "
        f"{len(tested):,} of {arguments.test} to judge on"
    )
    print(f"{'learnt':<10}{'judged on':<15}{'Spearman':>9}{'PC':>8}{'MAE':>8}{'bias':>8}{'slope':>8}")
    for way, (rows, maps_of_way) in ways.items():
        model = fitted(arguments.model, rows)
        _print(way, arguments.test, tested.scores, MODEL_SCALE.clip(model.predict(tested)))
        if maps_of_way is None:
            continue  # it knows nothing of the bent scales
        for name, batch in own.items():
            _print(way, f"held-out {name}", batch.scores, _scores(model, batch, maps_of_way))


def _scores(model: Model, batch: FaceBatch, maps: ScaleMaps) -> np.ndarray:
    return maps.from_shared(batch.image_ids, MODEL_SCALE.clip(model.predict(batch)))


def _print(way: str, judged: str, truth: np.ndarray, predicted: np.ndarray) -> None:
    found = Evaluation.from_scores(truth, predicted)
    # of the truth on what was predicted: 1 and 0 where predictions are calibrated
    slope = np.polyfit(predicted, truth, 1)[0]
    figures = (found.pearson, found.mae, float((predicted - truth).mean()), slope)
    print(f"{way:<10}{judged:<15}{found.spearman:>9.4f}" + "".join(f"{figure:>8.3f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
