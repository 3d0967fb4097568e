"""`kallos explain`: why a photo got its score, in parts that add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from extractors.averageness import AVERAGENESS
from extractors.catalogue import FeatureDefinition
from extractors.definitions import catalogue
from featurestore.records import SCALE, Explanation, Origin, RegionParts
from featurestore.store import Store
from reports.pages.similar import SimilarReport
from reports.render.bars import signed_bar
from reports.render.layout import dim, number, page, section, table
from reports.render.meaning import MEANING
from reports.render.palette import ACCENT, REGION_COLOURS, WARM
from reports.render.plots import Histogram
from reports.render.scales import on_both
from reports.stats.provenance import doubts, learnt_from

SHOWN = 3
"""Features of a region that are told, those that moved it most."""
CLEAR = 0.02
"""Score points. Two models disagree on a region when both move the score by more, to opposite sides."""
BINS = 24
UNSEEN = "what the encoder sees"


@dataclass(frozen=True)
class ToldFeature:
    """A feature that moved its region's contribution by `moved` points of B's score.

    percentile  share of the store's photos of the group with a lower value, in percent; None without a store
    z           standard deviations above the mean of the training rows
    """

    name: str
    what: str
    value: float
    unit: str
    z: float
    percentile: float | None
    moved: float


@dataclass(frozen=True)
class ToldRegion:
    """A region: contribution = sub_score * weight = average + moved, in points of the score of the regions' model.

    average   the contribution for a face whose inputs are all the training mean
    moved     by all of the region's inputs; `features` has the first of them
    windows   by what the encoder shows of the region
    trees     by the same features in the baseline; None without one
    disagree  the two models move the score to opposite sides, clearly
    """

    region: str
    sub_score: float
    weight: float
    contribution: float
    average: float
    moved: float
    windows: float
    features: tuple[ToldFeature, ...]
    trees: float | None
    disagree: bool


@dataclass(frozen=True)
class Member:
    """A model that the combiner weighs."""

    name: str
    score: float
    weight: float


@dataclass(frozen=True)
class ExplanationReport:
    """One photo. score = sum of the weighted members + correction - bias; contributions add up to `regions_of`'s score.

    members    those that the combiner weighs
    regions_of the model that gives sub-scores
    stored     image_id, subset and the raters' score of a photo that the store has; None of any other
    trees      the baseline's score, its average, and what the shape moves; empty without one
    group      the subset whose calibration, percentiles and distribution are used; None for everyone
    raters     images by the raters' score in 24 equal bins of the scale; empty without a store
    below      percent of those images with a lower score
    neighbours by geometry and by embedding, where there is a store
    doubts     what the model was not shown to be better than, a sentence each
    """

    photo: Path
    score: float
    low: float
    high: float
    members: tuple[Member, ...]
    regions_of: str
    correction: float
    bias: float
    group: str | None
    stored: Mapping[str, object] | None
    regions: tuple[ToldRegion, ...]
    trees: Mapping[str, float]
    raters: tuple[int, ...]
    below: float | None
    neighbours: tuple[SimilarReport, ...]
    notes: tuple[str, ...]
    in_training: bool
    origin: Origin
    doubts: tuple[str, ...]
    versions: Mapping[str, str]
    meaning: str = MEANING


def data(
    of: Explanation, group: str | None, store: Store | None, neighbours: tuple[SimilarReport, ...] = ()
) -> ExplanationReport:
    """The explanation in words, beside the photos of the store where there is one."""
    definitions = {definition.name: definition for definition in catalogue()}
    chosen = {region: _furthest(parts) for region, parts in of.regions.items()}
    raw = of.prediction.features
    names = [name for several in chosen.values() for name in several if name != AVERAGENESS]
    percentiles = _percentiles(store, {name: raw[name] for name in names}, group) if store else {}
    told = {
        region: [_feature(of, definitions[name], parts.features[name], percentiles) for name in chosen[region]]
        for region, parts in of.regions.items()
    }
    regions = [_region(of, region, features) for region, features in told.items()]
    said = of.prediction
    known = _scores(store, said.origin.trait, group) if store else np.empty(0)
    return ExplanationReport(
        photo=said.photo,
        score=said.score,
        low=said.low,
        high=said.high,
        members=tuple(Member(name, said.members[name], weight) for name, weight in of.weights.items()),
        regions_of=of.regions_of,
        correction=of.correction,
        bias=of.bias,
        group=group,
        stored=_stored(store, said.origin.trait, neighbours),
        regions=tuple(sorted(regions, key=lambda region: -abs(region.moved))),
        trees=_second_opinion(of),
        raters=tuple(np.histogram(known, BINS, SCALE)[0].tolist()) if len(known) else (),
        below=100 * float(np.mean(known < said.score)) if len(known) else None,
        neighbours=neighbours,
        notes=said.notes,
        in_training=said.in_training,
        origin=said.origin,
        doubts=tuple(doubts(said.origin)),
        versions=said.versions,
    )


def _second_opinion(of: Explanation) -> Mapping[str, float]:
    if of.features_of is None:
        return {}
    score = of.prediction.members[of.features_of]
    return {"score": score, "average": of.features["average"], "shape": of.features["shape"]}


def _furthest(parts: RegionParts) -> list[str]:
    return sorted(parts.features, key=lambda name: -abs(parts.features[name]))[:SHOWN]


def _region(of: Explanation, region: str, features: list[ToldFeature]) -> ToldRegion:
    parts, said = of.regions[region], of.prediction
    moved = parts.contribution - parts.average
    trees = sum(of.features[name] for name in parts.features) if of.features_of else None
    return ToldRegion(
        region=region,
        sub_score=said.sub_scores[region],
        weight=said.weights[region],
        contribution=parts.contribution,
        average=parts.average,
        moved=moved,
        windows=parts.windows,
        features=tuple(features),
        trees=trees,
        disagree=trees is not None and min(abs(moved), abs(trees)) > CLEAR and moved * trees < 0,
    )


def _feature(of: Explanation, what: FeatureDefinition, moved: float, percentiles: Mapping[str, float]) -> ToldFeature:
    value = of.prediction.features[what.name]
    percentile = percentiles.get(what.name)
    return ToldFeature(what.name, what.summary, value, what.unit, of.z[what.name], percentile, moved)


def _percentiles(store: Store, values: Mapping[str, float], group: str | None) -> dict[str, float]:
    """Percent of the photos of the group with a lower value, half of those with the same."""
    asked = {name: value for name, value in values.items() if math.isfinite(value)}
    below = ", ".join(
        f'100 * avg(("{name}" < ${name})::INT + ("{name}" = ${name})::INT / 2) FILTER (isfinite("{name}")) AS "{name}"'
        for name in asked
    )
    rows = store.frame(
        f"SELECT {below} FROM geometric_features JOIN images USING (image_id) "
        "WHERE $subset IS NULL OR subset = $subset",
        subset=group,
        **asked,
    ).row(0, named=True)
    return {name: float(value) for name, value in rows.items() if value is not None}


def _scores(store: Store, trait: str, group: str | None) -> NDArray[np.float64]:
    """What the raters said of the photos of the group."""
    return store.frame(
        "SELECT score FROM scores JOIN images USING (image_id) "
        "WHERE trait = $trait AND ($subset IS NULL OR subset = $subset)",
        trait=trait,
        subset=group,
    )["score"].to_numpy()


def _stored(store: Store | None, trait: str, neighbours: tuple[SimilarReport, ...]) -> Mapping[str, object] | None:
    if store is None or not neighbours:
        return None
    rows = store.frame(
        "SELECT image_id, subset, score FROM images "
        "LEFT JOIN (FROM scores WHERE trait = $trait) USING (image_id) WHERE image_id = $i",
        trait=trait,
        i=neighbours[0].query,
    ).to_dicts()
    return rows[0] if rows else None


def render(report: ExplanationReport) -> RenderableType:
    """The sum, the regions, the baseline's opinion, the nearest faces, what to beware of."""
    return page(
        f"Explanation of {report.photo.name}",
        f"score {on_both(report.score, report.origin.scale)}, "
        f"90 % interval {number(report.low, 2)} to {number(report.high, 2)}",
        _warnings(report),
        section("How the score is made", _sum_table(report)),
        section("Among the photos of the store", _place_among(report)) if report.raters else None,
        section(
            "Region by region", _regions_table(report), remark=f"points add up to the score of {report.regions_of}"
        ),
        section("What moved the regions", _features_table(report), remark="against a face that is the training mean"),
        section("A second opinion: LightGBM on measured features", _trees(report)) if report.trees else None,
        *(section(f"Nearest by {of.by}", _nearest_table(of), remark=of.distance) for of in report.neighbours),
        dim(MEANING),
        dim(f"{learnt_from(report.origin)}."),
        dim(f"Made with {', '.join(f'{name} {version[:12]}' for name, version in report.versions.items())}."),
    )


