"""Every feature's formula, as people read it, computed once more from the photo and its landmarks.

A formula of landmarks is executed: the docstring's own text becomes an expression over the named points, with measures
written anew here. Formulas in words, and those of pixels, stand beside a computation under their very text. So neither
the text nor the code can change without the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from scipy.ndimage import correlate, uniform_filter

from extractors.alignment import Crop, align_face
from extractors.catalogue import GEOMETRIC, SKIN, FeatureDefinition
from extractors.geometry.compute import compute_geometry
from extractors.landmarker import Landmarker
from extractors.points import REGION_CONTOURS
from extractors.skin import compute_skin
from extractors.topologies.mediapipe_478 import TOPOLOGY
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters

MIRROR, CONTOURS, POINTS = TOPOLOGY.mesh_mirror, TOPOLOGY.contours, TOPOLOGY.points
GOLDEN_RATIO = (1 + np.sqrt(5)) / 2


class Point(NamedTuple):
    """A place in the face's own frame, y down."""

    x: float
    y: float
    z: float

    def __sub__(self, other: Any) -> Point:
        return Point(*(a - b for a, b in zip(self, other, strict=True)))

    def __abs__(self) -> float:
        return float(np.hypot(self.x, self.y))


class Face:
    """Points and contours of one face by name, turned and scaled as docs/features.md says."""

    def __init__(self, landmarks: np.ndarray) -> None:
        """(478, 3) pixels."""
        self.pixels = landmarks.astype(np.float64)
        right, left = (self.pixels[list(POINTS[f"{side}_eye_centre"])].mean(axis=0) for side in ("right", "left"))
        along = (left - right)[:2] / np.linalg.norm((left - right)[:2])
        turn = np.array([along, (-along[1], along[0])])
        across = self.pixels[POINTS["right_zygion"][0], :2] - self.pixels[POINTS["left_zygion"][0], :2]
        scale = 1 / np.linalg.norm(across)
        self.own = np.column_stack([self.pixels[:, :2] @ turn.T, self.pixels[:, 2]]) * scale

    def point(self, name: str) -> Point:
        return Point(*self.own[list(POINTS[name])].mean(axis=0))

    def contour(self, name: str) -> np.ndarray:
        """(k, 2)."""
        return self.own[list(CONTOURS[name]), :2]


# measures


def rise(a: Point, b: Point) -> float:
    return a.y - b.y


def across(a: Point, b: Point) -> float:
    return abs(a.x - b.x)


def tilt(a: Point, b: Point) -> float:
    return float(np.degrees(np.arctan(rise(a, b) / across(a, b))))


def angle(a: Point, vertex: Point, b: Point) -> float:
    u, v = (np.array((p - vertex)[:2]) for p in (a, b))
    return float(np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))))


def to_line(p: Point, a: Point, b: Point) -> float:
    """Distance of p from the line through a and b: height of the triangle, by Heron's formula."""
    sides = abs(b - a), abs(p - a), abs(p - b)
    s = sum(sides) / 2
    return float(2 * np.sqrt(s * np.prod([s - side for side in sides])) / sides[0])


def area(outline: np.ndarray) -> float:
    """By triangles on the first point."""
    u, v = (outline[1:-1] - outline[0]), (outline[2:] - outline[0])
    return float(abs(np.sum(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])) / 2)


def arch(line: np.ndarray) -> float:
    first, last = (Point(*line[i], 0) for i in (0, -1))
    return max(to_line(Point(*p, 0), first, last) for p in line[1:-1]) / abs(last - first)


def curvatures(line: np.ndarray) -> np.ndarray:
    found = []
    for (a, b), (_, c) in pairwise(pairwise(line)):
        u, v = b - a, c - b
        turn = np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
        found.append(turn / ((np.linalg.norm(u) + np.linalg.norm(v)) / 2))
    return np.array(found)


