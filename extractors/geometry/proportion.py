"""Proportions of the whole face: thirds, fifths, widths, canons; and two measures of symmetry.

Those two stand among the proportions because the order of features is that of the columns.
"""

import itertools

import numpy as np

from extractors.catalogue import feature
from extractors.points import Landmarks, Values
from extractors.regions import PROPORTION

GOLDEN_RATIO = (1 + 5**0.5) / 2
_FIFTHS = ("right_zygion", "right_eye_outer", "right_eye_inner", "left_eye_inner", "left_eye_outer", "left_zygion")


@feature(PROPORTION, unit="ratio", low=0.95, high=1.6)
def face_length_to_width(face: Landmarks) -> Values:
    """Length of the face, from the mesh's top to the chin, over its width.

    Formula: |face_top - chin| / |right_zygion - left_zygion|
    Source: Farkas 1994 (facial index), with the mesh's top
    """
    return face.distance("face_top", "chin") / face.distance("right_zygion", "left_zygion")


@feature(PROPORTION, unit="ratio", low=1.15, high=2.7)
def facial_width_to_height(face: Landmarks) -> Values:
    """Facial width-to-height ratio: bizygomatic width over brow to upper lip.

    Formula: |right_zygion - left_zygion| / rise(upper_lip_top, mean of right_brow_top and left_brow_top)
    Source: Carré & McCormick 2008
    """
    height = (face.rise("upper_lip_top", "right_brow_top") + face.rise("upper_lip_top", "left_brow_top")) / 2
    return face.distance("right_zygion", "left_zygion") / height


@feature(PROPORTION, unit="ratio", low=0.1, high=0.36)
def upper_third(face: Landmarks) -> Values:
    """The upper of the three sections of the face as a part of their sum.

    Formula: |face_top - glabella| / (|face_top - glabella| + |glabella - subnasale| + |subnasale -
        chin|)
    Source: Farkas 1994 (canon of three sections), with the mesh's top for the hairline
    """
    return _thirds(face)[:, 0]


@feature(PROPORTION, unit="ratio", low=0.3, high=0.52)
def middle_third(face: Landmarks) -> Values:
    """The middle of the three sections of the face as a part of their sum.

    Formula: |glabella - subnasale| / (|face_top - glabella| + |glabella - subnasale| + |subnasale -
        chin|)
    Points: face_top, glabella, subnasale, chin
    Source: Farkas 1994 (canon of three sections), with the mesh's top for the hairline
    """
    return _thirds(face)[:, 1]


@feature(PROPORTION, unit="ratio", low=0.24, high=0.52)
def lower_third(face: Landmarks) -> Values:
    """The lower of the three sections of the face as a part of their sum.

    Formula: |subnasale - chin| / (|face_top - glabella| + |glabella - subnasale| + |subnasale - chin|)
    Points: face_top, glabella, subnasale, chin
    Source: Farkas 1994 (canon of three sections), with the mesh's top for the hairline
    """
    return _thirds(face)[:, 2]


@feature(PROPORTION, unit="ratio", low=0.0, high=0.18)
def thirds_deviation(face: Landmarks) -> Values:
    """How far the three sections are from equal.

    Formula: standard deviation of upper_third, middle_third, lower_third
    Points: face_top, glabella, subnasale, chin
    Source: Farkas 1994 (canon of three sections), with the mesh's top for the hairline
    """
    spread: Values = _thirds(face).std(axis=1)
    return spread


@feature(PROPORTION, unit="ratio", low=0.0, high=0.15)
def fifths_deviation(face: Landmarks) -> Values:
    """How far the five widths of the face are from equal.

    Formula: standard deviation of the five widths between neighbouring points along the eye line over
        their sum
    Points: right_zygion, right_eye_outer, right_eye_inner, left_eye_inner, left_eye_outer, left_zygion
    Source: Farkas 1994 (canon of five parts)
    """
    widths = np.stack([face.across(a, b) for a, b in itertools.pairwise(_FIFTHS)], axis=1)
    spread: Values = (widths / widths.sum(axis=1, keepdims=True)).std(axis=1)
    return spread


@feature(PROPORTION, unit="ratio", low=0.16, high=0.36)
def central_fifth(face: Landmarks) -> Values:
    """The middle of the five widths of the face as a part of the width of the face.

    Formula: across(right_eye_inner, left_eye_inner) / across(right_zygion, left_zygion)
    Source: Farkas 1994 (canon of five parts)
    """
    return face.across("right_eye_inner", "left_eye_inner") / face.across("right_zygion", "left_zygion")


@feature(PROPORTION, unit="ratio", low=0.2, high=0.46)
def outer_fifths(face: Landmarks) -> Values:
    """The two outer of the five widths of the face as a part of the width of the face.

    Formula: (across(right_zygion, right_eye_outer) + across(left_zygion, left_eye_outer)) /
        across(right_zygion, left_zygion)
    Source: Farkas 1994 (canon of five parts)
    """
    outer = face.across("right_zygion", "right_eye_outer") + face.across("left_zygion", "left_eye_outer")
    return outer / face.across("right_zygion", "left_zygion")


