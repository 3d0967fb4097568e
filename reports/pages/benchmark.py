"""`kallos report benchmark`: every fold of a protocol, and their mean, beside published figures and a leak-free one."""

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.scale import MODEL_SCALE
from models.registry import rank
from reports.pages.benchmark_data import BenchmarkReport
from reports.pages.benchmark_data import data as data
from reports.pages.groups import group_tables, render_groups
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, section
from reports.render.palette import ACCENT, BAD, GOOD
from reports.render.plots import Lines
from reports.render.scales import ERRORS_ON, error_on_both, target_line
from reports.stats.bootstrap import METRICS, RESAMPLES
from reports.stats.choices import BEST_OF_SEVERAL, caveat
from reports.stats.estimates import estimate_cell, estimate_text, split_estimate

CORRECTION = f"The correction is the root mean square of the term added to the weighted mean, on {MODEL_SCALE}."


def render(report: BenchmarkReport) -> RenderableType:
    rows = sum(split.rows for split in report.splits)
    first = min(report.models, key=lambda model: rank(model.model))
    return page(
        "Benchmark",
        f"{report.protocol}: {len(report.splits)} folds, {rows:,} test rows",
        target_line(report.target),
        *(section(title, _metric_table(report, metric)) for metric, title in METRICS.items()),
        dim(
            f"Intervals hold 95 % of {RESAMPLES:,} resamples of the people, drawn anew in each fold. "
            "Each figure has the digits that its own interval supports."
        ),
        section("Beside published figures", _anchors_table(report)) if report.anchors else None,
        section("Combiner", _combiner_table(report)) if report.combined else None,
        *(
            section(
                "Intervals",
                Text(
                    f"{model.model}: a share of {estimate_text(model.coverage)} of the test rows lies within the 90 % "
                    f"interval; the mean width is {error_on_both(model.width, report.target.scale, 3)}."
                ),
            )
            for model in report.models
            if model.coverage and model.width
        ),
        section("Subgroups", render_groups(report.groups), remark=first.model) if report.groups.several else None,
        section(
            "Subgroups, each with its own calibration",
            group_tables(report.calibrated),
            remark="`kallos score PHOTO --group NAME`",
        )
        if report.calibrated
        else None,
        section("Plausibility", _verdict(report)),
        dim(" ".join(filter(None, (f"{ERRORS_ON}.", BEST_OF_SEVERAL, caveat(report.seen, rows))))),
    )


def _metric_table(report: BenchmarkReport, metric: str) -> PlainTable:
    leak_free = metric == "pearson" and bool(report.leak_free)
    table = plain_table(
        "model", *(str(split.fold) for split in report.splits), "mean", "95 % interval", *["leak-free"] * leak_free
    )
    for model in report.models:
        folds = (split_estimate(fold[metric])[0] for fold in model.folds)
        value, interval = split_estimate(model.mean[metric])
        other = report.leak_free.get(model.model)
        extra = [estimate_cell(other) if other else "–"] * leak_free
        table.add_row(model.model, *folds, Text(value, style="bold"), interval, *extra)
    return table


def _anchors_table(report: BenchmarkReport) -> PlainTable:
    rows: list[tuple[float, list[RenderableType]]] = []
    for anchor in report.anchors:
        cells = [number(value, anchor.digits) for value in (anchor.pearson, anchor.mae, anchor.rmse)]
        rows.append((anchor.pearson, [anchor.method, *cells, dim(anchor.remark)]))
    for model in report.models:
        ours = [split_estimate(model.mean[metric])[0] for metric in ("pearson", "mae", "rmse")]
        rows.append((model.mean["pearson"].value, [Text(f"kallos {model.model}", style=ACCENT), *ours, ""]))
    ordered = (row for _, row in sorted(rows, key=lambda row: row[0]))
    return plain_table("method", "PC", "MAE", "RMSE", "", rows=ordered, text=(0, 4))


def _combiner_table(report: BenchmarkReport) -> RenderableType:
    members = sorted(report.combined[0].weights, key=rank)
    weights = (f"weight of {model}" for model in members)
    table = plain_table("fold", *weights, "correction", "best out of fold", "PC gain on it, test rows")
    for combined in report.combined:
        weight_cells = (number(combined.weights.get(model)) for model in members)
        gain = estimate_text(combined.gain_test, sign=True)
        table.add_row(str(combined.fold), *weight_cells, number(combined.correction), combined.best, gain)
    return Group(table, dim(CORRECTION))


def _verdict(report: BenchmarkReport) -> RenderableType:
    if report.problems:
        return Text("\n".join(report.problems), style=BAD)
    rows = ((str(split.fold), f"{split.rows:,}", split.sha256[:16]) for split in report.splits)
    hashes = plain_table("fold", "test rows", "sha256 of their ids", rows=rows)
    verdict = (
        "Every RMSE is at least sd * sqrt(1 - PC^2), recorded figures match the stored predictions, and rows "
        "match the split."
    )
    return Group(Text(verdict, style=GOOD), hashes)


def figures(report: BenchmarkReport) -> list[Figure]:
    folds = [split.fold for split in report.splits]
    curves = {model.model: (folds, [fold["pearson"].value for fold in model.folds]) for model in report.models}
    if report.anchors:
        best = max(report.anchors, key=lambda anchor: anchor.pearson)
        curves[best.method] = (folds, [best.pearson] * len(folds))
    title = f"{report.protocol}: correlation with the raters (PC)"
    return [Figure(f"benchmark_{report.protocol}", title, [("", Lines(curves, "fold", "PC"))])]
