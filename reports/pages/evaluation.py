"""`kallos report evaluation`: how well each model does on the test images of a fold."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from rich.console import RenderableType
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
from reports.render.layout import PlainTable, dim, number, page, plain_table, section
from reports.render.palette import BAD, GOOD
from reports.render.plots import Histogram, Scatter
from reports.render.scales import ERRORS_ON, score_on, shown_on, target_line
from reports.stats.bootstrap import METRICS, Estimate
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
    runs = [_evaluated(store, run) for run in evaluated]
    trained = out_of_fold(store, evaluated)
    places = {run.name: place for place, run in enumerate(trained)}
    runs.sort(key=lambda run: (places.get(run.name, len(places)), -np.nan_to_num(run.overall.pearson, nan=-1)))
    truth = evaluated[0].truth
    return EvaluationReport(
        target=target_of_run(store, runs[0].run_id),
        runs=tuple(runs),
        constant_mae=Estimate.of_mean(np.abs(truth - truth.mean()), evaluated[0].people),
        seen=photos_seen(store, [[run.run_id for run in runs]]),
        out_of_fold=trained,
    )


def _evaluated(store: Store, evaluated: EvaluatedRun) -> RunEvaluation:
    truth, predicted = evaluated.truth, evaluated.predicted
    overall, sd = Evaluation.from_scores(truth, predicted), float(truth.std())
    error = predicted - truth
    residuals = np.clip(error, *np.nextafter(RESIDUALS, 0))
    tenths = np.array_split(np.argsort(predicted, kind="stable"), min(TENTHS, len(predicted)))
    worst = np.argsort(-np.abs(error), kind="stable")[:WORST].tolist()
    return RunEvaluation(
        name=evaluated.name,
        run_id=evaluated.run.run_id,
        model=evaluated.run.model,
        protocol=evaluated.run.protocol,
        fold=evaluated.run.fold,
        overall=overall,
        figures=evaluated.figures(),
        groups=groups_of_run(evaluated),
        truth_sd=sd,
        rmse_floor=rmse_floor(sd, overall.pearson),
        problems=run_problems(store, evaluated),
        residuals=tuple(np.histogram(residuals, BINS, RESIDUALS)[0].tolist()),
        tenths=tuple(
            Tenth(len(i), float(predicted[i].mean()), float(truth[i].mean()), mean_of(error[i], evaluated.people[i]))
            for i in tenths
        ),
        worst=tuple(
            Miss(evaluated.image_ids[i], evaluated.subsets[i], float(truth[i]), float(predicted[i])) for i in worst
        ),
        truth=tuple(truth.tolist()),
        predicted=tuple(predicted.tolist()),
    )


def rmse_floor(sd: float, pearson: float) -> float:
    """sd * sqrt(1 - PC^2): the RMSE that is left after the best linear correction of the predictions."""
    return sd * float(np.sqrt(max(1 - pearson**2, 0.0))) if np.isfinite(pearson) else sd


def run_problems(store: Store, run: EvaluatedRun) -> tuple[str, ...]:
    """Check a run's recorded figures against each other and against the stored predictions: a sentence a problem."""
    rows = store.frame(
        "SELECT n, mae, rmse, coalesce(pearson, 'nan'), coalesce(spearman, 'nan') "
        "FROM evaluations WHERE run_id = $run_id AND role = 'test'",
        run_id=run.run.run_id,
    ).rows()
    if not rows:
        return ("The training recorded no figures on test rows.",)
    recorded, again = Evaluation(*rows[0]), Evaluation.from_scores(run.truth, run.predicted)
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


def _runs_table(runs: Sequence[RunEvaluation]) -> PlainTable:
    table = plain_table("model", "n", *METRICS.values(), "")
    for run in runs:
        cells = (estimate_cell(run.figures[metric]) for metric in METRICS)
        table.add_row(run.name, f"{run.overall.n:,}", *cells, bar(run.overall.pearson, 20))
    return table


def _tenths_table(tenths: Sequence[Tenth], own: Scale) -> PlainTable:
    table = plain_table("images", "true", "predicted", "predicted - true", "")
    limit = max(abs(tenth.gap.value) for tenth in tenths)
    for tenth in tenths:
        means = (score_on(own, mean) for mean in (tenth.truth, tenth.predicted))
        gap = estimate_cell(own_errors(tenth.gap, own), sign=True)
        table.add_row(f"{tenth.n:,}", *means, gap, signed_bar(tenth.gap.value, limit))
    return table


def _worst_table(worst: Sequence[Miss], own: Scale) -> PlainTable:
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
    verdict = ("Plausible: every RMSE is at least sd * sqrt(1 - PC^2), as required.", GOOD)
    return Text.assemble(("\n".join(problems), BAD) if problems else verdict, (f"\n{constant}", "dim"))


def _agreement(run: RunEvaluation, own: Scale) -> Scatter:
    truth, predicted = (own.from_models(np.array(scores)) for scores in (run.truth, run.predicted))
    return Scatter(truth, predicted, f"true score, {own}", f"predicted score, {own}", own)


def _errors(run: RunEvaluation, own: Scale) -> Histogram:
    low, high = own.errors_from_models(np.array(RESIDUALS))
    return Histogram(run.residuals, low, high, f"predicted - true, {own}")


def figures(report: EvaluationReport) -> list[Figure]:
    own = shown_on(report.target.scale)
    agreement, errors = [], []
    for run in report.runs:
        pearson, mae = run.figures["pearson"], own_errors(run.figures["mae"], own)
        agreement.append((f"{run.name}   PC {estimate_text(pearson)}", _agreement(run, own)))
        errors.append((f"{run.name}   MAE {estimate_text(mae)}", _errors(run, own)))
    return [
        Figure("predicted_against_true", "Predicted against true", agreement),
        Figure("errors", "Errors on the test images", errors),
    ]
