"""The one registry of named landmarks and contours; bare indices stand nowhere else.

Right and left are the subject's: `right_eye_outer` lies on the image's left. Only right halves and the
midline are written down, the left ones follow from the mirror map.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.canonical import MIRROR

Values = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

_MIDLINE_POINTS = {
    "face_top": (10,),  # the mesh's upper edge, not the hairline
    "glabella": (9,),
    "nasion": (168,),
    "nose_tip": (4,),
    "subnasale": (2,),
    "upper_lip_top": (0,),
    "upper_lip_bottom": (13,),
    "lower_lip_top": (14,),
    "lower_lip_bottom": (17,),
    "chin": (152,),
}

# a point of several landmarks is their mean
_RIGHT_POINTS = {
    "eye_outer": (33,),
    "eye_inner": (133,),
    "eye_centre": (33, 133),
    "upper_lid": (159,),
    "upper_lid_outer": (160,),
    "upper_lid_inner": (158,),
    "lower_lid": (145,),
    "lower_lid_outer": (144,),
    "lower_lid_inner": (153,),
    "brow_outer": (70, 46),
    "brow_inner": (107, 55),
    "brow_top": (105,),
    "brow_bottom": (52,),
    "bridge_side": (174,),
    "alare": (129,),
    "nostril_base": (98,),
    "mouth_corner": (61,),
    "lip_peak": (37,),
    "cheek": (50,),
    "lower_cheek": (205,),
    "cheekbone": (116,),
    "zygion": (234,),
    "jaw_side": (132,),
    "gonion": (58,),
    "jaw_corner": (172,),
    "chin_corner": (176,),
    "chin_side": (148,),
    "temple": (127,),
    "forehead_side": (54,),
}

_RIGHT_CONTOURS = {
    "eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "brow_upper": (70, 63, 105, 66, 107),
    "brow_lower": (46, 53, 52, 65, 55),
    "cheek_area": (117, 118, 101, 36, 205, 187, 123),
    "under_eye": (228, 229, 230, 231, 232, 121, 120, 119, 118, 117),
}

# the right half, from one end of the midline to the other
_HALF_CONTOURS = {
    "face_oval": (10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    "jaw": (132, 58, 172, 136, 150, 149, 176, 148, 152),
    "jaw_band": (175, 171, 140, 170, 169, 135, 138, 215, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    "lips_outer": (0, 37, 39, 40, 185, 61, 146, 91, 181, 84, 17),
    "lips_inner": (13, 82, 81, 80, 191, 78, 95, 88, 178, 87, 14),
    "nose": (168, 193, 188, 174, 217, 126, 129, 98, 97, 2),
    "nose_ridge": (6, 122, 174, 198, 220, 4),
    "forehead": (151, 108, 69, 104, 107, 9),
    "chin_area": (200, 201, 194, 32, 171, 175),
    "midline": (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 17, 18, 200, 199, 175, 152),
}

OPEN_CONTOURS = frozenset(
    {"jaw", "midline", "right_brow_upper", "left_brow_upper", "right_brow_lower", "left_brow_lower"}
)
"""Lines; every other contour is a closed outline."""


def _mirrored(indices: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(MIRROR[i]) for i in indices)


def _both_sides(right: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    named = {}
    for name, indices in right.items():
        named[f"right_{name}"] = indices
        named[f"left_{name}"] = _mirrored(indices)
    return named


def _whole(half: tuple[int, ...]) -> tuple[int, ...]:
    return half + tuple(i for i in reversed(_mirrored(half)) if i not in half)


POINTS: dict[str, tuple[int, ...]] = _MIDLINE_POINTS | _both_sides(_RIGHT_POINTS)
"""name -> landmarks whose mean is the point."""

CONTOURS: dict[str, tuple[int, ...]] = _both_sides(_RIGHT_CONTOURS) | {
    name: _whole(half) for name, half in _HALF_CONTOURS.items()
}
"""name -> landmarks in drawing order; see `OPEN_CONTOURS`."""

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


class Landmarks:
    """n faces whose landmarks have names, and the measures that geometric features are made of.

    Indexing and `contour` give pixels. Every other measure is taken in the face's own frame: x along the line
    through the eye centres towards the subject's left, lengths in face widths. So no feature depends on the
    size, place or tilt of the face.
    """

    def __init__(self, pixels: Reals) -> None:
        """`pixels`: (n, 468, 3), x and y in pixels with y down, z in the same unit."""
        self._pixels = np.asarray(pixels, dtype=np.float64)
        self._places: dict[str, Values] = {}

    @cached_property
    def face_width(self) -> Values:
        """(n,) pixels between the zygions (landmarks 234 and 454)."""
        return _lengths(self["left_zygion"] - self["right_zygion"])

    @cached_property
    def own(self) -> Values:
        """(n, 468, 3) in the face's own frame; y still points down."""
        eyes = self["left_eye_centre"] - self["right_eye_centre"]
        angle = np.arctan2(eyes[:, 1], eyes[:, 0])
        cos, sin = (np.cos(angle) / self.face_width)[:, None], (np.sin(angle) / self.face_width)[:, None]
        x, y, z = np.moveaxis(self._pixels - self._pixels[:, :1], 2, 0)
        return np.stack([x * cos + y * sin, y * cos - x * sin, z / self.face_width[:, None]], axis=2)

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, name: str) -> Values:
        """(n, 2) pixels of a named point."""
        return _mean_of(self._pixels[:, :, :2], POINTS[name])

    def contour(self, name: str) -> Values:
        """(n, k, 2) pixels of a named contour in drawing order."""
        return self._pixels[:, CONTOURS[name], :2]

    def _place(self, name: str) -> Values:
        if name not in self._places:
            self._places[name] = _mean_of(self.own, POINTS[name])
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
        """How far b lies farther from the viewer than a, face widths (FaceMesh's estimate of depth)."""
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
        return np.asarray(abs(_cross(p, np.roll(p, -1, axis=1)).sum(axis=1)) / 2)

    def perimeter(self, contour: str) -> Values:
        """Length of a closed contour, face widths."""
        p = self._outline(contour)
        return np.asarray(_lengths(np.roll(p, -1, axis=1) - p).sum(axis=1))

    def arch(self, contour: str) -> Values:
        """Greatest height of an open contour over the chord between its ends, as a part of that chord."""
        p = self._outline(contour)
        chord = p[:, -1:] - p[:, :1]
        heights: Values = abs(_cross(chord, p - p[:, :1])).max(axis=1)
        return heights / _lengths(chord)[:, 0] ** 2

    def gap(self, a: str, b: str) -> Values:
        """Mean distance between two contours of equal length, point by point, face widths."""
        return np.asarray(_lengths(self._outline(a) - self._outline(b)).mean(axis=1))

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
        return np.ascontiguousarray(self.own[:, CONTOURS[contour], :2])


def _mean_of(points: Values, indices: tuple[int, ...]) -> Values:
    return np.asarray(sum(points[:, i] for i in indices) / len(indices))


def _cross(u: Values, v: Values) -> Values:
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def _dot(u: Values, v: Values) -> Values:
    return np.asarray(u[..., 0] * v[..., 0] + u[..., 1] * v[..., 1])


def _lengths(vectors: Values) -> Values:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))


def _degrees(opposite: Values, adjacent: Values) -> Values:
    return np.asarray(np.degrees(np.arctan2(opposite, adjacent)))
