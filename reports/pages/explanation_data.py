"""The data of `kallos explain`: why a photo got its score, in parts that add up, beside the photos of a store."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.averageness import AVERAGENESS
from extractors.catalogue import FeatureDefinition
from extractors.definitions import catalogue
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.records import Explanation, Origin, RegionParts
from featurestore.runs import GROUP
from featurestore.store import Store
from reports.pages.similar import SimilarReport
from reports.render.meaning import MEANING
from reports.render.scales import shown_on
from reports.stats.simpler_models import doubts

SHOWN = 3
"""Features listed for a region: those that moved it most."""
CLEAR = 0.02
"""Score points. Two models disagree on a region when both move the score by more, to opposite sides."""
BINS = 24


@dataclass(frozen=True)
class ExplainedFeature:
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
class ExplainedRegion:
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
    features: tuple[ExplainedFeature, ...]
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
    """One photo. score = sum of the weighted members + correction - bias, clipped to the scale.

    Contributions add up to `regions_of`'s score.

    members    those that the combiner weighs
    regions_of the model that gives sub-scores
    stored     image_id, subset and the raters' score of a photo that the store has; None of any other
    trees      the baseline's score, its average, and what the shape moves; empty without one
    group      the subset whose calibration, percentiles and distribution are used; None for everyone
    raters     images by the raters' score in 24 equal bins of their scale; empty without a store
    below      percent of those images with a lower score
    neighbours by geometry and by embedding, where there is a store
    doubts     what the model was not shown to be better than, a sentence each
    """

    photo: Path
    score: float
    low: float | None
    high: float | None
    members: tuple[Member, ...]
    regions_of: str
    correction: float
    bias: float
    group: str | None
    stored: Mapping[str, object] | None
    regions: tuple[ExplainedRegion, ...]
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
    explanation: Explanation, group: str | None, store: Store | None, neighbours: tuple[SimilarReport, ...] = ()
) -> ExplanationReport:
    """The explanation in words, beside the photos of the store where there is one."""
    definitions = {definition.name: definition for definition in catalogue()}
    chosen = {region: _furthest(parts) for region, parts in explanation.regions.items()}
    raw = explanation.prediction.features
    names = [name for several in chosen.values() for name in several if name != AVERAGENESS]
    percentiles = _percentiles(store, {name: raw[name] for name in names}, group) if store else {}
    features = {
        region: [_feature(explanation, definitions[name], parts.features[name], percentiles) for name in chosen[region]]
        for region, parts in explanation.regions.items()
    }
    regions = [_region(explanation, region, region_features) for region, region_features in features.items()]
    prediction, trees = explanation.prediction, dict[str, float]()
    if explanation.features_of is not None:
        trees["score"] = prediction.members[explanation.features_of]
        trees |= {name: explanation.features[name] for name in ("average", "shape")}
    known = _scores(store, prediction.origin, group) if store else np.empty(0)
    own = shown_on(prediction.origin.scale)
    return ExplanationReport(
        photo=prediction.photo,
        score=prediction.score,
        low=prediction.low,
        high=prediction.high,
        members=tuple(Member(name, prediction.members[name], share) for name, share in prediction.combined_by.items()),
        regions_of=explanation.regions_of,
        correction=prediction.correction,
        bias=prediction.bias,
        group=group,
        stored=_stored(store, prediction.origin.trait, neighbours),
        regions=tuple(sorted(regions, key=lambda region: -abs(region.moved))),
        trees=trees,
        raters=tuple(np.histogram(own.from_models(known), BINS, own)[0].tolist()) if len(known) else (),
        below=100 * float(np.mean(known < prediction.score)) if len(known) else None,
        neighbours=neighbours,
        notes=prediction.notes,
        in_training=prediction.in_training,
        origin=prediction.origin,
        doubts=tuple(doubts(prediction.origin)),
        versions=prediction.versions,
    )


def _furthest(parts: RegionParts) -> list[str]:
    return sorted(parts.features, key=lambda name: -abs(parts.features[name]))[:SHOWN]


def _region(explanation: Explanation, region: str, features: list[ExplainedFeature]) -> ExplainedRegion:
    parts, prediction = explanation.regions[region], explanation.prediction
    moved = parts.contribution - parts.average
    trees = sum(explanation.features[name] for name in parts.features) if explanation.features_of else None
    return ExplainedRegion(
        region=region,
        sub_score=prediction.sub_scores[region],
        weight=prediction.weights[region],
        contribution=parts.contribution,
        average=parts.average,
        moved=moved,
        windows=parts.windows,
        features=tuple(features),
        trees=trees,
        disagree=trees is not None and min(abs(moved), abs(trees)) > CLEAR and moved * trees < 0,
    )


def _feature(
    explanation: Explanation, definition: FeatureDefinition, moved: float, percentiles: Mapping[str, float]
) -> ExplainedFeature:
    name, value = definition.name, explanation.prediction.features[definition.name]
    z, percentile = explanation.z[name], percentiles.get(name)
    return ExplainedFeature(name, definition.summary, value, definition.unit, z, percentile, moved)


def _percentiles(store: Store, values: Mapping[str, float], group: str | None) -> dict[str, float]:
    """Percent of the photos of the group with a lower value, half of those with the same."""
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    below = ", ".join(
        f'100 * avg(("{name}" < ${name})::INT + ("{name}" = ${name})::INT / 2) FILTER (isfinite("{name}")) AS "{name}"'
        for name in finite
    )
    rows = store.frame(
        f"SELECT {below} FROM geometric_features JOIN {GROUPED_IMAGES} USING (image_id) "
        f"WHERE $subset IS NULL OR $subset IN (subset, {GROUP})",
        subset=group,
        **finite,
    ).row(0, named=True)
    return {name: float(value) for name, value in rows.items() if value is not None}


def _scores(store: Store, origin: Origin, group: str | None) -> NDArray[np.float64]:
    """The raters' scores of the group's photos, of one data set where a model of several gives its scores."""
    return store.frame(
        f"SELECT score FROM scores JOIN {GROUPED_IMAGES} USING (image_id) "
        f"WHERE trait = $trait AND ($subset IS NULL OR $subset IN (subset, {GROUP})) "
        "AND data_set = coalesce($data_set, data_set)",
        trait=origin.trait,
        data_set=origin.scored_for,
        subset=group,
    )["score"].to_numpy()


def _stored(store: Store | None, trait: str, neighbours: tuple[SimilarReport, ...]) -> Mapping[str, object] | None:
    if store is None or not neighbours:
        return None
    rows = store.frame(
        f"SELECT image_id, subset, score FROM {GROUPED_IMAGES} "
        "LEFT JOIN (FROM scores WHERE trait = $trait) USING (image_id) WHERE image_id = $i",
        trait=trait,
        i=neighbours[0].query,
    ).to_dicts()
    return rows[0] if rows else None