def _warnings(report: ExplanationReport) -> Text | None:
    warnings = [*report.notes, *report.doubts]
    return Text("\n".join(f"! {warning}" for warning in warnings), style=WARM) if warnings else None


def _sum_table(report: ExplanationReport) -> Table:
    made = table("", "score", "weight", "points")
    for of in report.members:
        made.add_row(f"model {of.name}", number(of.score), number(of.weight), number(of.weight * of.score))
    made.add_row("correction of the combiner", "", "", number(report.correction, sign=True))
    if report.bias:
        made.add_row(f"bias of {report.group}, taken off", "", "", number(-report.bias, sign=True))
    made.add_row(Text("score", style="bold"), "", "", Text(number(report.score), style=f"bold {ACCENT}"))
    if report.stored and isinstance(report.stored["score"], float):
        made.add_row(dim("the raters' mean"), "", "", dim(number(report.stored["score"])))
    return made


def _place_among(report: ExplanationReport) -> RenderableType:
    label = f"raters' scores of {report.group or 'all photos'}: {report.below:.0f} % lie below; orange: the interval"
    return Histogram(report.raters, *SCALE, label, height=5, span=(report.low, report.high))


def _regions_table(report: ExplanationReport) -> Table:
    made = table("region", "sub-score", "weight", "points", "average face", "moved", "")
    limit = max(abs(of.moved) for of in report.regions)
    for of in report.regions:
        name = Text(of.region, style=REGION_COLOURS[of.region])
        figures = (number(of.sub_score, 2), number(of.weight), number(of.contribution), number(of.average))
        made.add_row(name, *figures, number(of.moved, sign=True), signed_bar(of.moved, limit))
    sums = (sum(getattr(of, name) for of in report.regions) for name in ("contribution", "average"))
    moved = number(sum(of.moved for of in report.regions), sign=True)
    made.add_row(
        Text(report.regions_of, style="bold"), "", "", *(Text(number(s), style="bold") for s in sums), moved, ""
    )
    return made


