"""`kallos report evaluation`: how well each model does on the test images of a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.records import Evaluation
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from models.registry import ENSEMBLE
from reports.pages.groups import Groups, groups_of_run, render_groups
from reports.pages.out_of_fold import OutOfFold, out_of_fold, render_out_of_fold
from reports.render.bars import bar, signed_bar
from reports.render.figures import Figure
from reports.render.json import for_pictures
from reports.render.layout import dim, number, page, plain_table, section
from reports.render.palette import BAD, GOOD
from reports.render.plots import Histogram, Scatter
from reports.render.scales import ERRORS_ON, score_on, shown_on, target_line
from reports.stats.bootstrap import METRICS, Estimate
from reports.stats.bootstrap import figures as measured
from reports.stats.choices import BEST_OF_SEVERAL, caveat, photos_seen
from reports.stats.estimates import BRACKETS, T95, estimate_cell, estimate_text, mean_of, own_errors
from reports.stats.evaluated_runs import EvaluatedRun, evaluated_runs
from reports.stats.selection import Selection

RESIDUALS = (-1.5, 1.5)
BINS = 24
TENTHS = 10
WORST = 10


@dataclass(frozen=True)
class Tenth:
    """A tenth of the test images by predicted score: mean prediction, mean true score, mean of predicted - true."""

    n: int
    predicted: float
    truth: float
    gap: Estimate


@dataclass(frozen=True)
class Miss:
    """An image with a large error."""

    image_id: str
    subset: str | None
    truth: float
    predicted: float


@dataclass(frozen=True)
class RunEvaluation:
    """One run on its test images.

    overall      computed anew from the stored predictions
    figures      the same with their 95 % intervals
    groups       its figures for each subset and the gaps between them
    truth_sd     population standard deviation of the true scores
    rmse_floor   truth_sd * sqrt(1 - PC^2): no predictions with that PC can have a lower RMSE
    problems     what is wrong with the figures recorded by the training, a sentence per problem; empty when plausible
    residuals    counts of predicted - true in 24 equal bins from -1.5 to 1.5, the outer ones take what lies beyond
    tenths       calibration: of a calibrated model, both means of a tenth are equal
    worst        the ten images with the largest errors, the largest first
    """

    name: str
    run_id: str
    model: str
    protocol: str
    fold: int
    overall: Evaluation
    figures: Mapping[str, Estimate]
    groups: Groups
    truth_sd: float
    rmse_floor: float
    problems: tuple[str, ...]
    residuals: tuple[int, ...]
    tenths: tuple[Tenth, ...]
    worst: tuple[Miss, ...]
    truth: tuple[float, ...] = for_pictures()
    predicted: tuple[float, ...] = for_pictures()


@dataclass(frozen=True)
class EvaluationReport:
    """The runs, the highest PC first.

    constant_mae  MAE of always predicting the mean
    seen          test images that choices behind the runs have looked at, at most; see `selections`
    out_of_fold   figures on the training images where the test images are too few; they then order the runs
    """

    target: Target
    runs: tuple[RunEvaluation, ...]
    constant_mae: Estimate
    seen: int
    out_of_fold: tuple[OutOfFold, ...]


def data(store: Store, selection: Selection) -> EvaluationReport:
    """Raises PrerequisiteError when there is no such finished run."""
    evaluated = evaluated_runs(store, selection)
    runs = sorted(
        (_evaluated(store, run) for run in evaluated), key=lambda run: -np.nan_to_num(run.overall.pearson, nan=-1)
    )
    trained = out_of_fold(store, evaluated)
    places = {run.name: place for place, run in enumerate(trained)}
    runs.sort(key=lambda run: places.get(run.name, len(places)))
    truth = evaluated[0].truth
    return EvaluationReport(
        target=target_of_run(store, runs[0].run_id),
        runs=tuple(runs),
        constant_mae=Estimate.of_mean(np.abs(truth - truth.mean()), evaluated[0].people),
        seen=photos_seen(store, [[run.run_id for run in runs]]),
        out_of_fold=trained,
    )


def _evaluated(store: Store, evaluated: EvaluatedRun) -> RunEvaluation:
    overall = Evaluation.from_scores(evaluated.truth, evaluated.predicted)
    sd = float(evaluated.truth.std())
    residuals = np.clip(evaluated.predicted - evaluated.truth, *np.nextafter(RESIDUALS, 0))
    return RunEvaluation(
        name=evaluated.name,
        run_id=evaluated.run.run_id,
        model=evaluated.run.model,
        protocol=evaluated.run.protocol,
        fold=evaluated.run.fold,
        overall=overall,
        figures=measured(evaluated.truth, evaluated.predicted, evaluated.people),
        groups=groups_of_run(evaluated),
        truth_sd=sd,
        rmse_floor=rmse_floor(sd, overall.pearson),
        problems=run_problems(store, evaluated),
        residuals=tuple(np.histogram(residuals, BINS, RESIDUALS)[0].tolist()),
        tenths=_tenths(evaluated),
        worst=_worst(evaluated),
        truth=tuple(evaluated.truth.tolist()),
        predicted=tuple(evaluated.predicted.tolist()),
    )


def _tenths(run: EvaluatedRun) -> tuple[Tenth, ...]:
    parts = np.array_split(np.argsort(run.predicted, kind="stable"), min(TENTHS, len(run.predicted)))
    error = run.predicted - run.truth
    return tuple(
        Tenth(
            len(rows),
            float(run.predicted[rows].mean()),
            float(run.truth[rows].mean()),
            mean_of(error[rows], run.people[rows]),
        )
        for rows in parts
    )


def _worst(run: EvaluatedRun) -> tuple[Miss, ...]:
    rows = np.argsort(-np.abs(run.predicted - run.truth), kind="stable")[:WORST].tolist()
    return tuple(Miss(run.image_ids[i], run.subsets[i], float(run.truth[i]), float(run.predicted[i])) for i in rows)


def rmse_floor(sd: float, pearson: float) -> float:
    """sd * sqrt(1 - PC^2): the RMSE that is left after the best linear correction of the predictions."""
    return sd * float(np.sqrt(max(1 - pearson**2, 0.0))) if np.isfinite(pearson) else sd


def _recorded(store: Store, run_id: str) -> Evaluation | None:
    rows = store.frame(
        "SELECT n, mae, rmse, coalesce(pearson, 'nan'), coalesce(spearman, 'nan') "
        "FROM evaluations WHERE run_id = $run_id AND role = 'test'",
        run_id=run_id,
    ).rows()
    return Evaluation(*rows[0]) if rows else None


def run_problems(store: Store, run: EvaluatedRun) -> tuple[str, ...]:
    """Check a run's recorded figures against each other and against the stored predictions: a sentence a problem."""
    recorded, again = _recorded(store, run.run.run_id), Evaluation.from_scores(run.truth, run.predicted)
    if recorded is None:
        return ("The training recorded no figures on test rows.",)
    problems = []
    if recorded.rmse < rmse_floor(float(run.truth.std()), recorded.pearson) - 1e-6:
        problems.append("The recorded RMSE is lower than the recorded PC allows.")
    if not np.allclose(astuple(recorded), astuple(again), atol=1e-6, equal_nan=True):
        problems.append("The recorded figures differ from those of the stored predictions.")
    return tuple(problems)


