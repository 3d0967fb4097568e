"""Whether a model treats groups alike: the same figures for each group, and the largest gap between two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.records import Evaluation
from featurestore.scale import MODEL_SCALE
from reports.render.layout import dim, plain_table
from reports.stats.bootstrap import RESAMPLES, Estimate, correlations, means, resamples
from reports.stats.estimates import estimate_cell, split_estimate

METRICS = {"bias": "bias", "mae": "MAE", "pearson": "PC", "coverage": "coverage"}
READING = (
    f"Bias is the mean of predicted - true; it and MAE are on the scale of {MODEL_SCALE.words}. Intervals hold 95 % of "
    f"{RESAMPLES:,} resamples of the images. The subsets of a gap were picked because they differ most, so the gap is "
    "overestimated."
)


Figure = tuple[float, NDArray[np.float64]]
"""A figure, and what it is in each resample."""


@dataclass(frozen=True)
class Group:
    """One group of n images; `figures` are bias, mae, pearson and, where there are intervals, coverage."""

    name: str
    n: int
    figures: Mapping[str, Estimate]


@dataclass(frozen=True)
class Gap:
    """The figure of the group where it is highest minus that of the group where it is lowest."""

    highest: str
    lowest: str
    size: Estimate


@dataclass(frozen=True)
class Groups:
    """The groups by name, and figure -> its largest gap, which needs two groups that have it."""

    groups: tuple[Group, ...]
    gaps: Mapping[str, Gap]


def compare_groups(
    truth: NDArray[np.float64],
    predicted: NDArray[np.float64],
    groups: Sequence[str | None],
    low: NDArray[np.float64] | None = None,
    high: NDArray[np.float64] | None = None,
) -> Groups:
    """Figures of (n,) predictions by group, None being a group too; `low` and `high` are ends of their intervals.

    The order of the rows plays no part.
    """
    labels = np.array([group or "none" for group in groups])
    ends = [] if low is None or high is None else [low, high]
    # resamples count rows, so rows need an order of their own
    order = np.lexsort((*ends, predicted, truth, labels))
    labels, truth, predicted, *ends = (column[order] for column in (labels, truth, predicted, *ends))
    counts = resamples(len(labels))
    by_group: dict[str, dict[str, Figure]] = {}
    lines = []
    for name in np.unique(labels).tolist():
        rows = labels == name
        by_group[name] = _figures(counts[:, rows], truth[rows], predicted[rows], *(end[rows] for end in ends))
        lines.append(
            Group(name, int(rows.sum()), {m: Estimate.from_resamples(*figure) for m, figure in by_group[name].items()})
        )
    gaps = {m: _gap({name: figures[m] for name, figures in by_group.items()}) for m in lines[0].figures}
    return Groups(tuple(lines), {metric: gap for metric, gap in gaps.items() if gap})


def _figures(
    counts: NDArray[np.float64], truth: NDArray[np.float64], predicted: NDArray[np.float64], *ends: NDArray[np.float64]
) -> dict[str, Figure]:
    error = predicted - truth
    per_image = {"bias": error, "mae": np.abs(error)}
    if ends:
        per_image["coverage"] = ((ends[0] <= truth) & (truth <= ends[1])).astype(np.float64)
    figures = {metric: (float(values.mean()), means(counts, values)) for metric, values in per_image.items()}
    return figures | {
        "pearson": (Evaluation.from_scores(truth, predicted).pearson, correlations(counts, truth, predicted))
    }


def _gap(by_group: Mapping[str, Figure]) -> Gap | None:
    known = {name: value for name, (value, _) in by_group.items() if np.isfinite(value)}
    if len(known) < 2:
        return None
    highest, lowest = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    (top, tops), (bottom, bottoms) = by_group[highest], by_group[lowest]
    return Gap(highest, lowest, Estimate.from_resamples(top - bottom, tops - bottoms))


def render_groups(report: Groups) -> RenderableType:
    """A line a group with intervals beneath the figures, then a line a gap."""
    metrics = [metric for metric in METRICS if metric in report.groups[0].figures]
    table = plain_table("subset", "n", *(METRICS[metric] for metric in metrics))
    for group in report.groups:
        cells = (estimate_cell(group.figures[metric], sign=metric == "bias") for metric in metrics)
        table.add_row(group.name, f"{group.n:,}", *cells)
    gaps: list[RenderableType] = ["", _gaps_table(report.gaps)] if report.gaps else []
    return Lines(table, *gaps, dim(READING))


def _gaps_table(gaps: Mapping[str, Gap]) -> Table:
    table = plain_table("largest gap", "", "difference", "95 % interval", text=(0, 1))
    for metric in METRICS:
        if gap := gaps.get(metric):
            size, ends = split_estimate(gap.size)
            value = Text(size, style="bold" if gap.size.clear else "")
            table.add_row(METRICS[metric], f"{gap.highest} − {gap.lowest}", value, ends)
    return table