@feature(PROPORTION, unit="face widths", low=0.62, high=1.0)
def forehead_width(face: Landmarks) -> Values:
    """Width of the forehead near the mesh's upper corners.

    Formula: |right_forehead_side - left_forehead_side|
    Source: own definition
    """
    return face.distance("right_forehead_side", "left_forehead_side")


@feature(PROPORTION, unit="face widths", low=0.92, high=1.08)
def temple_width(face: Landmarks) -> Values:
    """Width of the head at the temples.

    Formula: |right_temple - left_temple|
    Source: own definition
    """
    return face.distance("right_temple", "left_temple")


@feature(PROPORTION, unit="ratio", low=0.75, high=1.4)
def forehead_to_jaw_width(face: Landmarks) -> Values:
    """Taper of the face: width of the forehead over that of the jaw at the lower lip.

    Formula: |right_forehead_side - left_forehead_side| / |right_jaw_corner - left_jaw_corner|
    Source: own definition
    """
    return forehead_width(face) / face.distance("right_jaw_corner", "left_jaw_corner")


@feature(PROPORTION, unit="ratio", low=0.85, high=1.0)
def face_roundness(face: Landmarks) -> Values:
    """Likeness of the face's outline to a circle, which has 1.

    Formula: 4 pi area / perimeter^2 of the contour face_oval
    Source: isoperimetric quotient
    """
    return 4 * np.pi * face.area("face_oval") / face.perimeter("face_oval") ** 2


@feature(PROPORTION, unit="ratio", low=0.3, high=0.5)
def eye_to_mouth_height(face: Landmarks) -> Values:
    """Height between eyes and mouth over the length of the face; raters prefer about 0.36.

    Formula: rise(upper_lip_bottom, middle of the eyes) / |face_top - chin|
    Points: upper_lip_bottom, right_eye_centre, left_eye_centre, face_top, chin
    Source: Pallett, Link & Lee 2010
    """
    height = face.rise("upper_lip_bottom", "right_eye_centre") + face.rise("upper_lip_bottom", "left_eye_centre")
    return height / (2 * face.distance("face_top", "chin"))


@feature("symmetry", unit="degrees", low=0.0, high=12.0)
def eye_mouth_tilt(face: Landmarks) -> Values:
    """Angle between the line of the mouth's corners and the eye line.

    Formula: |tilt(right_mouth_corner, left_mouth_corner)|
    Source: own definition
    """
    return abs(face.tilt("right_mouth_corner", "left_mouth_corner"))


@feature("symmetry", unit="face widths", low=0.0, high=0.7)
def head_turn(face: Landmarks) -> Values:
    """How unevenly the nose's root parts the width of the face: a pose that biases other features.

    Formula: |across(right_zygion, nasion) - across(nasion, left_zygion)|
    Source: own definition
    """
    return abs(face.across("right_zygion", "nasion") - face.across("nasion", "left_zygion"))


@feature(PROPORTION, unit="ratio", low=0.0, high=0.7)
def golden_face_deviation(face: Landmarks) -> Values:
    """Distance of the face's length over width from the golden ratio.

    Formula: | |face_top - chin| / |right_zygion - left_zygion| - 1.618 |
    Source: Schmid, Marx & Samal 2008
    """
    return abs(face_length_to_width(face) - GOLDEN_RATIO)


@feature(PROPORTION, unit="ratio", low=0.0, high=0.75)
def golden_mouth_nose_deviation(face: Landmarks) -> Values:
    """Distance of the mouth's width over the nose's from the golden ratio.

    Formula: | |right_mouth_corner - left_mouth_corner| / |right_alare - left_alare| - 1.618 |
    Source: Schmid, Marx & Samal 2008
    """
    return _off_golden(face, ("right_mouth_corner", "left_mouth_corner"), ("right_alare", "left_alare"))


@feature(PROPORTION, unit="ratio", low=0.0, high=4.5)
def golden_lips_deviation(face: Landmarks) -> Values:
    """Distance of the lower lip's thickness over the upper's from the golden ratio.

    Formula: | |lower_lip_top - lower_lip_bottom| / |upper_lip_top - upper_lip_bottom| - 1.618 |
    Source: Schmid, Marx & Samal 2008
    """
    return _off_golden(face, ("lower_lip_top", "lower_lip_bottom"), ("upper_lip_top", "upper_lip_bottom"))


@feature(PROPORTION, unit="ratio", low=0.0, high=1.3)
def golden_eyes_nose_deviation(face: Landmarks) -> Values:
    """Distance of the eyes' spacing over the nose's width from the golden ratio.

    Formula: | |right_eye_centre - left_eye_centre| / |right_alare - left_alare| - 1.618 |
    Source: Schmid, Marx & Samal 2008
    """
    return _off_golden(face, ("right_eye_centre", "left_eye_centre"), ("right_alare", "left_alare"))


def _thirds(face: Landmarks) -> Values:
    """(n, 3) the three sections of the face, top to chin, over their sum."""
    edges = ("face_top", "glabella", "subnasale", "chin")
    sections = np.stack([face.distance(a, b) for a, b in itertools.pairwise(edges)], axis=1)
    parts: Values = sections / sections.sum(axis=1, keepdims=True)
    return parts


def _off_golden(face: Landmarks, longer: tuple[str, str], shorter: tuple[str, str]) -> Values:
    return abs(face.distance(*longer) / face.distance(*shorter) - GOLDEN_RATIO)
