"""Where a score comes from: the model, what it learnt from, and whether that is worth more than something simpler."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from featurestore import runs
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.records import Comparison, Origin
from featurestore.store import Store
from models.registry import ENSEMBLE, MODELS
from reports.render.layout import number
from reports.stats.bootstrap import Estimate, means, resamples
from reports.stats.evaluated_runs import JudgedRun, judged_rows

FEWEST = 2
"""Test photos; of one there is no interval."""

MEAN = "mean"
FLOORS = [spec.name for spec in MODELS.values() if spec.is_floor]
SIMPLER = {MEAN: "always saying the mean"} | {name: f"the linear floor ({name})" for name in FLOORS}


def comparisons(store: Store, run_ids: Mapping[str, str]) -> tuple[Comparison, ...]:
    """An ensemble on its test photos beside the mean score of its training photos and, where it is there, the floor.

    `run_ids` are model -> run.
    """
    tested, learnt = (_judged(store, run_ids[ENSEMBLE], role) for role in ("test", "out_of_fold"))
    if tested is None or learnt is None:
        return ()
    found = [_compared(MEAN, tested, dict.fromkeys(tested.image_ids, float(learnt.truth.mean())))]
    for name in FLOORS:
        if name in run_ids and (floor := _judged(store, run_ids[name], "test")):
            found.append(_compared(name, tested, dict(zip(floor.image_ids, floor.predicted.tolist(), strict=True))))
    return tuple(each for each in found if each)


def _judged(store: Store, run_id: str, role: str) -> JudgedRun | None:
    return judged_rows(store, run_id, runs.load(store, run_id), role)


def _compared(beside: str, tested: JudgedRun, others: Mapping[str, float]) -> Comparison | None:
    """`others` are what the simpler model says, by image_id."""
    common = np.array([image_id in others for image_id in tested.image_ids])
    if common.sum() < FEWEST:
        return None
    truth = tested.truth[common]
    own = np.abs(tested.predicted[common] - truth)
    simpler = np.abs(np.array([others[i] for i in tested.image_ids if i in others]) - truth)
    difference = _mean(own - simpler)
    return Comparison(beside, len(truth), float(own.mean()), float(simpler.mean()), difference.low, difference.high)


def _mean(values: NDArray[np.float64]) -> Estimate:
    return Estimate.of(float(values.mean()), means(resamples(len(values)), values))


def learnt_from(origin: Origin) -> str:
    """The model and what it learnt from."""
    of_trait = "" if origin.trait == UNNAMED_TRAIT else f"{origin.trait}, "
    return (
        f"{origin.model}, learnt from {', '.join(origin.data_sets)} ({of_trait}{origin.protocol}, fold {origin.fold})"
    )


def doubts(origin: Origin) -> list[str]:
    """A sentence for each simpler model that the model is not shown to be better than."""
    return [_doubt(of) for of in origin.comparisons if not of.better]


def _doubt(of: Comparison) -> str:
    better = "no better" if of.mae >= of.mae_beside else "not clearly better"
    return (
        f"On its {of.n:,} test photos the model was {better} than {SIMPLER.get(of.beside, of.beside)}: mean error "
        f"{number(of.mae)} against {number(of.mae_beside)}, 95 % interval of the difference "
        f"{number(of.low, sign=True)} to {number(of.high, sign=True)}."
    )
