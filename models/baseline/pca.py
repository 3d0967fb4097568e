"""Principal components of shapes, and of whatever else has more numbers than matter."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-6
"""Part of the largest scale, and of the largest mean, up to which a component is rounding of 32 bits."""

EXACT = 2_000
"""Rows or columns up to which all components are computed: what an encoder shows of a region would take minutes."""


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components (Pearson 1901).

    mean   (d,) float32
    axes   (k, d) float32, orthonormal rows by falling variance
    scale  (k,) float32, standard deviation of the fitted rows along each axis
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, rows: NDArray[np.float32], count: int, exact: int = EXACT) -> Self:
        """The first components of (n, d) rows: `count` of them, or as many as the rows have.

        Of more than `exact` rows and columns they are found by random projections.
        """
        mean = rows.mean(axis=0, dtype=np.float64)
        singular, axes = _decomposed(rows - mean, count, exact)
        scale = singular / np.sqrt(len(rows))
        # rows that are equal up to rounding have none
        chosen = np.flatnonzero(scale[:count] > SMALLEST * max(scale[0], np.abs(mean).max(), SMALLEST))
        # the sign of an axis is arbitrary: its largest entry is made positive, the same on every machine
        largest = np.abs(axes[chosen]).argmax(axis=1)
        axes = axes[chosen] * np.sign(axes[chosen, largest])[:, None]
        return cls(mean.astype(np.float32), axes.astype(np.float32), scale[chosen].astype(np.float32))

    def transform(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, d) to (n, k), each column of unit variance over the fitted rows."""
        centred = rows.astype(np.float64) - self.mean
        return centred @ self._across / self.scale

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What is to be saved."""
        return {"mean": self.mean, "axes": self.axes, "scale": self.scale}

    @cached_property
    def _across(self) -> NDArray[np.float64]:
        """(d, k): for one photo, to widen the axes would take longer than to use them."""
        return self.axes.T.astype(np.float64)


def _decomposed(
    centred: NDArray[np.float64], count: int, exact: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Singular values and right singular vectors by falling value, at least `count` of them where there are as many."""
    if min(centred.shape) <= exact:
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    else:
        # the first ones by random projections (Halko, Martinsson & Tropp 2011)
        from sklearn.utils.extmath import randomized_svd

        _, singular, axes = randomized_svd(centred, count, random_state=0)
    return singular, axes
