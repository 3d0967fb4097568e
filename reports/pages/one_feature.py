"""`kallos features NAME`: one feature's definition, its distribution by subset and its correlation with the score."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from extractors.averageness import AVERAGENESS
from extractors.catalogue import FeatureDefinition
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.store import Store
from featurestore.traits import chosen_trait, traits_of
from reports.pages.feature_catalogue import definition_of, plausible
from reports.pages.features import correlations, fisher_interval
from reports.render.bars import Spark, interval_bar
from reports.render.layout import digits_for, dim, number, page, plain_table, section, share
from reports.render.palette import REGION_COLOURS
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import split_estimate

BINS = 28
TAIL = 0.002
"""Share of the values at either end outside the plot's range: they are counted in its outer bins."""

RAW = "SELECT image_id, {name} AS value FROM geometric_features"
AVERAGENESS_RAW = """
    SELECT image_id, averageness * sd + mean AS value FROM normalized_features JOIN normalizations USING (normalization)
    WHERE feature = 'averageness' AND normalization = (SELECT min(normalization) FROM normalizations)"""
GROUPED = f"""
    SELECT coalesce(nullif(concat_ws(' ', if(data_sets > 1, data_set, NULL), subset), ''), 'none') AS name, value, score
    FROM ({{raw}}) JOIN {GROUPED_IMAGES} USING (image_id)
         LEFT JOIN (FROM scores WHERE trait = $trait) USING (image_id),
         (SELECT count(*) AS data_sets FROM data_sets)
    ORDER BY image_id"""


@dataclass(frozen=True)
class Group:
    """A feature in all images with a face, or in those of one subset.

    measured     images in which it could be measured
    implausible  of these, images where it lies outside the plausible range
    mean, sd     in the feature's unit
    counts       BINS equal bins over the report's range; the outer ones hold what lies beyond it too
    scored       measured images that have a score: those of the correlation
    correlation  Pearson's with the score, with its 95 % interval from `low` to `high`
    """

    name: str
    images: int
    measured: int
    implausible: int
    mean: float
    sd: float
    counts: tuple[int, ...]
    scored: int
    correlation: float
    low: float
    high: float


@dataclass(frozen=True)
class FeatureReport:
    """A definition, and its values over the range from `low` to `high`: everything first, then each subset.

    There are no groups where there is no store or where it holds no values of the feature. `stored_version` is
    the version of the formula that gave the values, None where unknown; `trait` is what the scores are about, None
    where there are none.
    """

    definition: FeatureDefinition
    trait: str | None
    stored_version: int | None
    low: float
    high: float
    groups: tuple[Group, ...]


def data(store: Store | None, name: str, trait: str | None = None) -> FeatureReport:
    """Averageness is shown under the first normalization; correlations are with the scores on a trait.

    Raises UsageError for an unknown feature, and where photos were rated on several traits and none is named.
    """
    definition = definition_of(name)
    if store is not None:
        data_sets = store.frame("SELECT data_set FROM data_sets")["data_set"].to_list()
        trait = chosen_trait(store, data_sets, trait) if traits_of(store, data_sets) else None
    rows = _values(store, name, trait) if store else pl.DataFrame()
    if store is None or rows.is_empty():
        return FeatureReport(definition, trait, None, math.nan, math.nan, ())
    version = store.value("SELECT max(version) FROM feature_catalog WHERE feature = $name", name=name)
    low, high = _range(rows["value"].to_numpy())
    subsets = rows.partition_by("name", as_dict=True)
    named = {"all": rows} | ({str(key[0]): subsets[key] for key in sorted(subsets)} if len(subsets) > 1 else {})
    groups = tuple(_group(definition, n, r, low, high) for n, r in named.items())
    return FeatureReport(definition, trait, version, low, high, groups)


