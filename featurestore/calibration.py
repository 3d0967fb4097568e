"""A calibration of scores: the bias that is taken off, and how far the prediction interval reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from featurestore.scale import MODEL_SCALE

LEVEL = 0.9
"""Share of new photos that an interval aims to cover."""
FEWEST = 30
"""Training photos that an interval takes: with fewer, one training in twenty might cover less than 80 %."""

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Low and high ends (n,) of intervals."""


@dataclass(frozen=True)
class Calibration:
    """Bias and intervals from the out-of-fold errors on n photos.

    bias         mean of predicted - true, which is subtracted; 0 for everyone
    scores       (k,) rising predicted scores
    half_widths  (k,) how far the interval reaches to both sides there, linear between them; empty where n is too small
    """

    n: int
    bias: float
    scores: tuple[float, ...]
    half_widths: tuple[float, ...]

    @property
    def likely_coverage(self) -> tuple[float, float]:
        """Where the coverage of 90 of 100 trainings on n rows with independent errors would lie (Vovk 2012)."""
        place = math.ceil((self.n + 1) * LEVEL)
        low, high = betaincinv(place, self.n + 1 - place, (0.05, 0.95))
        return float(low), float(high)

    def corrected(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predicted scores (n,) without the bias, clipped to the scale."""
        return MODEL_SCALE.clip(scores - self.bias)

    def interval(self, scores: NDArray[np.float64]) -> Ends | None:
        """Ends of the intervals of predicted scores (n,), clipped to the scale; None where there are none."""
        if not self.half_widths:
            return None
        middle, reach = scores - self.bias, np.interp(scores, self.scores, self.half_widths)
        return MODEL_SCALE.clip(middle - reach), MODEL_SCALE.clip(middle + reach)


def conformal_quantile(distances: NDArray[np.float64]) -> float:
    """The ceil((n + 1) LEVEL)-th smallest of n distances; infinite where there are fewer than 9."""
    place = math.ceil((len(distances) + 1) * LEVEL)
    return float(np.sort(distances)[place - 1]) if place <= len(distances) else math.inf