def mirror_gaps(face: Face) -> np.ndarray:
    """(468,) distances of the unit shape's landmarks from its mirror image's, least squares."""
    shape = face.pixels[: len(MIRROR), :2]
    unit = (shape - shape.mean(axis=0)) / np.linalg.norm(shape - shape.mean(axis=0))
    reflected = (unit * (-1, 1))[MIRROR]
    u, _, vt = np.linalg.svd(reflected.T @ unit)
    turn = u @ np.diag([1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return np.linalg.norm(reflected @ turn - unit, axis=1)


MEASURES = {"rise": rise, "across": across, "tilt": tilt, "angle": angle, "to_line": to_line}

# formulas that are no expression of points
IN_WORDS: dict[str, Callable[[Face, FeatureDefinition], float]] = {
    "max distance of {contour} to its chord / length of the chord": lambda f, d: arch(f.contour(d.points[0])),
    "shoelace area of the contour {contour}": lambda f, d: area(f.contour(d.points[0])),
    "mean of |upper_i - lower_i| over the five pairs of the two edges": lambda f, d: float(
        np.linalg.norm(f.contour(d.points[0]) - f.contour(d.points[1]), axis=1).mean()
    ),
    "4 pi area / perimeter^2 of the contour face_oval": lambda f, _: (
        4
        * np.pi
        * area(f.contour("face_oval"))
        / sum(np.linalg.norm(b - a) for a, b in pairwise([*f.contour("face_oval"), f.contour("face_oval")[0]])) ** 2
    ),
    "standard deviation of the five widths between neighbouring points along the eye line over their sum": (
        lambda f, d: float(np.std([across(*ends) / five_widths(f, d) for ends in pairwise(map(f.point, d.points))]))
    ),
    "mean of turning angle over length at the inner points of the contour jaw": lambda f, _: curvatures(
        f.contour("jaw")
    ).mean(),
    "standard deviation of turning angle over length at the inner points of the contour jaw": lambda f, _: curvatures(
        f.contour("jaw")
    ).std(),
    "maximum of turning angle over length at the inner points of the contour jaw": lambda f, _: curvatures(
        f.contour("jaw")
    ).max(),
    "| shape - mirrored shape turned onto it |, both centred and of unit size": lambda f, _: float(
        np.linalg.norm(mirror_gaps(f))
    ),
    "root mean square of | landmark - mirrored landmark | over the contours, after shape_asymmetry's fit": (
        lambda f, d: float(np.sqrt(np.mean(mirror_gaps(f)[[i for c in d.points for i in CONTOURS[c]]] ** 2)))
    ),
}


def five_widths(face: Face, definition: FeatureDefinition) -> float:
    return sum(across(*ends) for ends in pairwise(map(face.point, definition.points)))


TRANSLATIONS = (
    (r"^(.*) with p1\.\.p6 = the points in their order$", r"\1"),
    (r"\|(p\d) (p\d)\|", r"|\1 - \2|"),
    (r"^atan2\(rise, width\) from (\w+) to (\w+)$", r"tilt(\1, \2)"),
    (r"^distance of (\w+) to the line (\w+) - (\w+)$", r"to_line(\1, \2, \3)"),
    (r"^\|x of (\w+) - x of (\w+)\| in the face's own frame$", r"across(\1, \2)"),
    (r"^standard deviation of ([\w, ]+)$", r"std([\1])"),
    (r"mean of (\w+) and (\w+)", r"middle(\1, \2)"),
    (r"middle of the eyes", r"middle(right_eye_centre, left_eye_centre)"),
    (r"\b1\.618\b", "GOLDEN_RATIO"),
    # bars inside first, which have no space beside them
    (r"\|([^|\s](?:[^|]*[^|\s])?)\|", r"abs(\1)"),
    (r"\|(.+)\|", r"abs(\1)"),
    (r"(\d) (abs\()", r"\1 * \2"),
)


def value_of(formula: str, face: Face, definition: FeatureDefinition) -> float:
    """What a formula gives; other features that it names are computed from their own formulas."""
    if formula in IN_WORDS:
        return IN_WORDS[formula](face, definition)
    for contour in CONTOURS.keys() & set(definition.points):
        if (text := re.sub(rf"\b{contour}\b", "{contour}", formula)) in IN_WORDS:
            return IN_WORDS[text](face, definition)
    expression = formula
    for pattern, replacement in TRANSLATIONS:
        expression = re.sub(pattern, replacement, expression)
    names: dict[str, Any] = {
        **MEASURES,
        "GOLDEN_RATIO": GOLDEN_RATIO,
        "std": np.std,
        "middle": lambda a, b: Point(*np.mean([a, b], axis=0)),
        "behind": lambda a, b: b.z - a.z,
        **{f"p{i}": face.point(name) for i, name in enumerate(definition.points, 1) if name in POINTS},
    }
    for name in set(re.findall(r"\w+", expression)) - names.keys():
        if name in POINTS:
            names[name] = face.point(name)
        elif name in GEOMETRIC:
            other = GEOMETRIC[name].definition
            names[name] = value_of(other.formula, face, other)
    return float(eval(expression, {"abs": abs, "__builtins__": {}}, names))


# pixels


class Skin:
    """CIELAB of one levelled crop, and which pixels lie in a patch."""

    def __init__(self, crop: Crop) -> None:
        self.crop = crop
        # 8 bits a channel, as it is stored; what they mean is tested below
        self.bits = cv2.cvtColor(crop.image, cv2.COLOR_RGB2LAB).astype(np.float64)
        self.lab = self.bits * (100 / 255, 1, 1) - (0, 128, 128)
        lightness = self.lab[:, :, 0]
        self.laplacian = correlate(lightness, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="mirror")
        # steps of 100/255 are those of the 8 bits, in which the mean is rounded too
        self.texture = self.bits[:, :, 0] - np.round(uniform_filter(self.bits[:, :, 0], 9, mode="mirror"))

    def mask(self, *patches: str) -> np.ndarray:
        """Row and column of the pixels inside the patches, one patch after the other."""
        found = []
        for patch in patches:
            mask = np.zeros(self.bits.shape[:2], dtype=np.uint8)
            # landmarks count from the corner of the first pixel, OpenCV from its middle
            corners = np.round(self.crop.landmarks[list(CONTOURS[patch])] - 0.5).astype(np.int32)
            found.append(np.argwhere(cv2.fillPoly(mask, [corners], 1)))
        return np.concatenate(found).T

    def inside(self, values: np.ndarray, *patches: str) -> np.ndarray:
        rows, columns = self.mask(*patches)
        return values[rows, columns]


PATCHES = ("forehead", "right_cheek_area", "left_cheek_area", "chin_area", "nose_ridge")
CHANNELS = {"L*": 0, "a*": 1, "b*": 2}


def entropy(values: np.ndarray) -> float:
    _, counts = np.unique(values, return_counts=True)
    return float(-sum(n / len(values) * np.log2(n / len(values)) for n in counts))


def contrast(skin: Skin, *patches: str) -> float:
    around, part = (skin.inside(skin.lab[:, :, 0], *named).mean() for named in (PATCHES, patches))
    return (around - part) / (around + part)


def pixel_value(formula: str, skin: Skin) -> float:
    """What a formula of pixels gives."""
    for pattern, compute in OF_PIXELS.items():
        if found := re.fullmatch(pattern, formula):
            return float(compute(skin, *found.groups()))
    if found := re.fullmatch(r"\|(\w+) - (\w+)\|", formula):
        right, left = (pixel_value(SKIN[name].definition.formula, skin) for name in found.groups())
        return abs(right - left)
    raise AssertionError(f"no computation for {formula!r}")


OF_PIXELS: dict[str, Callable[..., float]] = {
    r"log10\(1 \+ variance of the Laplacian of L\*\) inside (\w+)": lambda s, patch: np.log10(
        1 + s.inside(s.laplacian, patch).var()
    ),
    r"standard deviation of (L\*) inside (\w+)": lambda s, c, patch: s.inside(s.lab[:, :, CHANNELS[c]], patch).std(),
    r"standard deviation of ([ab]\*) over the patches": lambda s, c: s.inside(s.lab[:, :, CHANNELS[c]], *PATCHES).std(),
    r"mean (L\*|a\*|b\*) over the patches": lambda s, c: s.inside(s.lab[:, :, CHANNELS[c]], *PATCHES).mean(),
    r"Shannon entropy of L\* less its mean over the square of 9 px around, in steps of 100/255, over the patches": (
        lambda s: entropy(s.inside(s.texture, *PATCHES))
    ),
    r"mean L\* inside (\w+) - mean L\* inside (\w+)": lambda s, one, other: (
        s.inside(s.lab[:, :, 0], one).mean() - s.inside(s.lab[:, :, 0], other).mean()
    ),
    r"mean a\* inside (\w+) - mean a\* of the skin patches": lambda s, patch: (
        s.inside(s.lab[:, :, 1], patch).mean() - s.inside(s.lab[:, :, 1], *PATCHES).mean()
    ),
    r"\(S - F\) / \(S \+ F\), S = mean L\* of the skin patches, F = mean L\* inside (\w+)": contrast,
    r"\(S - F\) / \(S \+ F\), S = mean L\* of the skin patches, F = mean L\* inside (\w+) and (\w+)": contrast,
}


# the portrait


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) pixels and (478, 3) landmarks of a drawn face, turned by 8 degrees."""
    image = paint(draw_parameters(3))
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 8, 1)
    image = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    with Landmarker() as finder:
        return image, finder.find(image).landmarks


@pytest.fixture(scope="module")
def geometry(portrait: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    names, values = compute_geometry(portrait[1][None])
    return dict(zip(names, values[0], strict=True))


@pytest.fixture(scope="module")
def crop(portrait: tuple[np.ndarray, np.ndarray]) -> Crop:
    return align_face(*portrait)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_a_formula_of_landmarks(name: str, portrait: tuple[np.ndarray, np.ndarray], geometry: dict[str, float]):
    definition = GEOMETRIC[name].definition
    expected = value_of(definition.formula, Face(portrait[1]), definition)
    assert geometry[name] == pytest.approx(expected, rel=1e-6, abs=1e-7), definition.formula


@pytest.mark.parametrize("name", SKIN)
def test_a_formula_of_pixels(name: str, crop: Crop):
    measured = dict(zip(SKIN, compute_skin(crop.image, crop.visible), strict=True))
    expected = pixel_value(SKIN[name].definition.formula, Skin(crop))
    assert measured[name] == pytest.approx(expected, rel=1e-6, abs=1e-6), SKIN[name].definition.formula


def test_eight_bits_of_cielab_are_those_of_the_cie(crop: Crop):
    """sRGB by IEC 61966-2-1, white D65."""
    linear = np.where(
        crop.image / 255 <= 0.04045, crop.image / 255 / 12.92, ((crop.image / 255 + 0.055) / 1.055) ** 2.4
    )
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    t = xyz / (0.9505, 1.0, 1.089)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=2)
    assert np.abs(lab - Skin(crop).lab).mean(axis=(0, 1)).max() < 0.5


@pytest.mark.parametrize("name", ["eyes_shape_asymmetry", "jawline_shape_asymmetry"])
def test_the_contours_of_a_region_are_those_that_its_asymmetry_names(name: str):
    assert GEOMETRIC[name].definition.points == REGION_CONTOURS[name.split("_")[0]]
