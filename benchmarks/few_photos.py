"""What models learn from a few photos: errors on other photos, of each model and of combinations of them.

    python -m benchmarks.few_photos --store kallos.duckdb --protocol scut-5fold --rows 20,40,80 --draws 3

All are training rows of one fold: no test row is looked at. Each draw takes so many rows to learn from, cross-fitted in
four parts as `kallos train` does, and up to 900 others to test; figures are means over the draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer import fitted, fold_parser
from ensemble.combiner_fit import CombinerConfig, fit_combiner
from featurestore.opening import open_store
from featurestore.records import Evaluation, FaceBatch
from featurestore.training_sets import PARTS, training_set
from models.cross_fitted import CrossFitted
from models.registry import COMBINED, FLOORS, MODELS
from models.spec import ModelSpec

TESTED = 900
Scores = NDArray[np.float64]


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument("--rows", default="20,40,80", help="how many rows to learn from, comma-separated")
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    with open_store(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder).train
    for count in map(int, arguments.rows.split(",")):
        found = defaultdict(list)
        for draw in range(arguments.draws):
            random = np.random.default_rng([count, draw])
            order = random.permutation(len(rows))
            learn, test = rows.take(np.sort(order[:count])), rows.take(np.sort(order[count:][-TESTED:]))
            for name, predicted in _predicted(learn, test, random.permutation(count) % PARTS):
                figures = Evaluation.from_scores(test.scores, predicted)
                found[name].append((figures.mae, figures.pearson))
        print(f"\n{count} rows, {arguments.draws} draws{'MAE':>22}{'PC':>8}")
        for name, figures in found.items():
            print(f"{name:<36}" + "".join(f"{figure:>8.3f}" for figure in np.mean(figures, axis=0)), flush=True)


def _predicted(learn: FaceBatch, test: FaceBatch, part: NDArray[np.int64]) -> Iterator[tuple[str, Scores]]:
    """Name and (n,) scores of the test rows, of each model and of combinations."""
    out_of_fold, predicted = {}, {}
    for name in ("baseline", *(name for name in (*COMBINED, *FLOORS) if not MODELS[name].needs_faces)):
        out_of_fold[name], predicted[name] = _cross_fitted(MODELS[name], learn, test, part)
        yield name, predicted[name]
    members = [name for name in COMBINED if name in predicted]
    for combined in (members, [*members, *FLOORS]):
        combiner = fit_combiner({name: out_of_fold[name] for name in combined}, learn.scores, CombinerConfig())
        yield " + ".join(combined), combiner.predict(predicted)


def _cross_fitted(spec: ModelSpec, learn: FaceBatch, test: FaceBatch, part: NDArray[np.int64]) -> tuple[Scores, Scores]:
    """Scores of the rows to learn from, out of fold, and of the test rows."""
    out_of_fold, fits = np.empty(len(learn)), []
    for left_out in range(PARTS):
        fits.append(fitted(spec.name, learn.take(part != left_out)))
        out_of_fold[part == left_out] = CrossFitted(fits[-1:]).predict(learn.take(part == left_out))
    if spec.refitted:
        fits = [fitted(spec.name, learn)]
    return out_of_fold, CrossFitted(fits).predict(test)


if __name__ == "__main__":
    main()
