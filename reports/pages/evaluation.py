"""`kallos report evaluation`: how well each model does on the test images of a fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.records import SCALE, Evaluation
from featurestore.store import Store
from featurestore.traits import Target, target_of_run
from reports.pages.groups import Groups, compare_groups, render_groups
from reports.render.bars import bar, signed_bar
from reports.render.figures import Figure
from reports.render.json import for_pictures
from reports.render.layout import number, page, section, table
from reports.render.palette import BAD, GOOD
from reports.render.plots import Histogram, Scatter
from reports.render.scales import target_line
from reports.stats.evaluated_runs import JudgedRun, judged_runs
from reports.stats.selection import Selection

RESIDUALS = (-1.5, 1.5)
BINS = 24
TENTHS = 10
WORST = 10


@dataclass(frozen=True)
class Tenth:
    """A tenth of the test images by what was predicted: means, and how much higher the raters' is."""

    n: int
    predicted: float
    truth: float


@dataclass(frozen=True)
class Miss:
    """An image that the model missed by far."""

    image_id: str
    subset: str | None
    truth: float
    predicted: float


@dataclass(frozen=True)
class EvaluatedRun:
    """One run on its test images.

    overall      computed anew from the stored predictions
    groups       its figures for each subset and the gaps between them
    truth_sd     population standard deviation of the true scores
    rmse_floor   truth_sd * sqrt(1 - PC^2): no predictions with that PC can have a lower RMSE
    problems     what is wrong with the figures recorded by the training, one sentence each; empty when plausible
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
    """The runs, the highest PC first; `constant_mae` is what always saying the mean would give."""

    target: Target
    runs: tuple[EvaluatedRun, ...]
    constant_mae: float


def data(store: Store, selection: Selection) -> EvaluationReport:
    """Raises PrerequisiteError when there is no such finished run."""
    judged = judged_runs(store, selection)
    runs = sorted(
        (_evaluated(store, run) for run in judged), key=lambda run: -np.nan_to_num(run.overall.pearson, nan=-1)
    )
    truth = judged[0].truth
    return EvaluationReport(
        target_of_run(store, runs[0].run_id), tuple(runs), float(np.abs(truth - truth.mean()).mean())
    )


def _evaluated(store: Store, of: JudgedRun) -> EvaluatedRun:
    overall = Evaluation.from_scores(of.truth, of.predicted)
    sd = float(of.truth.std())
    residuals = np.clip(of.predicted - of.truth, *np.nextafter(RESIDUALS, 0))
    return EvaluatedRun(
        name=of.name,
        run_id=of.run.run_id,
        model=of.run.model,
        protocol=of.run.protocol,
        fold=of.run.fold,
        overall=overall,
        groups=compare_groups(of.truth, of.predicted, of.subsets, of.low, of.high),
        truth_sd=sd,
        rmse_floor=rmse_floor(sd, overall.pearson),
        problems=problems_of(store, of),
        residuals=tuple(np.histogram(residuals, BINS, RESIDUALS)[0].tolist()),
        tenths=_tenths(of),
        worst=_worst(of),
        truth=tuple(of.truth.tolist()),
        predicted=tuple(of.predicted.tolist()),
    )


def _tenths(of: JudgedRun) -> tuple[Tenth, ...]:
    parts = np.array_split(np.argsort(of.predicted, kind="stable"), min(TENTHS, len(of.predicted)))
    return tuple(Tenth(len(rows), float(of.predicted[rows].mean()), float(of.truth[rows].mean())) for rows in parts)


def _worst(of: JudgedRun) -> tuple[Miss, ...]:
    rows = np.argsort(-np.abs(of.predicted - of.truth), kind="stable")[:WORST].tolist()
    return tuple(Miss(of.image_ids[i], of.subsets[i], float(of.truth[i]), float(of.predicted[i])) for i in rows)


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


def problems_of(store: Store, run: JudgedRun) -> tuple[str, ...]:
    """Check a run's recorded figures against each other and against the stored predictions: a sentence a problem."""
    recorded, again = _recorded(store, run.run.run_id), Evaluation.from_scores(run.truth, run.predicted)
    if recorded is None:
        return ("The training recorded no figures on test rows.",)
    found = []
    if recorded.rmse < rmse_floor(float(run.truth.std()), recorded.pearson) - 1e-6:
        found.append("The recorded RMSE is lower than the recorded PC allows.")
    if not np.allclose(astuple(recorded), astuple(again), atol=1e-6, equal_nan=True):
        found.append("The recorded figures are not those of the stored predictions.")
    return tuple(found)


