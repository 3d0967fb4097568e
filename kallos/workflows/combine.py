"""The ensemble of a fold: the combiner over its frozen members, with intervals and warnings."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from ensemble.combiner import Combiner
from ensemble.combiner_fit import CombinerConfig, combine_out_of_fold, fit_combiner
from ensemble.intervals import Intervals
from ensemble.novelty import FEWEST_PHOTOS, NOVELTY, Novelty
from featurestore import runs
from featurestore.calibration import FEWEST
from featurestore.errors import PrerequisiteError
from featurestore.group_differences import people_in
from featurestore.records import Evaluation
from featurestore.runs import Run
from kallos.workflows.fold import Fold
from kallos.workflows.stored_faces import load_landmarks
from models.registry import COMBINED, ENSEMBLE, FLOORS, MODELS

CODE_VERSION = 5
"""Raised whenever the fit or the file format of combiners changes: then they are fitted again."""

FEW_ROWS = 1_000
"""Training rows below which the simple models are combined as well: there they may be the best, and get the weight."""

Scores = dict[str, NDArray[np.float64]]

log = logging.getLogger(__name__)


def combine(fold: Fold, seed: int) -> None:
    """Fit the combiner on the out-of-fold predictions of its members, and the intervals on its own out-of-fold errors.

    Raises PrerequisiteError when a member is not trained.
    """
    members = _members(fold)
    config = CombinerConfig(seed=seed)
    identity = asdict(config) | {"members": members, "code_version": CODE_VERSION}
    if fold.is_trained(ENSEMBLE, identity, fold.rows.encoder):
        return
    run = fold.begin(ENSEMBLE, identity, encoder=fold.rows.encoder)
    began = time.monotonic()
    train, test = fold.rows.train, fold.rows.test
    member_scores = _scores_of(fold, members, "out_of_fold", train.image_ids)
    combiner = fit_combiner(member_scores, train.scores, config)
    combined = combine_out_of_fold(member_scores, train.scores, fold.rows.part, config)
    subsets, people = runs.subsets(fold.store, train.image_ids), people_in(fold.store, train.image_ids)
    intervals = Intervals.fit(combined, train.scores, fold.rows.part, subsets, people)
    if not intervals.everyone.half_widths:
        log.info("%s: gives no intervals: they take %s training rows", ENSEMBLE, FEWEST)
    combiner.save(run.folder)
    intervals.save(run.folder)
    novelty = Novelty.fit(train, load_landmarks(fold.store, train.image_ids), people)
    novelty.save(run.folder / NOVELTY)
    if not novelty.limits:
        log.info(
            "%s: will not warn of unlike photos: it takes %s different ones to tell limits", ENSEMBLE, FEWEST_PHOTOS
        )
    predicted = combiner.predict(_scores_of(fold, members, "test", test.image_ids))
    with fold.store.transaction():
        fold.record(run, "out_of_fold", train, combined)
        fold.record(run, "test", test, predicted, intervals.everyone.interval(predicted))
        _record(fold, run, combiner, member_scores, combined)
        runs.record_intervals(fold.store, run, intervals.by_subset())
        fold.finish(run, time.monotonic() - began)
    shares = ", ".join(f"of {member} {weight:.2f}" for member, weight in combiner.weights.items())
    log.info("%s: weight %s", ENSEMBLE, shares)


def _members(fold: Fold) -> dict[str, str]:
    """model -> id of the newest run of each member that is trained on these very rows and features."""
    latest = runs.latest(fold.store, fold.protocol, fold.number)
    candidates = COMBINED + (FLOORS if len(fold.rows.train) < FEW_ROWS else ())
    members = {
        model: latest[model]
        for model in candidates
        if model in latest and runs.load(fold.store, latest[model]).manifest_id == fold.rows.manifest_id
    }
    if not any(MODELS[model].regions for model in members):
        raise PrerequisiteError(
            "The combiner needs a model with sub-scores, and none is trained on these rows and features: "
            "run `kallos train all`."
        )
    if missing := [model for model in candidates if model not in members]:
        log.info(
            "%s: combines %s; not trained on these rows and features: %s",
            *(ENSEMBLE, ", ".join(members), ", ".join(missing)),
        )
    return members


def _scores_of(fold: Fold, members: Mapping[str, str], role: str, image_ids: tuple[str, ...]) -> Scores:
    """The members' stored scores of one role, by image id, as shared ones."""
    frames = {model: runs.predictions(fold.store, run_id, role) for model, run_id in members.items()}
    if any(tuple(frame["image_id"]) != image_ids for frame in frames.values()):
        raise PrerequisiteError("A member's predictions do not cover the fold: run `kallos train all` again.")
    to_shared = fold.rows.maps.to_shared
    return {model: to_shared(image_ids, frame["score"].to_numpy()) for model, frame in frames.items()}


def _record(fold: Fold, run: Run, combiner: Combiner, member_scores: Scores, combined: NDArray[np.float64]) -> None:
    """Record the weights of the combiner and its gain out of fold."""
    truth = fold.rows.train.scores
    size = float(np.sqrt(np.mean(combiner.correction_of(member_scores) ** 2)))
    runs.record_combiner(
        fold.store,
        run,
        {"correction": size, "pearson": Evaluation.from_scores(truth, combined).pearson},
        [
            {"model": model, "weight": weight, "pearson": Evaluation.from_scores(truth, member_scores[model]).pearson}
            for model, weight in combiner.weights.items()
        ],
    )
