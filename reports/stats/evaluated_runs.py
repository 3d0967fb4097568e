"""Runs with their predictions of the test images, which the reports on models are based on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore import scale_maps
from featurestore.errors import PrerequisiteError
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.records import Evaluation
from featurestore.runs import EXTERNAL, GROUP, Run, calibrations
from featurestore.store import Store
from reports.stats.bootstrap import Estimate, Reals, correlations, figures, resamples
from reports.stats.selection import Selection, chosen_runs, run_names

FEWEST_TESTED = 20
"""Test photos below which figures are those of the training photos, out of fold: those of a handful are chance."""


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """A finished run and images that it predicted and that have a score; the test images unless another role is named.

    name              the model, or the id where several runs of it are shown
    image_ids         n ids, sorted
    subsets           n subsets, None where there is none; of a run on several data sets as data set/subset
    people            n names, the same for photos that are known to show one person
    truth, predicted  (n,) scores
    low, high         (n,) ends of the predictions' intervals; None where the run gives none
    """

    name: str
    run: Run
    image_ids: tuple[str, ...]
    subsets: tuple[str | None, ...]
    people: NDArray[np.str_]
    truth: Reals
    predicted: Reals
    low: Reals | None = None
    high: Reals | None = None

    def figures(self) -> dict[str, Estimate]:
        """metric -> figure with its interval."""
        return figures(self.truth, self.predicted, self.people)

    @property
    def coverage(self) -> Estimate | None:
        """Share of the scores within their intervals; None where the run gives none."""
        if self.low is None or self.high is None:
            return None
        return Estimate.of_share((self.low <= self.truth) & (self.truth <= self.high), self.people)

    @property
    def width(self) -> float | None:
        """Mean width of the intervals; None where the run gives none."""
        return None if self.low is None or self.high is None else float((self.high - self.low).mean())


def evaluated_runs(store: Store, selection: Selection) -> list[EvaluatedRun]:
    """The chosen runs, each with its test rows. Raises PrerequisiteError when there is none."""
    runs = chosen_runs(store, selection)
    names = run_names([run.model for run in runs], [run.run_id for run in runs])
    found = []
    for name, run in zip(names, runs, strict=True):
        tested = evaluated_rows(store, name, run, "test")
        if tested is None:
            raise PrerequisiteError(
                f"The run {run.run_id!r} has no test predictions: train on a fold with test images."
            )
        found.append(tested)
    return found


def pooled(runs: Sequence[EvaluatedRun]) -> EvaluatedRun:
    """The rows of several folds as of one run; with intervals where all have some."""
    columns: dict[str, Any] = {}
    for name in ("people", "truth", "predicted", "low", "high"):
        parts = [getattr(run, name) for run in runs]
        columns[name] = None if any(part is None for part in parts) else np.concatenate(parts)
    for name in ("image_ids", "subsets"):
        columns[name] = tuple(chain(*(getattr(run, name) for run in runs)))
    return replace(runs[0], **columns)


def calibrated_by_group(store: Store, evaluated: EvaluatedRun) -> EvaluatedRun | None:
    """The same predictions with each group's own calibration, as the run fitted it; None where it fitted none.

    The group's mean out-of-fold error is subtracted, and its interval is centred there; both are of shared scores.
    """
    known = {subset: own for subset, own in calibrations(store, evaluated.run.run_id).items() if subset}
    if evaluated.low is None or evaluated.high is None or not known:
        return None
    maps = scale_maps.of_run(store, evaluated.run.run_id)
    middle = maps.to_shared(evaluated.image_ids, evaluated.predicted).copy()
    low, high = (maps.to_shared(evaluated.image_ids, ends).copy() for ends in (evaluated.low, evaluated.high))
    subsets = np.array([subset or "" for subset in evaluated.subsets])
    for subset, calibration in known.items():
        in_subset = subsets == subset
        if ends := calibration.interval(middle[in_subset]):
            low[in_subset], high[in_subset] = ends
        middle[in_subset] = calibration.corrected(middle[in_subset])
    middle, low, high = (maps.from_shared(evaluated.image_ids, scores) for scores in (middle, low, high))
    return replace(evaluated, predicted=middle, low=low, high=high)


def gain_in_pearson(run: EvaluatedRun, other: EvaluatedRun) -> Estimate:
    """PC of a run minus that of another on the images that both predicted, paired."""
    own, others = np.isin(run.image_ids, other.image_ids), np.isin(other.image_ids, run.image_ids)
    truth, predicted = run.truth[own], np.stack([other.predicted[others], run.predicted[own]])
    before, after = correlations(resamples(run.people[own]), truth, predicted)
    without, with_run = (Evaluation.from_scores(truth, scores).pearson for scores in predicted)
    return Estimate.from_resamples(with_run - without, after - before)


def evaluated_rows(store: Store, name: str, run: Run, role: str, data_set: str | None = None) -> EvaluatedRun | None:
    """A run on its predictions of one role, and of one data set where it is named; None where there are none."""
    group = GROUP if role != EXTERNAL and scale_maps.of_run(store, run.run_id).maps else "subset"
    rows: pl.DataFrame = store.frame(
        f"SELECT image_id, {group} AS subset, person, s.score AS truth, p.score AS predicted, low, high "
        f"FROM predictions p JOIN {GROUPED_IMAGES} USING (image_id) JOIN evaluated_traits USING (run_id, data_set) "
        "JOIN scores s USING (image_id, trait) "
        "WHERE run_id = $run_id AND role = $role AND data_set = coalesce($data_set, data_set) ORDER BY image_id",
        run_id=run.run_id,
        role=role,
        data_set=data_set,
    )
    if rows.is_empty():
        return None
    truth, predicted = (rows[column].to_numpy() for column in ("truth", "predicted"))
    low, high = (None if rows[column].null_count() else rows[column].to_numpy() for column in ("low", "high"))
    people = rows["person"].to_numpy().astype(np.str_)
    return EvaluatedRun(name, run, tuple(rows["image_id"]), tuple(rows["subset"]), people, truth, predicted, low, high)
