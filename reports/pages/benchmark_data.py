"""The figures of `kallos report benchmark`: of every fold of a protocol and over them, and what is wrong with any."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.duplicates import PROTOCOL as IDENTITY_DISJOINT
from featurestore.errors import PrerequisiteError
from featurestore.records import Evaluation
from featurestore.runs import latest
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from models.registry import ENSEMBLE, rank
from reports.pages.evaluation import run_problems
from reports.pages.groups import Groups, groups_of_run
from reports.stats.bootstrap import METRICS, Estimate, resampled_figures
from reports.stats.choices import photos_seen
from reports.stats.evaluated_runs import EvaluatedRun, calibrated_by_group, evaluated_runs, gain_in_pearson, pooled
from reports.stats.published import ANCHORS, Anchor
from reports.stats.selection import Selection, chosen_runs


@dataclass(frozen=True)
class FoldSplit:
    """The test rows of a fold: how many, and the sha256 of their sorted ids; `same` if they are those of the split."""

    fold: int
    rows: int
    sha256: str
    same: bool


@dataclass(frozen=True)
class ModelFigures:
    """One model over the folds.

    run_ids   one a fold
    folds     its figures on each fold's test rows, by metric
    mean      metric -> mean over the folds, with an interval from resampling the people of every fold
    coverage  share of the test rows within their interval; None where the model gives none
    width     mean width of the intervals
    """

    model: str
    run_ids: tuple[str, ...]
    folds: tuple[Mapping[str, Estimate], ...]
    mean: Mapping[str, Estimate]
    coverage: Estimate | None
    width: float | None


@dataclass(frozen=True)
class Combined:
    """The combiner of one fold, fitted out of fold, and its gain in PC over its best member.

    weights           member -> weight
    best              the member that does best alone, out of fold
    gain_out_of_fold  there, as it was recorded, and `gain_test` on the test rows
    """

    fold: int
    weights: Mapping[str, float]
    best: str
    correction: float
    gain_out_of_fold: float
    gain_test: Estimate


@dataclass(frozen=True)
class BenchmarkReport:
    """The models of a protocol.

    models      those trained on every fold, best first
    groups      figures of one of them (the ensemble, where there is one) by subset, over all folds
    calibrated  the same when each subset is given its own calibration; None where it was not fitted
    leak_free   model -> mean PC on the identity-disjoint folds, where they were trained
    seen        test rows that choices behind the runs have looked at, at most; see `selections`
    """

    protocol: str
    target: Target
    splits: tuple[FoldSplit, ...]
    models: tuple[ModelFigures, ...]
    combined: tuple[Combined, ...]
    groups: Groups
    calibrated: Groups | None
    leak_free: Mapping[str, Estimate]
    anchors: tuple[Anchor, ...]
    problems: tuple[str, ...]
    seen: int


def data(store: Store, selection: Selection) -> BenchmarkReport:
    """The chosen protocol, or that of the newest run.

    Raises PrerequisiteError when no model is trained on every fold.
    """
    protocol = selection.protocol or chosen_runs(store, selection)[0].protocol
    evaluated = _evaluated(store, protocol)
    models = [_figures(model, evaluated[model]) for model in sorted(evaluated, key=rank)]
    first = evaluated[models[0].model]
    models.sort(key=lambda model: -np.nan_to_num(model.mean["pearson"].value, nan=-1))
    calibrated = [run for run in (calibrated_by_group(store, run) for run in first) if run]
    splits = tuple(_split(store, run) for run in first)
    problems = [
        f"{run.run.run_id}: {problem}"
        for runs in evaluated.values()
        for run in runs
        for problem in run_problems(store, run)
    ]
    differing = "the predicted rows are not the split's test rows"
    problems += [f"fold {split.fold}: {differing}" for split in splits if not split.same]
    return BenchmarkReport(
        protocol=protocol,
        target=target_of_run(store, first[0].run.run_id),
        splits=splits,
        models=tuple(models),
        combined=_combined(store, evaluated),
        groups=groups_of_run(pooled(first)),
        calibrated=groups_of_run(pooled(calibrated)) if len(calibrated) == len(first) else None,
        leak_free=_leak_free(store, protocol),
        anchors=ANCHORS.get(protocol, ()),
        problems=tuple(problems),
        seen=photos_seen(store, [[run.run.run_id for run in runs] for runs in zip(*evaluated.values(), strict=True)]),
    )


def _evaluated(store: Store, protocol: str) -> dict[str, list[EvaluatedRun]]:
    """model -> its newest run of every fold; models that lack a fold are left out."""
    folds = store.frame("SELECT DISTINCT fold FROM splits WHERE protocol = $p ORDER BY fold", p=protocol)["fold"]
    by_fold = {fold: latest(store, protocol, fold) for fold in folds}
    models = set.intersection(*(set(newest) for newest in by_fold.values())) if by_fold else set[str]()
    if not models:
        raise PrerequisiteError(
            f"No model is trained on every fold of {protocol} yet: run `kallos benchmark -p {protocol}`."
        )
    return {
        model: evaluated_runs(store, Selection(runs=tuple(newest[model] for newest in by_fold.values())))
        for model in models
    }


def _figures(model: str, runs: Sequence[EvaluatedRun]) -> ModelFigures:
    folds = [Evaluation.from_scores(run.truth, run.predicted) for run in runs]
    resampled = [resampled_figures(run.truth, run.predicted, run.people, fold) for fold, run in enumerate(runs)]
    by_fold = [
        {metric: Estimate.from_resamples(getattr(fold, metric), figures[metric]) for metric in METRICS}
        for fold, figures in zip(folds, resampled, strict=True)
    ]
    mean = {}
    for metric in METRICS:
        value = float(np.mean([fold[metric].value for fold in by_fold]))
        mean[metric] = Estimate.from_resamples(value, np.mean([figures[metric] for figures in resampled], axis=0))
    with_intervals = [run for run in runs if run.width is not None]
    whole = pooled(with_intervals) if with_intervals else None
    return ModelFigures(
        model=model,
        run_ids=tuple(run.run.run_id for run in runs),
        folds=tuple(by_fold),
        mean=mean,
        coverage=whole.coverage if whole else None,
        width=whole.width if whole else None,
    )


def _split(store: Store, run: EvaluatedRun) -> FoldSplit:
    expected = store.frame(
        "SELECT image_id FROM splits SEMI JOIN scores USING (image_id, trait) "
        "SEMI JOIN geometric_features USING (image_id) "
        "WHERE protocol = $protocol AND fold = $fold AND role = 'test' ORDER BY image_id",
        protocol=run.run.protocol,
        fold=run.run.fold,
    )["image_id"]
    sha256 = hashlib.sha256("\n".join(run.image_ids).encode()).hexdigest()
    return FoldSplit(run.run.fold, len(run.image_ids), sha256, tuple(expected) == run.image_ids)


def _combined(store: Store, evaluated: Mapping[str, Sequence[EvaluatedRun]]) -> tuple[Combined, ...]:
    combined = []
    for place, run in enumerate(evaluated.get(ENSEMBLE, ())):
        rows = store.frame(
            "SELECT model, weight, m.pearson AS alone, c.pearson, correction "
            "FROM combined_members m JOIN combiners c USING (run_id) WHERE run_id = $id ORDER BY alone DESC",
            id=run.run.run_id,
        ).to_dicts()
        best, weights = rows[0], {row["model"]: row["weight"] for row in rows}
        gains = best["pearson"] - best["alone"], gain_in_pearson(run, evaluated[best["model"]][place])
        combined.append(Combined(run.run.fold, weights, best["model"], best["correction"], *gains))
    return tuple(combined)


def _leak_free(store: Store, protocol: str) -> dict[str, Estimate]:
    same = store.frame(
        "SELECT DISTINCT o.protocol FROM splits s JOIN splits o USING (image_id, trait) "
        "WHERE s.protocol = $protocol AND starts_with(o.protocol, $disjoint) AND o.protocol <> s.protocol",
        protocol=protocol,
        disjoint=IDENTITY_DISJOINT,
    )["protocol"]
    if protocol.startswith(IDENTITY_DISJOINT) or same.is_empty():
        return {}
    try:
        evaluated = _evaluated(store, same[0])
    except PrerequisiteError:
        return {}
    return {model: _figures(model, runs).mean["pearson"] for model, runs in evaluated.items()}