def render(report: EvaluationReport) -> RenderableType:
    """Figures of all runs, then the errors of the one that new photos are scored by, or else of the best."""
    shown, own = _shown(report), shown_on(report.target.scale)
    given = ", which scores new photos" if shown.model == ENSEMBLE else ""
    name = f"{shown.name}{given}"
    scores_of = f"{name}, on {own}"
    return page(
        "Evaluation",
        f"{shown.overall.n:,} test images of {shown.protocol}, fold {shown.fold}",
        target_line(report.target),
        render_out_of_fold(report.out_of_fold, shown.overall.n) if report.out_of_fold else None,
        section("Test images", _runs_table(report.runs)) if report.out_of_fold else _runs_table(report.runs),
        dim(f"{BRACKETS} {BEST_OF_SEVERAL if len(report.runs) > 1 else ''}".strip()),
        _verdict(report),
        section("By subset", render_groups(shown.groups), remark=name) if shown.groups.several else None,
        section("Predicted against true", _agreement(shown, own), remark=scores_of),
        section("Errors", _errors(shown, own), remark=scores_of),
        section("Calibration", _tenths_table(shown.tenths, own), remark=f"{scores_of}, tenths by prediction, {T95}"),
        section("Largest errors", _worst_table(shown.worst, own), remark=scores_of),
    )


