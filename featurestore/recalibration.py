"""A map from a model's scores to those of other raters, fitted on a sample of photos that they rated.

It increases strictly, so it changes no order. Photos with neighbouring predictions are put into groups; isotonic
regression (Barlow et al. 1972) of the groups' mean scores on their mean predictions gives the map, straight between
groups. Beyond the outer groups it goes on with the slope of the regression line to the ends of the sample, from there
straight to the ends of the scale.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.calibration import Ends, conformal_quantile
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.scale_maps import ScaleMap

PARTS = 5
PHOTOS_A_GROUP, MOST_GROUPS = 10, 30
LEAST_SLOPE = 0.05
"""Of the map beyond the outer groups: where predictions say nothing, it is nearly flat, and still increases."""

SMALLEST_REACH = 1e-6
"""Points of the scale of models, so that nothing is divided by an interval without width."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What a model's scores and intervals become.

    map       from its scores to those of the other raters
    widening  factor of both sides of an interval after the map, so that it covers what it aims to
    """

    map: ScaleMap
    widening: float

    @classmethod
    def fit(cls, scale: Scale, image_ids: Sequence[str], truth: Array, predicted: Array, ends: Ends | None) -> Self:
        """From n photos with raters' scores `truth`, given on `scale`; the arrays are on that of models.

        The widening is the conformal quantile of how far scores lie from predictions mapped without them, in units of
        their intervals; 1 where there are no intervals.
        """
        widening = 1.0
        if ends:
            columns = cross_mapped(image_ids, truth, {"predicted": predicted, "low": ends[0], "high": ends[1]})
            middle, low, high = columns.values()
            reach = np.where(truth >= middle, high - middle, middle - low).clip(SMALLEST_REACH)
            widening = conformal_quantile(np.abs(truth - middle) / reach)
        return cls(monotone(scale, predicted, truth), widening)

    def ends(self, predicted: Array, ends: Ends) -> Ends:
        """Ends of the intervals (n,) of predictions, after the map."""
        middle, low, high = (self.map.from_shared(values) for values in (predicted, *ends))
        wide = middle - (middle - low) * self.widening, middle + (high - middle) * self.widening
        return MODEL_SCALE.clip(wide[0]), MODEL_SCALE.clip(wide[1])


def monotone(scale: Scale, predicted: Array, truth: Array) -> ScaleMap:
    """The map of this module from (n,) predictions to (n,) scores; `scale` is that which the scores were given on."""
    # to predict needs no fit, and scipy.optimize takes a while to load
    from scipy.optimize import isotonic_regression

    number = int(np.clip(len(predicted) // PHOTOS_A_GROUP, 2, MOST_GROUPS))
    groups = np.array_split(np.argsort(predicted, kind="stable"), number)
    sizes = np.array([len(rows) for rows in groups])
    fitted = isotonic_regression([truth[rows].mean() for rows in groups], weights=sizes)
    places = np.add.reduceat([predicted[rows].sum() for rows in groups], fitted.blocks[:-1])
    places /= np.add.reduceat(sizes, fitted.blocks[:-1])
    means = fitted.x[fitted.blocks[:-1]]
    centred = predicted - predicted.mean()
    slope = max(float(centred @ truth) / max(float(centred @ centred), SMALLEST_REACH), LEAST_SLOPE)
    outer = predicted.min(), predicted.max()
    beyond = means[0] + slope * (outer[0] - places[0]), means[-1] + slope * (outer[1] - places[-1])
    knots = np.column_stack([[outer[0], *places, outer[1]], [beyond[0], *means, beyond[1]]])
    return ScaleMap.through(scale, knots)


def cross_mapped(image_ids: Sequence[str], truth: Array, columns: Mapping[str, Array]) -> dict[str, Array]:
    """Predictions of n images, `predicted` and other arrays beside it, mapped to the scale of the scores `truth`.

    There are five maps, each fitted without a fifth of the images, drawn by a hash of the id, which it then maps: no
    image is evaluated with a map that was fitted on it.
    """
    digests = [hashlib.sha256(f"map {image_id}".encode()).digest() for image_id in image_ids]
    parts = np.array([int.from_bytes(digest[:8], "big") % PARTS for digest in digests])
    mapped = {name: np.empty(len(parts)) for name in columns}
    for part in np.unique(parts):
        held_out = parts == part
        fitted = monotone(MODEL_SCALE, columns["predicted"][~held_out], truth[~held_out])
        for name, values in columns.items():
            mapped[name][held_out] = fitted.from_shared(values[held_out])
    return mapped
