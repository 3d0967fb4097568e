"""`kallos report training`: every run, and the training curves of the newest."""

import json
from dataclasses import dataclass

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from featurestore.machine import elsewhere
from featurestore.runs import load
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, duration, number, page, plain_table, plural, section
from reports.render.palette import WARM
from reports.render.plots import Lines
from reports.render.plots.terminal import Values
from reports.render.scales import ERRORS_ON
from reports.stats.selection import Selection, no_run, run_names

PROGRESS = "epochs done, % of the run"


@dataclass(frozen=True)
class TrainedRun:
    """One run. The metrics are out of fold: each training row by the model that had not seen it, never test rows.

    parts       cross-fitted models begun so far
    epochs      of each, recorded so far; for LightGBM the number of trees
    elsewhere   other machines than this one that fits of it were made on
    """

    run_id: str
    model: str
    protocol: str
    fold: int
    status: str
    weights: str
    encoder: str | None
    started_at: str
    seconds: float | None
    parts: int | None
    epochs: int | None
    mae: float | None
    rmse: float | None
    pearson: float | None
    elsewhere: tuple[str, ...]


@dataclass(frozen=True)
class Curve:
    """The history of one run, an entry an epoch: means over its cross-fitted models, on rows that each did not see."""

    run_id: str
    model: str
    epoch: tuple[int, ...]
    train_loss: tuple[float, ...]
    mae: tuple[float, ...]
    rmse: tuple[float, ...]
    pearson: tuple[float, ...]


@dataclass(frozen=True)
class TrainingReport:
    """All runs, the newest first, and the histories of the named runs or of the newest fold."""

    runs: tuple[TrainedRun, ...]
    curves: tuple[Curve, ...]


def data(store: Store, selection: Selection) -> TrainingReport:
    """Raises PrerequisiteError when nothing was trained or a named run does not exist."""
    for run_id in selection.runs:
        load(store, run_id)
    rows = store.frame(
        """
        WITH history AS (
            SELECT run_id, count(DISTINCT part) AS parts, max(epoch) AS epochs FROM training_history GROUP BY run_id),
        out_of_fold AS (FROM evaluations WHERE role = 'out_of_fold')
        SELECT run_id, model, protocol, fold, status, weights, encoder, strftime(started_at, '%Y-%m-%d %H:%M'),
               r.seconds, parts, epochs, mae, rmse, pearson, config
        FROM runs r LEFT JOIN history USING (run_id) LEFT JOIN out_of_fold USING (run_id)
        WHERE protocol = coalesce($protocol, protocol) AND fold = coalesce($fold, fold)
              AND (len($runs) = 0 OR list_contains($runs, run_id))
        ORDER BY started_at DESC""",
        protocol=selection.protocol,
        fold=selection.fold,
        runs=list(selection.runs),
    ).rows()
    if not rows:
        raise no_run(store, selection)
    runs = tuple(TrainedRun(*(*row, elsewhere(json.loads(config).get("fits", {}).values()))) for *row, config in rows)
    chosen = runs if selection.runs else _newest(runs)
    return TrainingReport(runs, tuple(_curve(store, run) for run in chosen if (run.epochs or 0) > 1))


def _newest(runs: tuple[TrainedRun, ...]) -> tuple[TrainedRun, ...]:
    """The newest run of each model on the fold of the newest run."""
    same_fold = [run for run in runs if (run.protocol, run.fold) == (runs[0].protocol, runs[0].fold)]
    by_model = {run.model: run for run in reversed(same_fold)}
    return tuple(by_model[model] for model in sorted(by_model))


def _curve(store: Store, run: TrainedRun) -> Curve:
    columns = ("train_loss", "mae", "rmse", "pearson")
    means = ", ".join(f"avg({name}) AS {name}" for name in columns)
    rows = store.frame(
        f"SELECT epoch, {means} FROM training_history WHERE run_id = $run_id GROUP BY epoch ORDER BY epoch",
        run_id=run.run_id,
    )
    return Curve(run.run_id, run.model, **{name: tuple(rows[name]) for name in ("epoch", *columns)})


def render(report: TrainingReport) -> RenderableType:
    folds: dict[tuple[str, int], list[TrainedRun]] = {}
    for run in report.runs:
        folds.setdefault((run.protocol, run.fold), []).append(run)
    return page(
        "Training",
        plural(len(report.runs), "run"),
        *(section(f"{protocol}, fold {fold}", _runs_table(runs)) for (protocol, fold), runs in folds.items()),
        dim(
            "MAE, RMSE and PC are out of fold: each training row as predicted by the one of the cross-fitted models "
            f"that had not seen it, never test rows. {ERRORS_ON}. Two digits, as no interval stands "
            "beside them. The curves are means over those models, on val rows where the protocol has some."
        ),
        _lines(report, "pearson", "PC, held out"),
        _lines(report, "mae", f"MAE on {MODEL_SCALE}, held out"),
    )


def _lines(report: TrainingReport, metric: str, name: str) -> Lines | None:
    """The curves, unless none can be drawn: a model with constant predictions has no PC."""
    curves = _progress_curves(report, metric)
    return Lines(curves, PROGRESS, name) if curves else None


def _runs_table(runs: list[TrainedRun]) -> PlainTable:
    table = plain_table("run", "fits", "MAE", "RMSE", "PC", "time")
    for run in runs:
        unfinished = (f"  {run.status}", WARM) if run.status != "done" else ""
        encoder = f", {run.encoder}" if run.encoder else ""
        machines = "".join(f"\nfits from {machine}" for machine in run.elsewhere)
        about = (f"\n{run.started_at}, weights: {run.weights}{encoder}{machines}", "dim")
        epochs = f"{run.parts} × {run.epochs:,}" if run.epochs else "–"
        metrics = (number(value, 2) for value in (run.mae, run.rmse, run.pearson))
        table.add_row(Text.assemble(run.run_id, unfinished, about), epochs, *metrics, duration(run.seconds))
    return table


def _progress_curves(report: TrainingReport, metric: str) -> dict[str, tuple[Values, Values]]:
    """name -> (progress in percent, metric): runs of 10 epochs and of 500 trees on one axis."""
    names = run_names([curve.model for curve in report.curves], [curve.run_id for curve in report.curves])
    curves = {}
    for name, curve in zip(names, report.curves, strict=True):
        progress, values = 100 * np.array(curve.epoch) / curve.epoch[-1], np.array(getattr(curve, metric))
        if (known := np.isfinite(values)).any():
            curves[name] = progress[known], values[known]
    return curves


def figures(report: TrainingReport) -> list[Figure]:
    plots = (_lines(report, "pearson", "PC"), _lines(report, "mae", f"MAE on {MODEL_SCALE}"))
    panels = [("", plot) for plot in plots if plot]
    return [Figure("training_curves", "Training, on held-out rows", panels)] if panels else []