def _shown(report: EvaluationReport) -> RunEvaluation:
    return next((run for run in report.runs if run.model == ENSEMBLE), report.runs[0])


def _runs_table(runs: Sequence[RunEvaluation]) -> Table:
    table = plain_table("model", "n", *METRICS.values(), "")
    for run in runs:
        cells = (estimate_cell(run.figures[metric]) for metric in METRICS)
        table.add_row(run.name, f"{run.overall.n:,}", *cells, bar(run.overall.pearson, 20))
    return table


def _tenths_table(tenths: Sequence[Tenth], own: Scale) -> Table:
    table = plain_table("images", "true", "predicted", "predicted - true", "")
    limit = max(abs(tenth.gap.value) for tenth in tenths)
    for tenth in tenths:
        means = (score_on(own, mean) for mean in (tenth.truth, tenth.predicted))
        gap = estimate_cell(own_errors(tenth.gap, own), sign=True)
        table.add_row(f"{tenth.n:,}", *means, gap, signed_bar(tenth.gap.value, limit))
    return table


def _worst_table(worst: Sequence[Miss], own: Scale) -> Table:
    table = plain_table("image", "subset", "true", "predicted", "predicted - true")
    for miss in worst:
        truth, predicted = own.from_models(miss.truth), own.from_models(miss.predicted)
        scores = (number(truth, 2), number(predicted, 2), number(predicted - truth, 2, sign=True))
        table.add_row(miss.image_id, miss.subset or "–", *scores)
    return table


def _verdict(report: EvaluationReport) -> Text:
    problems = [f"{run.name}: {problem}" for run in report.runs for problem in run.problems]
    constant = f"Always predicting the mean would give MAE {estimate_text(report.constant_mae)}. {ERRORS_ON}."
    if remark := caveat(report.seen, report.runs[0].overall.n):
        constant += f"\n{remark}"
    if problems:
        return Text.assemble(("\n".join(problems), BAD), (f"\n{constant}", "dim"))
    plausible = "Plausible: every RMSE is at least sd * sqrt(1 - PC^2), as required."
    return Text.assemble((plausible, GOOD), (f"\n{constant}", "dim"))


def _agreement(run: RunEvaluation, own: Scale) -> Scatter:
    truth, predicted = (own.from_models(np.array(scores)) for scores in (run.truth, run.predicted))
    return Scatter(truth, predicted, f"true score, {own}", f"predicted score, {own}", own)


def _errors(run: RunEvaluation, own: Scale) -> Histogram:
    low, high = own.errors_from_models(np.array(RESIDUALS))
    return Histogram(run.residuals, low, high, f"predicted - true, {own}")


def figures(report: EvaluationReport) -> list[Figure]:
    """Predicted against true of every run, and their errors."""
    own = shown_on(report.target.scale)
    agreement = [
        (f"{run.name}   PC {estimate_text(run.figures['pearson'])}", _agreement(run, own)) for run in report.runs
    ]
    errors = [
        (f"{run.name}   MAE {estimate_text(own_errors(run.figures['mae'], own))}", _errors(run, own))
        for run in report.runs
    ]
    return [
        Figure("predicted_against_true", "Predicted against true", agreement),
        Figure("errors", "Errors on the test images", errors),
    ]
