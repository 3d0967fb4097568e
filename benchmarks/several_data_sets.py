"""Subsets as if they were data sets on scales of their own: trained on together, judged on the rest.

    python -m benchmarks.several_data_sets --store kallos.duckdb --learn AF,AM --test CF,CM

The first keeps its scale; scores of the others are bent by a curve that no model is told (`BENT`). All rows are
training rows of one fold, and no test row is looked at: models learn from three of its four parts. Their scores are
judged on the subsets under --test, on the first one's scale, and on the part that was held out, on each one's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer import HEADINGS, figures_line, fitted, fold_parser
from featurestore import runs
from featurestore.group_differences import people_in
from featurestore.opening import open_store
from featurestore.records import FaceBatch
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.scale_maps import ScaleMaps
from featurestore.training_sets import training_set

BENT = {
    "AF": lambda share: share**1.5,
    "AM": lambda share: share**0.5,
    "CF": lambda share: share**2,
    "CM": lambda share: (np.tanh(4 * share - 1.8) + np.tanh(1.8)) / (np.tanh(2.2) + np.tanh(1.8)),
}
"""Share of the scale as rated -> share of the made-up one: harsh, lenient, sparing with high marks, all or nothing."""


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument("--model", default="quadratic")
    parser.add_argument("--learn", default="AF,AM", help="subsets to learn from, comma-separated, the reference first")
    parser.add_argument("--test", default="CF,CM", help="subsets to judge on")
    arguments = parser.parse_args()
    with open_store(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder)
        subset = np.array(runs.subsets(store, rows.train.image_ids))
        people = np.array(people_in(store, rows.train.image_ids))
    named = tuple(f"{name}/{image_id}" for name, image_id in zip(subset, rows.train.image_ids, strict=True))
    as_rated, is_held_out = replace(rows.train, image_ids=named), rows.part == 1
    first, *others = arguments.learn.split(",")
    bent = _bent(as_rated, subset, others)
    learnt = np.isin(subset, [first, *others]) & ~is_held_out
    is_tested = np.isin(subset, arguments.test.split(","))
    training, tested = bent.take(learnt), as_rated.take(is_tested)
    scales = dict.fromkeys((first, *others), Scale(1, 5))
    maps = ScaleMaps.fit(scales, subset[learnt].tolist(), training.image_ids, training.scores)
    ways = {
        f"{first} alone": (as_rated.take((subset == first) & ~is_held_out), None),
        "stretched": (training, ScaleMaps()),
        "linked": (replace(training, scores=maps.to_shared(training.image_ids, training.scores)), maps),
        "as rated": (as_rated.take(learnt), None),
    }
    print(f"{arguments.model}: learns from {len(training):,} rows of {arguments.learn}\n{HEADINGS}")
    for way, (learn, maps_of_way) in ways.items():
        model = fitted(arguments.model, learn)
        predicted = MODEL_SCALE.clip(model.predict(tested))
        print(figures_line(f"{way}, {arguments.test}", tested.scores, predicted, people[is_tested]))
        if maps_of_way is None:
            continue  # it knows nothing of the bent scales
        for name in (first, *others):
            is_own = (subset == name) & is_held_out
            own = bent.take(is_own)
            predicted = maps_of_way.from_shared(own.image_ids, MODEL_SCALE.clip(model.predict(own)))
            print(figures_line(f"{way}, held-out {name}", own.scores, predicted, people[is_own]), flush=True)


def _bent(as_rated: FaceBatch, subset: NDArray[np.str_], names: list[str]) -> FaceBatch:
    """The rows with the scores of these subsets bent."""
    scores = as_rated.scores.copy()
    for name in names:
        scores[subset == name] = MODEL_SCALE.at(BENT[name](MODEL_SCALE.share(scores[subset == name])))
    return replace(as_rated, scores=scores)


if __name__ == "__main__":
    main()