def _features_table(report: ExplanationReport) -> Table:
    made = table("region and feature", "value", "percentile", "moved")
    for of in report.regions:
        made.add_row(Text(of.region, style=f"bold {REGION_COLOURS[of.region]}"), "", "", number(of.moved, sign=True))
        for feature in of.features:
            what = Text.assemble(feature.name, (f"\n{feature.what}", "dim"))
            value = Text.assemble(f"{feature.value:.3g}", (f"\n{feature.unit}", "dim"))
            made.add_row(what, value, _place(feature, report.group), number(feature.moved, sign=True))
        made.add_row(UNSEEN, "", "", number(of.windows, sign=True))
    return made


def _place(of: ToldFeature, group: str | None) -> str:
    if of.percentile is None:
        return f"{number(of.z, 1, sign=True)} sd"
    return f"{of.percentile:.0f} % of {group or 'all'}"


def _trees(report: ExplanationReport) -> RenderableType:
    made = table("region", "LightGBM", f"model {report.regions_of}", "")
    for of in report.regions:
        words = Text("they disagree", style=WARM) if of.disagree else ""
        made.add_row(of.region, number(of.trees, sign=True), number(of.moved, sign=True), words)
    made.add_row("shape", number(report.trees["shape"], sign=True), "·", "")
    made.columns[-1].justify = "left"
    said, average = (number(report.trees[name]) for name in ("score", "average"))
    return Group(made, dim(f"It says {said} here and {average} on average. It sees no pixels."))


def _nearest_table(of: SimilarReport) -> Table:
    made = table("image", "score", "subset", "distance")
    for near in of.neighbours:
        made.add_row(near.image_id, number(near.score, 2), near.subset or "·", number(near.distance, 4))
    return made
