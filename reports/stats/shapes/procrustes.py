"""Generalised Procrustes analysis of landmarks in the plane, and the two halves of asymmetry.

Landmarks are fixed points: none slides along its curve (Bookstein 1997). A photo has no unit of length, so size is
removed and not studied. Shapes are complex, x + iy, centred and of unit centroid size: to turn one is to multiply it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import Shapes, mirrored, turned_onto
from reports.stats.bootstrap import Reals

MOVED = 1e-12
MOST_ROUNDS = 100
"""The mean is found when it moves less than that; faces need some five rounds."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Shapes turned onto their mean by least squares.

    mean    (M,) complex, unit size
    shapes  (n, M) complex, unit size
    """

    mean: Shapes
    shapes: Shapes

    @classmethod
    def of(cls, shapes: Shapes, upright: Shapes, mirror: NDArray[np.int64] | None = None) -> Self:
        """Partial Procrustes superimposition (Gower 1975; Dryden & Mardia 2016, ch. 7) of (n, M) unit shapes.

        `upright` (M,) is a unit shape that says how the mean is turned, and nothing else. With `mirror` (M,) the
        mirror images take part, which makes the mean symmetric (Mardia, Bookstein & Moreton 2000).
        """
        mean = upright if mirror is None else _unit(upright + mirrored(upright[None], mirror)[0])
        for _ in range(MOST_ROUNDS):
            before, mean = mean, turned_onto(shapes, mean[None]).mean(axis=0)
            if mirror is not None:
                mean = mean + mirrored(mean[None], mirror)[0]
            mean = turned_onto(_unit(mean)[None], upright[None])[0]
            if np.linalg.norm(mean - before) < MOVED:
                break
        return cls(mean, turned_onto(shapes, mean[None]))

    @property
    def distances(self) -> Reals:
        """(n,) partial Procrustes distances to the mean: an average face has little."""
        return np.asarray(np.linalg.norm(self.shapes - self.mean, axis=1))

    @property
    def tangent(self) -> Reals:
        """(n, 2M) coordinates in the plane that touches the shapes at their mean: x, then y (orthogonal projection)."""
        along = (self.shapes * self.mean.conj()).sum(axis=1, keepdims=True)
        return flat(self.shapes - along * self.mean)


def flat(shapes: Shapes) -> Reals:
    """(..., M) complex as (..., 2M) real: x, then y."""
    return np.concatenate([shapes.real, shapes.imag], axis=-1)


def shaped(values: Reals) -> Shapes:
    """What `flat` made."""
    x, y = np.split(values, 2, axis=-1)
    return np.asarray(x + 1j * y)


def _unit(shape: Shapes) -> Shapes:
    return np.asarray(shape / np.linalg.norm(shape))


def asymmetries(shapes: Shapes, upright: Shapes, mirror: NDArray[np.int64]) -> tuple[Reals, Reals]:
    """Object symmetry (Klingenberg, Barluenga & Meyer 2002) of (n, M) unit shapes.

    Returns (n, 2M) differences of each shape from its mirror image, and the means of the two, shapes made symmetric.
    """
    aligned = Aligned.of(shapes, upright, mirror)
    # the mean is symmetric, so the mirror image of what is turned onto it is turned onto it, too
    images = mirrored(aligned.shapes, mirror)
    return flat(aligned.shapes - images), flat((aligned.shapes + images) / 2)
