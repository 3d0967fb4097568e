"""A set of landmarks: how many there are, which mirrors which, and what the named ones are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Indices = tuple[int, ...]
Points = TypeVar("Points", bound=NDArray[Any])


@dataclass(frozen=True, eq=False)
class Topology:
    """A set of landmarks. Right and left are the subject's.

    name      such as `mediapipe-478`
    version   raised by one whenever a named point, a contour, the mesh or the mirror map changes
    number    P, how many landmarks a face has; no two sets have the same
    mesh      (M, 3) canonical face in cm, x to the image's right, y down, z away from the viewer: the first M
              landmarks. Those beyond, such as irises, are no part of the shape
    mirror    (P,) the landmark on the other half of the face; the midline's landmarks are their own mirror
    points    name -> landmarks whose mean is the point
    contours  name -> landmarks in drawing order; `extractors.points.OPEN_CONTOURS` says which are lines
    finder    `module:class` of what finds them in a photo, an `extractors.landmark_finder.Finder`; None of an earlier
              set that is read alone
    """

    name: str
    version: int
    number: int
    mesh: NDArray[np.float64]
    mirror: NDArray[np.int64]
    points: Mapping[str, Indices]
    contours: Mapping[str, Indices]
    finder: str | None

    @property
    def label(self) -> str:
        """Name and version, as recipes write them."""
        return f"{self.name}@{self.version}"

    @property
    def shape_length(self) -> int:
        """Of a shape: x of every landmark of the mesh, then y."""
        return 2 * len(self.mesh)

    @property
    def mesh_mirror(self) -> NDArray[np.int64]:
        """(M,) the mirror map of the mesh alone."""
        return self.mirror[: len(self.mesh)]

    def of_mesh(self, landmarks: Points) -> Points:
        """The (n, M, 3) landmarks of the mesh, out of (n, P, 3)."""
        return landmarks[:, : len(self.mesh)]  # type: ignore[return-value]


def both_sides(right: Mapping[str, Indices], mirror: NDArray[np.int64]) -> dict[str, Indices]:
    """`right_` and `left_` of each name, from the landmarks of the right half."""
    named = {}
    for name, indices in right.items():
        named[f"right_{name}"] = indices
        named[f"left_{name}"] = _mirrored(indices, mirror)
    return named


def whole(half: Indices, mirror: NDArray[np.int64]) -> Indices:
    """A contour across the midline, from its right half."""
    return half + tuple(i for i in reversed(_mirrored(half, mirror)) if i not in half)


def _mirrored(indices: Indices, mirror: NDArray[np.int64]) -> Indices:
    return tuple(int(mirror[i]) for i in indices)
