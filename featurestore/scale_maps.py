"""Several data sets at once: one shared score, and a strictly increasing map from it to each data set's scores.

Models learn and predict the shared score, which is that of one of the data sets, the reference. Where fewer than
FEWEST_SHARED training photos were rated in both, the map of another data set takes each quantile of the reference's
training scores to the same quantile of its own (equipercentile linking; Kolen & Brennan 2014, 2.5). That assumes that
the photos of both are as attractive on the whole, which nothing in the data can tell: their raters differ, too, and
what a model of one population says of another is off by more (docs/design/scores.md has figures). Of the photos that
both rated, where there are enough, the same holds by construction, and they alone are linked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore.errors import PrerequisiteError
from featurestore.scale import MODEL_SCALE, RATINGS, Scale
from featurestore.store import Store

FEWEST = 20
"""Training photos of a data set: quantiles of fewer mean little."""

FEWEST_SHARED = 50
"""Photos that were rated in both data sets, from which on they alone are linked."""

PHOTOS_A_KNOT, MOST_KNOTS = 5, 32
APART = 1e-3
"""Points of the scale of models between two knots, and between a knot and an end of the scale, at least."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScaleMap:
    """Piecewise linear from `MODEL_SCALE` onto itself: the ends stay, and both arrays increase strictly.

    scale    that of the data set's ratings
    shared   (K,) shared scores
    scores   (K,) scores of this data set there, on `MODEL_SCALE`
    """

    scale: Scale
    shared: Array
    scores: Array

    def __post_init__(self) -> None:
        """Raises ValueError for knots that are no such map."""
        for knots in (self.shared, self.scores):
            if len(knots) < 2 or (knots[0], knots[-1]) != MODEL_SCALE or not (np.diff(knots) > 0).all():
                raise ValueError("a scale map does not increase from end to end")
        if len(self.shared) != len(self.scores):
            raise ValueError("a scale map has knots of different lengths")

    @classmethod
    def reference(cls, scale: Scale) -> Self:
        """That of the data set whose scores are the shared ones."""
        return cls(scale, np.array(MODEL_SCALE), np.array(MODEL_SCALE))

    @classmethod
    def linking(cls, scale: Scale, scores: Array, reference: Array) -> Self:
        """From (n,) scores of a data set and (m,) of the reference; equal scores share their mean rank."""
        own, own_ranks = _ranks(scores)
        other, other_ranks = _ranks(reference)
        number = int(np.clip(min(len(scores), len(reference)) // PHOTOS_A_KNOT, 2, MOST_KNOTS))
        low, high = max(own_ranks[0], other_ranks[0]), min(own_ranks[-1], other_ranks[-1])
        ranks = np.linspace(low, high, number)
        knots = np.column_stack([np.interp(ranks, other_ranks, other), np.interp(ranks, own_ranks, own)])
        return cls.through(scale, knots)

    @classmethod
    def through(cls, scale: Scale, knots: Array) -> Self:
        """Through (K, 2) shared scores and scores, rising; knots too near to others or to an end are left out."""
        chosen = [np.full(2, MODEL_SCALE.low)]
        for knot in knots:
            if (knot - chosen[-1] >= APART).all() and (knot <= MODEL_SCALE.high - APART).all():
                chosen.append(knot)
        return cls(scale, *np.array([*chosen, np.full(2, MODEL_SCALE.high)]).T)

    def to_shared(self, scores: Array) -> Array:
        """Shared scores of scores of this data set, on `MODEL_SCALE`."""
        return np.interp(scores, self.scores, self.shared)

    def from_shared(self, shared: Array) -> Array:
        """The inverse of `to_shared`. NaN and infinity stay, so that a broken model is not taken for a sure one."""
        return np.where(np.isfinite(shared), np.interp(shared, self.shared, self.scores), shared)

    def histograms_to_shared(self, shares: Array) -> Array:
        """(n, H) shares of the raters by `RATINGS`: each rating moves, and is dealt to the two around its place."""
        place = self.to_shared(RATINGS) - RATINGS[0]
        moved = np.maximum(1 - np.abs(place[:, None] - np.arange(len(RATINGS))), 0)
        return shares @ moved

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `restore` reads it."""
        return {"scale": list(self.scale), "shared": self.shared.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def restore(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave. Raises ValueError for what is no map."""
        low, high = map(float, content["scale"])
        return cls(Scale(low, high), *(np.array(content[name], dtype=np.float64) for name in ("shared", "scores")))


def _ranks(scores: Array) -> tuple[Array, Array]:
    """Each different score, and the share of scores below it and half of those that equal it."""
    values, counts = np.unique(scores, return_counts=True)
    return values, (np.cumsum(counts) - counts / 2) / len(scores)


@dataclass(frozen=True, eq=False)
class ScaleMaps:
    """data set -> map, the reference first; none where models learn from one data set: then scores are what they are.

    Images are told apart by the first part of their image_id; one of another data set has shared scores.
    """

    maps: Mapping[str, ScaleMap] = field(default_factory=dict)

    @classmethod
    def fit(cls, scales: Mapping[str, Scale], data_sets: Sequence[str], photos: Sequence[str], scores: Array) -> Self:
        """From the n training rows: their data sets, hashes of their photos and scores; `scales`, the reference first.

        Raises PrerequisiteError where a data set has too few rows or all its scores are equal.
        """
        rows = pl.DataFrame({"data_set": data_sets, "photo": photos, "score": scores})
        by_name = {name: rows.filter(data_set=name) for name in scales}
        for name, own in by_name.items():
            if len(own) < FEWEST or own["score"].n_unique() == 1:
                raise PrerequisiteError(
                    f"{name} has {len(own)} training photos with {own['score'].n_unique()} different scores; at least "
                    f"{FEWEST} photos and two scores are needed to link its scale to that of others: name a --protocol "
                    "without it."
                )
        (first, reference), *others = by_name.items()
        maps = {first: ScaleMap.reference(scales[first])}
        for name, own in others:
            both = own.join(reference, on="photo", suffix="_reference")
            linked = (both["score"], both["score_reference"])
            if len(both) < FEWEST_SHARED or any(one.n_unique() == 1 for one in linked):
                linked = (own["score"], reference["score"])
            maps[name] = ScaleMap.linking(scales[name], *(one.to_numpy() for one in linked))
        return cls(maps)

    @property
    def reference(self) -> str | None:
        """The data set whose scores are the shared ones."""
        return next(iter(self.maps), None)

    def to_shared(self, image_ids: Sequence[str], scores: Array) -> Array:
        """Shared scores of (n,) scores of these images' data sets."""
        return self._mapped(image_ids, scores, ScaleMap.to_shared)

    def from_shared(self, image_ids: Sequence[str], shared: Array) -> Array:
        """(n,) shared scores as scores of these images' data sets."""
        return self._mapped(image_ids, shared, ScaleMap.from_shared)

    def histograms_to_shared(self, image_ids: Sequence[str], shares: Array) -> Array:
        """As `ScaleMap.histograms_to_shared`, of (n, H)."""
        return self._mapped(image_ids, shares, ScaleMap.histograms_to_shared)

    def _mapped(self, image_ids: Sequence[str], values: Array, how: Callable[[ScaleMap, Array], Array]) -> Array:
        if not self.maps:
            return values
        mapped, data_sets = values.copy(), np.array([data_set_of(image_id) for image_id in image_ids])
        for name, each in self.maps.items():
            mapped[data_sets == name] = how(each, values[data_sets == name])
        return mapped

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in order."""
        return {name: each.as_dict() for name, each in self.maps.items()}

    @classmethod
    def restore(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave. Raises ValueError for what is no map."""
        return cls({str(name): ScaleMap.restore(each) for name, each in content.items()})


def data_set_of(image_id: str) -> str:
    """The data set that an image is of."""
    return image_id.partition("/")[0]


def record(store: Store, run_id: str, maps: ScaleMaps) -> None:
    """Store the maps of a run, as rows of `scale_maps`."""
    rows = [
        {"run_id": run_id, "data_set": name, "place": place, "scale_low": each.scale.low, "scale_high": each.scale.high}
        | {"shared": each.shared.tolist(), "scores": each.scores.tolist()}
        for place, (name, each) in enumerate(maps.maps.items(), start=1)
    ]
    if rows:
        store.append("scale_maps", pl.DataFrame(rows))


def of_run(store: Store, run_id: str) -> ScaleMaps:
    """The maps that a run was trained with; none of one on one data set."""
    rows = store.frame(
        "SELECT data_set, [scale_low, scale_high] AS scale, shared, scores FROM scale_maps WHERE run_id = $id "
        "ORDER BY place",
        id=run_id,
    )
    return ScaleMaps.restore({row.pop("data_set"): row for row in rows.to_dicts()})
