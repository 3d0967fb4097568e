"""`kallos report features`: every feature, its distribution and its correlation with the score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from rich.console import RenderableType
from rich.text import Text
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from extractors.regions import FEATURE_REGIONS
from featurestore.next_step import before_extract, before_training
from featurestore.store import Store
from featurestore.traits import chosen_trait
from reports.pages.drift import Drift, drift, drift_table
from reports.render.bars import signed_bar
from reports.render.figures import Figure
from reports.render.json import for_pictures
from reports.render.layout import PlainTable, digits_for, dim, number, page, plain_table, plural, section
from reports.render.palette import REGION_COLOURS
from reports.render.plots import Dots, Matrix
from reports.stats.bootstrap import Estimate, Reals
from reports.stats.estimates import split_estimate
from reports.stats.selection import Selection, chosen_data_sets

REDUNDANT = 0.95
TOP = 20
MOST_SUBSETS = 4
"""As many as 80 columns hold."""
FEWEST = 10
"""Groups of fewer images have no correlation worth a number."""

Z_95 = 1.959964
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class FeatureLine:
    """One feature over all images: `correlation` is Pearson's with the score, by subset in `subsets`.

    low, high  the ends of its 95 % interval
    """

    name: str
    region: str
    unit: str
    formula: str
    measured: int
    mean: float
    sd: float
    lowest: float
    highest: float
    correlation: float
    low: float
    high: float
    subsets: Mapping[str, float]


@dataclass(frozen=True)
class Cluster:
    """Features linked by pairs with |r| > .95, the one that correlates most with the score first.

    weakest  the smallest |r| of any two of them
    """

    features: tuple[str, ...]
    weakest: float


@dataclass(frozen=True)
class FeaturesReport:
    """All features of the active extractors, by region, over the images that have a score."""

    trait: str
    images: int
    features: tuple[FeatureLine, ...]
    clusters: tuple[Cluster, ...]
    drift: tuple[Drift, ...]
    correlations: tuple[tuple[float, ...], ...] = for_pictures()


def data(store: Store, selection: Selection) -> FeaturesReport:
    """Raises PrerequisiteError before `kallos extract` or without ratings, UsageError where a trait must be named."""
    names = chosen_data_sets(store, selection)
    if not store.has("geometric_features"):
        raise before_extract(store, "The store has no features yet")
    trait = chosen_trait(store, names, selection.trait)
    rows = store.frame(
        "SELECT data_set, subset, score, f.* EXCLUDE (image_id) FROM geometric_features f JOIN images USING (image_id) "
        "JOIN scores USING (image_id) WHERE list_contains($names, data_set) AND trait = $trait AND score IS NOT NULL",
        names=names,
        trait=trait,
    )
    if rows.is_empty():
        raise before_training(store, "No image has both features and a score yet", "kallos extract")
    catalogue = store.frame("SELECT feature, region, unit, formula FROM feature_catalog")
    known = [row for row in catalogue.sort("feature").rows() if row[0] in rows.columns]
    known.sort(key=lambda row: FEATURE_REGIONS.index(row[1]))
    columns = [row[0] for row in known]
    values = rows.select(columns).to_numpy().astype(np.float64)
    with_score = correlations(np.column_stack([values, rows["score"].to_numpy()]))
    by_subset = _by_subset(rows, columns)
    lines = tuple(
        _line(row, values[:, i], float(with_score[i, -1]), {s: float(r[i]) for s, r in by_subset.items()})
        for i, row in enumerate(known)
    )
    between = with_score[:-1, :-1]
    clusters = _clusters(columns, between, with_score[:-1, -1])
    return FeaturesReport(trait, len(rows), lines, clusters, drift(rows, columns), tuple(map(tuple, between.tolist())))


def correlations(values: Reals) -> Reals:
    """Pearson correlations (F, F) of the columns of (n, F), each over the rows where both are known.

    NaN where a column is constant on those rows.
    """
    known = np.isfinite(values).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.nan_to_num(values - np.nansum(values, axis=0) / known.sum(axis=0))
        n = known.T @ known
        sums = centred.T @ known
        spread = (centred**2).T @ known - sums**2 / n
        together = centred.T @ centred - sums * sums.T / n
        # what is left of a constant by rounding is not a spread
        spread[spread < 1e-12 * np.maximum((values**2).sum(axis=0, where=known > 0), 1e-300)[:, None]] = np.nan
        correlation: Reals = together / np.sqrt(spread * spread.T)
    return np.clip(correlation, -1, 1)


def fisher_interval(correlation: float, n: int) -> tuple[float, float]:
    """95 % interval of Pearson's correlation over n pairs by Fisher's z; NaN for fewer than four."""
    if n < 4 or math.isnan(correlation):
        return math.nan, math.nan
    with np.errstate(divide="ignore"):  # a perfect correlation has an infinite z
        z = np.arctanh(correlation) + np.array([-1, 1]) * Z_95 / math.sqrt(n - 3)
    low, high = np.tanh(z)
    return float(low), float(high)


def _by_subset(rows: pl.DataFrame, columns: list[str]) -> dict[str, Reals]:
    """subset -> (F,) correlations with the score; none where there is but one subset."""
    groups = rows.filter(pl.col("subset").is_not_null()).sort("subset").group_by("subset", maintain_order=True)
    large = {str(subset): group for (subset,), group in groups if len(group) >= FEWEST}
    if len(large) < 2:
        return {}
    values = {name: group.select(*columns, "score").to_numpy().astype(np.float64) for name, group in large.items()}
    return {name: correlations(each)[:-1, -1] for name, each in values.items()}


def _line(row: tuple[str, str, str, str], values: Reals, correlation: float, subsets: dict[str, float]) -> FeatureLine:
    known = values[np.isfinite(values)]
    spread = [float(f(known)) for f in (np.mean, np.std, np.min, np.max)] if len(known) else [math.nan] * 4
    mean, sd, lowest, highest = spread
    interval = fisher_interval(correlation, len(known))
    return FeatureLine(*row, len(known), mean, sd, lowest, highest, correlation, *interval, subsets)


def _clusters(names: list[str], between: Reals, with_score: Reals) -> tuple[Cluster, ...]:
    """The largest first."""
    count, labels = connected_components(coo_array(np.abs(between) > REDUNDANT), directed=False)
    clusters = []
    for members in (np.flatnonzero(labels == label) for label in range(count)):
        if len(members) > 1:
            ranked = members[np.argsort(-np.nan_to_num(np.abs(with_score[members])), kind="stable")]
            weakest = float(np.nanmin(np.abs(between[np.ix_(members, members)])))
            clusters.append(Cluster(tuple(names[i] for i in ranked), weakest))
    return tuple(sorted(clusters, key=lambda cluster: -len(cluster.features)))


def strongest(report: FeaturesReport) -> list[FeatureLine]:
    """The features that correlate most with the score, with either sign."""
    known = [line for line in report.features if np.isfinite(line.correlation)]
    return sorted(known, key=lambda line: -abs(line.correlation))[:TOP]


def render(report: FeaturesReport) -> RenderableType:
    clusters = ((c.features[0], ", ".join(c.features[1:]), number(c.weakest)) for c in report.clusters)
    return page(
        "Features",
        f"{plural(len(report.features), 'feature')} of {plural(report.images, 'image')} with a score on {report.trait}",
        section(
            "Correlation with the score", _strongest_table(report), remark="Pearson correlation (PC), strongest first"
        ),
        section("All by region", *_catalogue(report)),
        section(
            "Redundant features",
            plain_table("correlates most", "and", "weakest |r|", rows=clusters, text=(0, 1)),
            remark=f"linked by |r| > {REDUNDANT}",
        )
        if report.clusters
        else None,
        section("Drift", drift_table(report.drift), remark="each group beside all others, Kolmogorov-Smirnov")
        if report.drift
        else None,
        dim("Correlation is not causation: features are measured on photographs, scores are opinions of one pool."),
    )


def _strongest_table(report: FeaturesReport) -> PlainTable:
    lines = strongest(report)
    limit = max((abs(line.correlation) for line in lines), default=1.0)
    subsets = list(lines[0].subsets) if lines and len(lines[0].subsets) <= MOST_SUBSETS else []
    table = plain_table("feature", "PC", "95 % interval", "", *subsets)
    for line in lines:
        name = Text(line.name, style=REGION_COLOURS[line.region])
        rest = (number(line.subsets[s], 2, sign=True) for s in subsets)
        bar = signed_bar(line.correlation, limit, width=7 if subsets else 25)
        value, interval = split_estimate(Estimate(line.correlation, line.low, line.high), sign=True)
        table.add_row(name, value, dim(interval), bar, *rest)
    return table


def _catalogue(report: FeaturesReport) -> list[RenderableType]:
    """All features in a table, and those that could not be measured in every image."""
    table = plain_table("feature", "mean", "sd", "min", "max", "PC", "unit")
    table.padding = (0, 0, 0, 0)
    unit = table.columns[-1]
    unit.justify, unit.overflow, unit.style, unit.max_width = "left", "ellipsis", "dim", 12
    region = None
    for line in report.features:
        if line.region != region:
            region = line.region
            table.add_row(Text(region, style=f"bold {REGION_COLOURS[region]}"))
        spread = (number(v, digits_for(line.sd)) for v in (line.mean, line.sd, line.lowest, line.highest))
        table.add_row(line.name, *spread, number(line.correlation, 2, sign=True), line.unit)
    missing = [f"{f.name} ({report.images - f.measured:,})" for f in report.features if f.measured < report.images]
    return [table, "", dim(f"Not measurable in some images: {', '.join(missing)}")] if missing else [table]


def figures(report: FeaturesReport) -> list[Figure]:
    lines = strongest(report)
    strengths = Dots(
        {line.name: line.correlation for line in lines},
        "Pearson correlation with the score, with its 95 % interval",
        {line.name: (line.low, line.high) for line in lines},
        colours=[REGION_COLOURS[line.region] for line in lines],
    )
    matrix = Matrix(report.correlations, [line.region for line in report.features])
    return [
        Figure("feature_correlations", "Features that correlate most with the score", [("", strengths)]),
        Figure("feature_matrix", "Correlations between features, by region", [("", matrix)]),
    ]
