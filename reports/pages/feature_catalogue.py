"""`kallos features`: what every feature is; the definitions are code, so no store is needed."""

import difflib
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from extractors.catalogue import FeatureDefinition
from extractors.definitions import catalogue
from extractors.regions import FEATURE_REGIONS
from featurestore.errors import UsageError
from reports.render.layout import PlainTable, dim, page, plain_table, plural
from reports.render.palette import REGION_COLOURS


@dataclass(frozen=True)
class Catalogue:
    """The features, by region."""

    features: tuple[FeatureDefinition, ...]


def data(region: str | None = None) -> Catalogue:
    """All features, or those of one region. Raises UsageError for an unknown region."""
    if region is not None and region not in FEATURE_REGIONS:
        raise UsageError(f"There is no region {region!r}: choose from {', '.join(FEATURE_REGIONS)}.")
    chosen = [d for d in catalogue() if region in (None, d.region)]
    return Catalogue(tuple(sorted(chosen, key=lambda d: FEATURE_REGIONS.index(d.region))))


def definition_of(name: str) -> FeatureDefinition:
    """Raises UsageError, with the names that are nearest, for an unknown feature."""
    known = {d.name: d for d in catalogue()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        remedy = f"the nearest are {', '.join(near)}" if near else "`kallos features` lists them"
        raise UsageError(f"There is no feature {name!r}: {remedy}.")
    return known[name]


def plausible(definition: FeatureDefinition) -> str:
    """The plausible range, in the feature's unit."""
    return f"{definition.low:g} … {definition.high:g}"


def render(report: Catalogue) -> RenderableType:
    regions = groupby(report.features, key=lambda d: d.region)
    return page(
        "Features",
        f"{plural(len(report.features), 'feature')}; `kallos features NAME` describes one of them",
        *(_region_table(region, list(features)) for region, features in regions),
        dim("Beneath a name: its plausible range, no limit, and unit. Right and left are the subject's own."),
    )


def _region_table(region: str, features: list[FeatureDefinition]) -> PlainTable:
    """Name over plausible range and unit, formula over source: 80 columns hold no more beside each other."""
    table = plain_table(region, "formula, source")
    name, formula = table.columns
    name.header_style, name.no_wrap = f"not dim bold {REGION_COLOURS[region]}", True
    formula.justify, formula.no_wrap = "left", False
    for d in features:
        table.add_row(
            Text.assemble((d.name, REGION_COLOURS[region]), (f"\n  {plausible(d)} {d.unit}", "dim")),
            Group(Text(d.formula), Text(d.source, "dim")),
        )
    return table
