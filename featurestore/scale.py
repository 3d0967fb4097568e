"""The range of scores: what raters could give, the one that models work on, and the map between the two.

A data set has a scale for each trait, and a run that of what it was trained on. Models, and all scores that a store
keeps of them, are on `MODEL_SCALE`, whatever the raters used: nothing else in kallos knows its ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Scores = TypeVar("Scores", bound=Any)
"""A number, an array, a tensor or a Polars expression."""


class Scale(NamedTuple):
    """Lowest and highest score."""

    low: float
    high: float

    def __str__(self) -> str:
        """`1-7`; `-3 to 3` where the lowest is negative."""
        return self.words if self.low < 0 else f"{self.low:g}-{self.high:g}"

    @property
    def words(self) -> str:
        """`1 to 7`."""
        return f"{self.low:g} to {self.high:g}"

    @property
    def width(self) -> float:
        """Points from the lowest score to the highest."""
        return self.high - self.low

    def share(self, scores: Scores) -> Scores:
        """Where scores lie on the scale: 0 is its lowest, 1 its highest."""
        return (scores - self.low) / self.width

    def at(self, shares: Scores) -> Scores:
        """The scores that lie there: the inverse of `share`."""
        return shares * self.width + self.low

    def to_models(self, scores: Scores) -> Scores:
        """Scores on this scale, on that of models."""
        return MODEL_SCALE.at(self.share(scores))

    def from_models(self, scores: Scores) -> Scores:
        """Scores of models, on this scale."""
        return self.at(MODEL_SCALE.share(scores))

    def errors_from_models(self, errors: Scores) -> Scores:
        """Differences of two scores of models, in points of this scale."""
        return errors * (self.width / MODEL_SCALE.width)

    def clip(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores held on the scale; NaN and infinity stay, so that a broken model is not taken for a sure one."""
        return np.where(np.isfinite(scores), np.clip(scores, *self), scores)


MODEL_SCALE = Scale(1.0, 5.0)
"""The scale of models: learning rates, penalties and limits are in its points, so that they hold for any raters."""

RATINGS = np.arange(MODEL_SCALE.low, MODEL_SCALE.high + 1)
"""The ratings whose shares of the raters Model A learns, where they are known."""
