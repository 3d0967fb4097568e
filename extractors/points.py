"""Faces whose landmarks have names, and the measures that geometric features are made of.

The names are the same for every set of landmarks; what stands behind them is the set's own, see `extractors.topology`.
Right and left are the subject's: `right_eye_outer` lies on the image's left.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.topologies.registry import topology_of

Values = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

OPEN_CONTOURS = frozenset(
    {"jaw", "midline", "right_brow_upper", "left_brow_upper", "right_brow_lower", "left_brow_lower"}
)
"""Lines; every other contour is a closed outline."""


REGION_CONTOURS: dict[str, tuple[str, ...]] = {
    "eyes": ("right_eye", "left_eye"),
    "brows": ("right_brow", "left_brow"),
    "nose": ("nose",),
    "lips": ("lips_outer",),
    "jawline": ("jaw_band",),
    "cheeks": ("right_cheek_area", "left_cheek_area"),
    "skin": ("forehead", "right_under_eye", "left_under_eye", "chin_area"),
    "symmetry": ("face_oval",),
}
"""region -> closed contours that stand for it: shaded by overlays, compared by regional asymmetry."""

SKIN_PATCHES = ("forehead", "right_cheek_area", "left_cheek_area", "chin_area", "nose_ridge")
"""Contours of bare skin; formulas call them the patches."""


class Landmarks:
    """n faces whose landmarks have names, and the measures that geometric features are made of.

    Indexing and `contour` give pixels. Every other measure is taken in the face's own frame: x along the line
    through the eye centres towards the subject's left, lengths in face widths. So no feature depends on the
    size, place or tilt of the face.
    """

    def __init__(self, pixels: Reals) -> None:
        """`pixels`: (n, P, 3), x and y in pixels with y down, z in the same unit."""
        self._pixels = pixels.astype(np.float64, copy=False)
        self.topology = topology_of(self._pixels)
        self._places: dict[str, Values] = {}

    @cached_property
    def face_width(self) -> Values:
        """(n,) pixels between the zygions, where the face is widest."""
        return _lengths(self["left_zygion"] - self["right_zygion"])

    @cached_property
    def face_frame(self) -> Values:
        """(n, P, 3) in the face's own frame; y still points down."""
        eyes = self["left_eye_centre"] - self["right_eye_centre"]
        angle = np.arctan2(eyes[:, 1], eyes[:, 0])
        cos, sin = (np.cos(angle) / self.face_width)[:, None], (np.sin(angle) / self.face_width)[:, None]
        x, y, z = np.moveaxis(self._pixels - self._pixels[:, :1], 2, 0)
        return np.stack([x * cos + y * sin, y * cos - x * sin, z / self.face_width[:, None]], axis=2)

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, name: str) -> Values:
        """(n, 2) pixels of a named point."""
        return _mean_point(self._pixels[:, :, :2], self.topology.points[name])

    def contour(self, name: str) -> Values:
        """(n, k, 2) pixels of a named contour in drawing order."""
        return self._pixels[:, self.topology.contours[name], :2]

    def _place(self, name: str) -> Values:
        if name not in self._places:
            self._places[name] = _mean_point(self.face_frame, self.topology.points[name])
        return self._places[name]

    def distance(self, a: str, b: str) -> Values:
        """Distance between two points in the photo's plane, face widths."""
        return _lengths(self._place(b) - self._place(a))

    def across(self, a: str, b: str) -> Values:
        """Distance along the eye line, face widths, never negative."""
        return abs(self._place(b)[:, 0] - self._place(a)[:, 0])

    def rise(self, a: str, b: str) -> Values:
        """How far b lies above a, at right angles to the eye line, face widths."""
        return self._place(a)[:, 1] - self._place(b)[:, 1]

    def behind(self, a: str, b: str) -> Values:
        """How far b lies farther from the viewer than a, face widths (the landmarker's estimate of depth)."""
        return self._place(b)[:, 2] - self._place(a)[:, 2]

    def tilt(self, a: str, b: str) -> Values:
        """Rise of the line from a to b, degrees; positive when b lies above a."""
        return _degrees(self.rise(a, b), self.across(a, b))

    def angle(self, a: str, vertex: str, b: str) -> Values:
        """Angle at `vertex` between the lines to a and b, degrees in [0, 180]."""
        u, v = (self._place(p)[:, :2] - self._place(vertex)[:, :2] for p in (a, b))
        return _degrees(abs(_cross(u, v)), _dot(u, v))

    def from_midline(self, name: str) -> Values:
        """Distance from the straight line glabella - chin, face widths."""
        start = self._place("glabella")[:, :2]
        line = self._place("chin")[:, :2] - start
        return abs(_cross(line, self._place(name)[:, :2] - start)) / _lengths(line)

    def area(self, contour: str) -> Values:
        """Area inside a closed contour, square face widths (shoelace formula)."""
        p = self._outline(contour)
        twice: Values = abs(_cross(p, np.roll(p, -1, axis=1)).sum(axis=1))
        return twice / 2

    def perimeter(self, contour: str) -> Values:
        """Length of a closed contour, face widths."""
        p = self._outline(contour)
        length: Values = _lengths(np.roll(p, -1, axis=1) - p).sum(axis=1)
        return length

    def arch(self, contour: str) -> Values:
        """Greatest height of an open contour over the chord between its ends, as a part of that chord."""
        p = self._outline(contour)
        chord = p[:, -1:] - p[:, :1]
        heights: Values = abs(_cross(chord, p - p[:, :1])).max(axis=1)
        return heights / _lengths(chord)[:, 0] ** 2

    def gap(self, a: str, b: str) -> Values:
        """Mean distance between two contours of equal length, point by point, face widths."""
        distance: Values = _lengths(self._outline(a) - self._outline(b)).mean(axis=1)
        return distance

    def curvature(self, contour: str) -> Values:
        """(n, k - 2) turning angle at each inner point of an open contour per length, radians a face width.

        Discrete curvature of a polyline: the exterior angle over the mean length of the two segments.
        """
        segments = np.diff(self._outline(contour), axis=1)
        before, after = segments[:, :-1], segments[:, 1:]
        turn: Values = np.arctan2(_cross(before, after), _dot(before, after))
        return abs(turn) * 2 / (_lengths(before) + _lengths(after))

    def _outline(self, contour: str) -> Values:
        # one memory layout for any n, so that sums run in one order and n faces equal n single faces to the bit
        return self.face_frame[:, self.topology.contours[contour], :2].copy()


def _mean_point(points: Values, indices: tuple[int, ...]) -> Values:
    total: Any = sum(points[:, i] for i in indices)
    mean: Values = total / len(indices)
    return mean


def _cross(u: Values, v: Values) -> Values:
    product: Values = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    return product


def _dot(u: Values, v: Values) -> Values:
    product: Values = u[..., 0] * v[..., 0] + u[..., 1] * v[..., 1]
    return product


def _lengths(vectors: Values) -> Values:
    lengths: Values = np.hypot(vectors[..., 0], vectors[..., 1])
    return lengths


def _degrees(opposite: Values, adjacent: Values) -> Values:
    angles: Values = np.degrees(np.arctan2(opposite, adjacent))
    return angles
