"""Where a score comes from: the model, its training data, and whether it does better than something simpler."""

from collections.abc import Mapping

import numpy as np

from featurestore import runs
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.records import Comparison, Origin
from featurestore.scale import Scale
from featurestore.scale_maps import data_set_of
from featurestore.store import Store
from models.registry import ENSEMBLE, FLOORS
from reports.render.layout import number
from reports.render.scales import shown_on
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import digits_of, estimate_text, own_errors
from reports.stats.evaluated_runs import FEWEST_TESTED, EvaluatedRun, evaluated_rows

MEAN = "mean"
SIMPLER = {MEAN: "always predicting the mean"} | {name: f"the linear floor ({name})" for name in FLOORS}


def comparisons(store: Store, run_ids: Mapping[str, str]) -> tuple[Comparison, ...]:
    """An ensemble beside the mean score of the training photos and, where it is there, the floor.

    On its test photos; where these are few on its training photos, out of fold. The mean is that of the photo's data
    set. `run_ids` are model -> run.
    """
    tested, training = (_evaluated_rows(store, run_ids[ENSEMBLE], role) for role in ("test", "out_of_fold"))
    if training is None:
        return ()
    shown = tested if tested and len(tested.truth) >= FEWEST_TESTED else training
    role = "test" if shown is tested else "out_of_fold"
    compared = [_compared(MEAN, role, shown, _means(shown, training))]
    for name in FLOORS:
        if name in run_ids and (floor := _evaluated_rows(store, run_ids[name], role)):
            scores = dict(zip(floor.image_ids, floor.predicted.tolist(), strict=True))
            compared.append(_compared(name, role, shown, scores))
    return tuple(comparison for comparison in compared if comparison)


def _means(shown: EvaluatedRun, training: EvaluatedRun) -> dict[str, float]:
    """image_id -> mean score of the training photos of its data set."""
    data_sets = np.array([data_set_of(image_id) for image_id in training.image_ids])
    means = {name: float(training.truth[data_sets == name].mean()) for name in dict.fromkeys(data_sets.tolist())}
    return {image_id: means[data_set_of(image_id)] for image_id in shown.image_ids if data_set_of(image_id) in means}


def _evaluated_rows(store: Store, run_id: str, role: str) -> EvaluatedRun | None:
    return evaluated_rows(store, run_id, runs.load(store, run_id), role)


def _compared(simpler_model: str, role: str, run: EvaluatedRun, scores: Mapping[str, float]) -> Comparison | None:
    """None where both predict fewer than FEWEST_TESTED photos. `scores` are by image_id."""
    common = np.array([image_id in scores for image_id in run.image_ids])
    if common.sum() < FEWEST_TESTED:
        return None
    truth = run.truth[common]
    error = np.abs(run.predicted[common] - truth)
    simpler = np.abs(np.array([scores[i] for i in run.image_ids if i in scores]) - truth)
    interval = Estimate.of_mean(error - simpler, run.people[common])
    figures = (float(error.mean()), float(simpler.mean()), interval.low, interval.high)
    return Comparison(simpler_model, len(truth), *figures, role == "out_of_fold")


def training_source(origin: Origin) -> str:
    """The model and its training data, as a phrase."""
    trait = "" if origin.trait == UNNAMED_TRAIT else f"{origin.trait}, "
    source = f"{origin.model}, trained on {', '.join(origin.data_sets)} ({trait}{origin.protocol}, fold {origin.fold})"
    return f"{source}; scored as the raters of {origin.scored_for} would" if origin.scored_for else source


def doubts(origin: Origin) -> list[str]:
    """A sentence for each simpler model that the model is not shown to be better than."""
    own = shown_on(origin.scale)
    return [_doubt(comparison, own) for comparison in origin.comparisons if not comparison.better]


def _doubt(comparison: Comparison, own: Scale) -> str:
    better = "no better" if comparison.mae >= comparison.mae_beside else "not clearly better"
    simpler = SIMPLER.get(comparison.beside, comparison.beside)
    difference = own_errors(Estimate(comparison.mae - comparison.mae_beside, comparison.low, comparison.high), own)
    digits = digits_of(difference)
    errors = (comparison.mae, comparison.mae_beside)
    mae, simpler_mae = (number(own.errors_from_models(error), digits) for error in errors)
    photos = "training photos, out of fold," if comparison.out_of_fold else "test photos"
    return (
        f"On its {comparison.n:,} {photos} the model was {better} than {simpler}: mean error {mae} against "
        f"{simpler_mae} on {own}, difference {estimate_text(difference, sign=True)} (95 % interval)."
    )