def _values(store: Store, name: str, trait: str | None) -> pl.DataFrame:
    """name of the subset, value and score of every image with a face; empty where the store has no such column."""
    view = "normalized_features" if name == AVERAGENESS else "geometric_features"
    if not store.has(view) or name not in store.frame(f"FROM {view} LIMIT 0").columns:
        return pl.DataFrame()
    raw = AVERAGENESS_RAW if name == AVERAGENESS else RAW.format(name=name)
    return store.frame(GROUPED.format(raw=raw), trait=trait).cast({"value": pl.Float64, "score": pl.Float64})


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = (float(v) for v in np.quantile(known, (TAIL, 1 - TAIL)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _group(definition: FeatureDefinition, name: str, rows: pl.DataFrame, low: float, high: float) -> Group:
    pairs = rows.select("value", "score").to_numpy()
    known = pairs[np.isfinite(pairs[:, 0]), 0]
    counts = np.histogram(known.clip(low, high), BINS, (low, high))[0] if len(known) else np.zeros(BINS, int)
    scored = int(np.isfinite(pairs).all(axis=1).sum())
    correlation = float(correlations(pairs)[0, 1]) if scored else math.nan
    interval = fisher_interval(correlation, scored)
    return Group(
        name=name,
        images=len(rows),
        measured=len(known),
        implausible=int(((known < definition.low) | (known > definition.high)).sum()),
        mean=float(known.mean()) if len(known) else math.nan,
        sd=float(known.std()) if len(known) else math.nan,
        counts=tuple(counts.tolist()),
        scored=scored,
        correlation=correlation,
        low=interval[0],
        high=interval[1],
    )


def render(report: FeatureReport) -> RenderableType:
    definition = report.definition
    heading = (Text(definition.summary), _definition(definition, report.stored_version))
    score = "the score" if report.trait in (None, UNNAMED_TRAIT) else f"the score on {report.trait}"
    if not report.groups:
        remark = dim("No values yet: `kallos extract` puts them into a store.")
        return page(definition.name, definition.region, *heading, remark)
    return page(
        definition.name,
        definition.region,
        *heading,
        section("Spread", _spread_table(report), remark="images with a face; the plausible range is the thick line"),
        section(f"Correlation with {score}", _score_table(report), remark="Pearson correlation (PC)")
        if report.trait
        else None,
        dim("Correlation is not causation: features are measured on photographs, scores are opinions of one pool."),
    )


def _definition(definition: FeatureDefinition, stored_version: int | None) -> Table:
    stale = stored_version not in (None, definition.version)
    lines = {
        "formula": definition.formula,
        "points": ", ".join(definition.points),
        "source": definition.source,
        "plausible": f"{plausible(definition)} {definition.unit}",
        "same after": f"a change of {', '.join(definition.invariant)}",
        "version": f"{definition.version}" + (f", values of {stored_version}: run `kallos extract`" if stale else ""),
    }
    table = Table.grid(padding=(0, 2))
    for name, text in lines.items():
        table.add_row(dim(name), Text(text))
    return table


def _spread_table(report: FeatureReport) -> Table:
    table = plain_table("", "", "images", "mean", "sd", "no value", "outside")
    for column in table.columns:
        column.vertical = "bottom"
    table.columns[1].justify = "left"
    colour, digits = REGION_COLOURS[report.definition.region], digits_for(report.groups[0].sd)
    for group in report.groups:
        moments = (f"{group.images:,}", number(group.mean, digits), number(group.sd, digits))
        shares = (share(group.images - group.measured, group.images), share(group.implausible, group.measured))
        table.add_row(Text(group.name), Spark(group.counts, colour, height=2), *moments, *shares)
        table.add_row()
    table.add_row("", _axis(report))
    return table


def _axis(report: FeatureReport) -> Text:
    """A line under the plots, thick within the plausible range, and the values at its ends."""
    edges = np.linspace(report.low, report.high, BINS + 1)
    inside = (edges[1:] > report.definition.low) & (edges[:-1] < report.definition.high)
    line = "".join("━" if within else "─" for within in inside)
    low, high = (number(v, digits_for(report.groups[0].sd)) for v in (report.low, report.high))
    return dim(f"{line}\n{low}{high:>{BINS - len(low)}}")


def _score_table(report: FeatureReport) -> Table:
    limit = max((abs(v) for g in report.groups for v in (g.low, g.high) if math.isfinite(v)), default=0.0)
    table = plain_table("", "images", "PC", "95 % interval", f"{-limit:+.2f}{'0':^21}{limit:+.2f}")
    for group in report.groups:
        value, interval = split_estimate(Estimate(group.correlation, group.low, group.high), sign=True)
        bar = interval_bar(group.low, group.correlation, group.high, -limit, limit)
        table.add_row(Text(group.name), f"{group.scored:,}", value, interval, bar)
    return table
