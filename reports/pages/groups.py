"""Whether a model treats groups alike: the same figures for each group, and which two groups differ most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Group as Lines
from rich.console import RenderableType

from featurestore.group_differences import (
    FEWEST,
    LEVEL,
    PERMUTATIONS,
    Difference,
    correlation_differences,
    mean_differences,
    people_of,
)
from featurestore.records import Evaluation
from featurestore.scale import MODEL_SCALE
from reports.render.layout import dim, number, plain_table
from reports.stats.bootstrap import Estimate, Reals, correlations, means, resamples
from reports.stats.estimates import BRACKETS, BRACKETS_OF_COVERAGE, digits_of, estimate_cell
from reports.stats.evaluated_runs import EvaluatedRun

METRICS = {"bias": "bias", "mae": "MAE", "pearson": "PC", "coverage": "coverage"}
READING = (
    f"Bias is the mean of predicted - true; it and MAE are on the scale of {MODEL_SCALE.words}. {BRACKETS} "
    f"{BRACKETS_OF_COVERAGE} For each "
    "figure the two groups are named that are furthest apart, in standard errors. Their p value is that of a "
    f"permutation test: the people were assigned to the groups at random, {PERMUTATIONS:,} times, and p is the share "
    "in which any two groups were at least that far apart. So it allows for having picked the two, but not for "
    f"looking at several figures. Above {number(LEVEL, 2)} the photos do not show that any two groups differ."
)
GAP_COLUMNS = ("furthest apart", "between", "difference", "p", "groups")


@dataclass(frozen=True)
class Group:
    """One group of n images of `people`; `figures` are bias, mae, pearson and, where there are intervals, coverage."""

    name: str
    n: int
    people: int
    figures: Mapping[str, Estimate]


@dataclass(frozen=True)
class Gap:
    """The two groups that differ most for their standard error: how far apart they are, and the p value of that."""

    highest: str
    lowest: str
    size: float
    p: float

    @property
    def supported(self) -> bool:
        """Whether the groups may be said to differ."""
        return self.p <= LEVEL


@dataclass(frozen=True)
class Groups:
    """The groups that are large enough, by name.

    too_small  group -> its people, fewer than FEWEST: no figures are given of it
    gaps       figure -> its gap, which needs two groups that have it
    """

    groups: tuple[Group, ...]
    too_small: Mapping[str, int]
    gaps: Mapping[str, Gap]

    @property
    def several(self) -> bool:
        """Whether the images are of more than one group."""
        return len(self.groups) + len(self.too_small) > 1

    def gap_rows(self) -> list[tuple[str, str, str, str, str]]:
        """Cells of GAP_COLUMNS, a row a figure; a difference has the digits that both groups' figures have."""
        figures, rows = {group.name: group.figures for group in self.groups}, []
        for metric, title in METRICS.items():
            if gap := self.gaps.get(metric):
                digits = min(digits_of(figures[name][metric]) for name in (gap.highest, gap.lowest))
                groups, verdict = f"{gap.highest} − {gap.lowest}", "differ" if gap.supported else "not shown to differ"
                rows.append((title, groups, number(gap.size, digits), p_value(gap.p), verdict))
        return rows


def groups_of_run(run: EvaluatedRun) -> Groups:
    return compare_groups(run.truth, run.predicted, run.subsets, run.people, run.low, run.high)


def compare_groups(
    truth: Reals,
    predicted: Reals,
    groups: Sequence[str | None],
    people: NDArray[np.str_],
    low: Reals | None = None,
    high: Reals | None = None,
) -> Groups:
    """Figures of (n,) predictions by group, None being a group too; `low` and `high` are ends of their intervals.

    The order of the rows plays no part.
    """
    labels = np.array([group or "none" for group in groups])
    ends = [] if low is None or high is None else [low, high]
    # resamples are drawn person by person, so people need an order of their own
    order = np.lexsort((*ends, predicted, truth, people, labels))
    labels, people, truth, predicted, *ends = (column[order] for column in (labels, people, truth, predicted, *ends))
    # figure -> (n,) values that it is the mean of
    per_image = {"bias": predicted - truth, "mae": np.abs(predicted - truth)}
    if ends:
        per_image["coverage"] = ((ends[0] <= truth) & (truth <= ends[1])).astype(np.float64)
    counts = resamples(people)
    sizes = people_of(labels, people)
    compared = []
    for name in (name for name, size in sizes.items() if size >= FEWEST):
        rows = labels == name
        figures = {
            metric: Estimate.from_resamples(float(values[rows].mean()), means(counts[:, rows], values[rows]))
            for metric, values in per_image.items()
        }
        if "coverage" in per_image:
            figures["coverage"] = Estimate.of_share(per_image["coverage"][rows] == 1, people[rows])
        pearson = Evaluation.from_scores(truth[rows], predicted[rows]).pearson
        resampled = correlations(counts[:, rows], truth[rows], predicted[rows])
        figures["pearson"] = Estimate.from_resamples(pearson, resampled)
        compared.append(Group(name, int(rows.sum()), sizes[name], figures))
    tests = {metric: mean_differences(values, labels, people) for metric, values in per_image.items()}
    tests["pearson"] = correlation_differences(truth, predicted, labels, people)
    too_small = {name: size for name, size in sizes.items() if size < FEWEST}
    return Groups(tuple(compared), too_small, _gaps(compared, tests))


def _gaps(compared: Sequence[Group], tests: Mapping[str, Sequence[Difference]]) -> dict[str, Gap]:
    """Metric -> the clearest difference, where two groups or more are compared."""
    figures = {group.name: group.figures for group in compared}
    gaps = {}
    for metric, first in ((metric, differences[0]) for metric, differences in tests.items() if differences):
        size = figures[first.highest][metric].value - figures[first.lowest][metric].value
        gaps[metric] = Gap(first.highest, first.lowest, size, first.p)
    return gaps


def render_groups(report: Groups) -> RenderableType:
    """The tables, and how to read them."""
    return Lines(group_tables(report), *([dim(READING)] if report.groups else []))


def group_tables(report: Groups) -> RenderableType:
    """A line a group with intervals beneath the figures, then a line a gap, then the groups that are too small."""
    parts: list[RenderableType] = []
    if report.groups:
        metrics = [metric for metric in METRICS if metric in report.groups[0].figures]
        table = plain_table("subset", "n", *(METRICS[metric] for metric in metrics))
        for group in report.groups:
            cells = (estimate_cell(group.figures[metric], sign=metric == "bias") for metric in metrics)
            table.add_row(group.name, f"{group.n:,}", *cells)
        parts = [table]
    if report.gaps:
        parts += ["", plain_table(*GAP_COLUMNS, rows=report.gap_rows(), text=(0, 1, 4))]
    if report.too_small:
        parts.append(too_small(report))
    return Lines(*parts)


def too_small(report: Groups) -> str:
    """Which groups are not compared, and what would be enough."""
    names = ", ".join(f"{name} ({size:,})" for name, size in report.too_small.items())
    return f"Too small to compare, with fewer than {FEWEST} people: {names}."


def p_value(p: float) -> str:
    """A p value; the smallest that the number of permutations allows is an upper bound."""
    least = 1 / (PERMUTATIONS + 1)
    return f"≤ {number(least)}" if p <= least else number(p)
