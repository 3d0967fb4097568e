"""Principal components of what an encoder shows of a region, in which Model B is trained.

A region has thousands of numbers for a few thousand faces. A network learns faster, and fits less noise, from their
main components; as these are sums of the numbers, the trained layer is written as one that sees the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd


class Basis:
    """Turns a region's inputs, measured features before what each network shows, into features and components."""

    def __init__(self, axes: Sequence[NDArray[np.float32]], features: int) -> None:
        """`axes` are (P, K), one a network; the features before them stay as they are."""
        self._axes = axes
        self._ends = np.cumsum([features, *(len(each) for each in axes)])

    @classmethod
    def fit(cls, inputs: NDArray[np.float32], widths: Sequence[int], count: int, seed: int) -> Basis:
        """The basis of (n, P) standardised inputs, of which the last `widths` are what each network shows.

        Each network's first component has a spread of 1.
        """
        features = inputs.shape[1] - sum(widths)
        shown = np.split(inputs[:, features:], np.cumsum(widths)[:-1], axis=1) if widths else []
        return cls([_axes(values, count, seed) for values in shown], features)

    def components(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, P) inputs to (n, features + components)."""
        features, *shown = np.split(inputs, self._ends[:-1], axis=1)
        return np.hstack([features, *(values @ axes for values, axes in zip(shown, self._axes, strict=True))])

    def unfolded(self, layer: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, features + components), weights of a layer on components, as (H, P) weights on the inputs."""
        counts = np.cumsum([self._ends[0], *(each.shape[1] for each in self._axes)])[:-1]
        features, *others = np.split(layer, counts, axis=1)
        return np.hstack([features, *(part @ axes.T for part, axes in zip(others, self._axes, strict=True))])


def _axes(values: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """(n, P) to (P, K) axes, at most `count`, scaled so that the first component has a spread of 1."""
    _, lengths, axes = randomized_svd(values, min(count, *values.shape), random_state=seed)
    axes *= np.sqrt(len(values)) / max(float(lengths[0]), 1e-12)
    return np.ascontiguousarray(axes.T)
