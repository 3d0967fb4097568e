"""`kallos report compare`: runs side by side on the same test images, and how sure their differences are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from featurestore.errors import PrerequisiteError
from featurestore.records import Evaluation
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from reports.render.bars import interval_bar
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, page, plain_table, section
from reports.render.scales import ERRORS_ON
from reports.stats.bootstrap import METRICS as ALL_METRICS
from reports.stats.bootstrap import RESAMPLES, Estimate, correlations, means, resamples
from reports.stats.bootstrap import figures as measured
from reports.stats.choices import BEST_OF_SEVERAL, caveat, photos_seen
from reports.stats.estimates import estimate_cell, estimate_dots, split_estimate
from reports.stats.evaluated_runs import evaluated_runs
from reports.stats.selection import Selection

METRICS = {"pearson": "PC", "mae": "MAE"}


@dataclass(frozen=True)
class ComparedRun:
    """One run on the common test images: its figures, and `pearson` and `mae` minus the best run's, None for that."""

    name: str
    run_id: str
    protocol: str
    fold: int
    overall: Mapping[str, Estimate]
    pearson: Estimate | None
    mae: Estimate | None


@dataclass(frozen=True)
class CompareReport:
    """The runs, the highest PC first, on `images` test images that all of them predicted.

    seen  of a run's test images, how many choices behind the runs have looked at, at most; see `selections`
    """

    images: int
    runs: tuple[ComparedRun, ...]
    seen: int


def data(store: Store, selection: Selection) -> CompareReport:
    """Raises PrerequisiteError for fewer than two runs, or when they have no test image in common."""
    evaluated = evaluated_runs(store, selection)
    if len(evaluated) < 2:
        raise PrerequisiteError(
            f"There is only the run {evaluated[0].run.run_id!r} to compare: "
            "train another on its fold, as with `kallos train baseline`."
        )
    common = sorted(set(evaluated[0].image_ids).intersection(*(run.image_ids for run in evaluated[1:])))
    if len(common) < 2:
        raise PrerequisiteError("The runs have no test images in common: choose runs of one fold with --run.")
    rows = [np.isin(run.image_ids, common) for run in evaluated]
    truth, people = evaluated[0].truth[rows[0]], evaluated[0].people[rows[0]]
    predicted = np.stack([run.predicted[r] for run, r in zip(evaluated, rows, strict=True)])
    overall = [Evaluation.from_scores(truth, row) for row in predicted]
    order = sorted(range(len(evaluated)), key=lambda i: -np.nan_to_num(overall[i].pearson, nan=-1.0))
    counts, best = resamples(people), order[0]
    resampled = {"pearson": correlations(counts, truth, predicted), "mae": means(counts, np.abs(predicted - truth))}

    def minus_best(i: int, metric: str) -> Estimate | None:
        if i == best:
            return None
        difference = getattr(overall[i], metric) - getattr(overall[best], metric)
        return Estimate.from_resamples(difference, resampled[metric][i] - resampled[metric][best])

    runs = tuple(
        ComparedRun(
            *(run.name, run.run.run_id, run.run.protocol, run.run.fold, measured(truth, predicted[i], people)),
            *(minus_best(i, metric) for metric in METRICS),
        )
        for i, run in ((i, evaluated[i]) for i in order)
    )
    seen = photos_seen(store, [[run.run.run_id for run in evaluated]])
    return CompareReport(len(common), runs, min(seen, len(common)))


def render(report: CompareReport) -> RenderableType:
    best = report.runs[0]
    return page(
        "Comparison",
        f"{report.images:,} common test images of {best.protocol}, fold {best.fold}",
        _metrics_table(report),
        *(section(f"{title} minus that of {best.name}", _differences_table(report, m)) for m, title in METRICS.items()),
        dim(" ".join(filter(None, (_reading(report), f"{ERRORS_ON}.", caveat(report.seen, report.images))))),
    )


def _reading(report: CompareReport) -> str:
    """What is tested: the null hypothesis, on which images, what is resampled."""
    return (
        f"Intervals hold 95 % of {RESAMPLES:,} paired resamples of the people on these {report.images:,} images. Each "
        "line tests whether the run and the best one have the same figure on photos such as these: where the interval "
        "contains 0, the images do not show a difference. Models are not trained again, so chance in training is not "
        f"counted. Where no two runs differ, one line in 20 leaves out 0 all the same. {BEST_OF_SEVERAL}"
    )


def _metrics_table(report: CompareReport) -> PlainTable:
    table = plain_table("model", *ALL_METRICS.values())
    for run in report.runs:
        table.add_row(run.name, *(estimate_cell(run.overall[metric]) for metric in ALL_METRICS))
    return table


def _differences(report: CompareReport, metric: str) -> dict[str, Estimate]:
    return {run.name: getattr(run, metric) for run in report.runs[1:]}


def _differences_table(report: CompareReport, metric: str) -> PlainTable:
    differences = _differences(report, metric)
    limit = max(max(abs(d.low), abs(d.high), abs(d.value)) for d in differences.values())
    table = plain_table("model", "difference", "95 % interval", "below 0 · above")
    table.columns[-1].justify = "center"
    for name, difference in differences.items():
        value, ends = split_estimate(difference, sign=True)
        bar = interval_bar(difference.low, difference.value, difference.high, -limit, limit)
        table.add_row(name, Text(value, style="bold" if difference.clear else ""), ends, bar)
    return table


def figures(report: CompareReport) -> list[Figure]:
    panels = [
        ("", estimate_dots(_differences(report, metric), f"{title} minus that of the best"))
        for metric, title in METRICS.items()
    ]
    title = f"Differences to {report.runs[0].name}, 95 % intervals, MAE on {MODEL_SCALE}"
    return [Figure("differences", title, panels)]