def render(report: EvaluationReport) -> RenderableType:
    """Figures of all runs, then the best one's errors."""
    best = report.runs[0]
    return page(
        "Evaluation",
        f"{best.overall.n:,} test images of {best.protocol}, fold {best.fold}",
        target_line(report.target),
        _runs_table(report.runs),
        _verdict(report),
        section("By subset", render_groups(best.groups), remark=best.name) if best.groups.gaps else None,
        section("Predicted against true", _agreement(best), remark=best.name),
        section("Errors", _errors(best), remark=best.name),
        section("Calibration", _tenths_table(best.tenths), remark=f"{best.name}, tenths of the images by prediction"),
        section("Furthest off", _worst_table(best.worst), remark=best.name),
    )


def _runs_table(runs: Sequence[EvaluatedRun]) -> Table:
    made = table("model", "n", "MAE", "RMSE", "PC", "Spearman", "")
    for run in runs:
        of = run.overall
        metrics = (number(value) for value in (of.mae, of.rmse, of.pearson, of.spearman))
        made.add_row(run.name, f"{of.n:,}", *metrics, bar(of.pearson, 20))
    return made


def _tenths_table(tenths: Sequence[Tenth]) -> Table:
    made = table("images", "predicted", "true", "true - predicted", "")
    gaps = [of.truth - of.predicted for of in tenths]
    limit = max(map(abs, gaps))
    for of, gap in zip(tenths, gaps, strict=True):
        means = (number(of.predicted), number(of.truth), number(gap, sign=True))
        made.add_row(f"{of.n:,}", *means, signed_bar(gap, limit))
    return made


def _worst_table(worst: Sequence[Miss]) -> Table:
    made = table("image", "subset", "true", "predicted", "predicted - true")
    for of in worst:
        scores = (number(of.truth, 2), number(of.predicted, 2), number(of.predicted - of.truth, 2, sign=True))
        made.add_row(of.image_id, of.subset or "·", *scores)
    return made


def _verdict(report: EvaluationReport) -> Text:
    problems = [f"{run.name}: {problem}" for run in report.runs for problem in run.problems]
    constant = f"Always saying the mean would give MAE {number(report.constant_mae)}."
    if problems:
        return Text.assemble(("\n".join(problems), BAD), (f"\n{constant}", "dim"))
    plausible = "Plausible: every RMSE is at least sd * sqrt(1 - PC^2), as it must be."
    return Text.assemble((plausible, GOOD), (f"\n{constant}", "dim"))


def _agreement(run: EvaluatedRun) -> Scatter:
    return Scatter(run.truth, run.predicted, "true score", "predicted score", SCALE)


def _errors(run: EvaluatedRun) -> Histogram:
    return Histogram(run.residuals, *RESIDUALS, "predicted - true")


def figures(report: EvaluationReport) -> list[Figure]:
    """Predicted against true of every run, and their errors."""
    agreement = [(f"{run.name}   PC {run.overall.pearson:.3f}", _agreement(run)) for run in report.runs]
    errors = [(f"{run.name}   MAE {run.overall.mae:.3f}", _errors(run)) for run in report.runs]
    return [
        Figure("predicted_against_true", "Predicted against true", agreement),
        Figure("errors", "Errors on the test images", errors),
    ]
