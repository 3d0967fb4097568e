"""Irises: where the pupils are, how much of each iris is seen, and lengths in millimetres by the iris's width.

An iris is about as wide in everyone: 11.71 mm with a standard deviation of .42 in 390 healthy people (Rüfer et al.
2005); MediaPipe takes 11.7 for its own estimate of distance (Ablavatski et al. 2020). So a length by it has a standard
error of 3.6 % even where the landmarks are exact. In a portrait of 350 pixels an iris has about 15.
"""

from extractors.catalogue import feature
from extractors.geometry.eyes import eye_opening, eye_width
from extractors.points import Landmarks, Values

IRIS_MM = 11.7


def _iris_width(face: Landmarks, side: str) -> Values:
    return face.distance(f"{side}_iris_inner", f"{side}_iris_outer")


def _millimetre(face: Landmarks) -> Values:
    """Face widths."""
    return (_iris_width(face, "right") + _iris_width(face, "left")) / (2 * IRIS_MM)


@feature("eyes", unit="face widths", low=0.36, high=0.56)
def pupil_distance(face: Landmarks) -> Values:
    """Distance between the pupils.

    Formula: |right_iris_centre - left_iris_centre|
    Source: Farkas 1994 (interpupillary distance)
    """
    return face.distance("right_iris_centre", "left_iris_centre")


@feature("eyes", unit="mm", low=45.0, high=80.0)
def pupil_distance_mm(face: Landmarks) -> Values:
    """Estimate of the distance between the pupils in millimetres, for irises of 11.7 mm; that of adults is 63 ± 4.

    Formula: 2 * 11.7 * pupil_distance / (|right_iris_inner - right_iris_outer| + |left_iris_inner - left_iris_outer|)
    Points: right_iris_centre, left_iris_centre, right_iris_inner, right_iris_outer, left_iris_inner, left_iris_outer
    Source: Dodgson 2004; iris 11.71 ± .42 mm, Rüfer et al. 2005
    """
    return pupil_distance(face) / _millimetre(face)


@feature("cheeks", unit="mm", low=100.0, high=180.0)
def face_width_mm(face: Landmarks) -> Values:
    """Estimate of the width between the cheekbones in millimetres, for irises of 11.7 mm.

    Formula: 2 * 11.7 * |right_zygion - left_zygion| / (|right_iris_inner - right_iris_outer| + |left_iris_inner -
        left_iris_outer|)
    Source: Farkas 1994 (zy-zy); iris 11.71 ± .42 mm, Rüfer et al. 2005
    """
    return face.distance("right_zygion", "left_zygion") / _millimetre(face)


@feature("eyes", unit="ratio", low=0.28, high=0.6, asymmetry=0.1)
def iris_to_eye_width(face: Landmarks, side: str) -> Values:
    """Width of the iris over the width of the eye.

    Formula: |{side}_iris_inner - {side}_iris_outer| / |{side}_eye_outer - {side}_eye_inner|
    Source: own definition
    """
    return _iris_width(face, side) / eye_width(face, side)


@feature("eyes", unit="ratio", low=0.2, high=1.4, asymmetry=0.3)
def visible_iris(face: Landmarks, side: str) -> Values:
    """Opening of the eye over the height of its iris: lids cover a part of it where this is below 1.

    Formula: |{side}_upper_lid - {side}_lower_lid| / |{side}_iris_top - {side}_iris_bottom|
    Source: own definition
    """
    return eye_opening(face, side) / face.distance(f"{side}_iris_top", f"{side}_iris_bottom")


@feature("eyes", unit="ratio", low=0.0, high=0.25, asymmetry=0.15)
def gaze_sideways(face: Landmarks, side: str) -> Values:
    """How far the pupil lies beside the middle of the eye's corners, as a part of the eye's width.

    Formula: across({side}_eye_centre, {side}_iris_centre) / |{side}_eye_outer - {side}_eye_inner|
    Source: own definition
    """
    return face.across(f"{side}_eye_centre", f"{side}_iris_centre") / eye_width(face, side)


@feature("eyes", unit="ratio", low=-0.15, high=0.25, asymmetry=0.1)
def gaze_height(face: Landmarks, side: str) -> Values:
    """How far the pupil lies above the middle of the eye's corners, as a part of the eye's width.

    Formula: rise({side}_eye_centre, {side}_iris_centre) / |{side}_eye_outer - {side}_eye_inner|
    Source: own definition
    """
    return face.rise(f"{side}_eye_centre", f"{side}_iris_centre") / eye_width(face, side)


@feature("eyes", unit="iris widths", low=0.7, high=2.0, asymmetry=0.6)
def inner_canthus_to_pupil(face: Landmarks, side: str) -> Values:
    """Distance of the eye's inner corner from the pupil, in widths of the iris.

    Formula: |{side}_eye_inner - {side}_iris_centre| / |{side}_iris_inner - {side}_iris_outer|
    Source: own definition
    """
    return face.distance(f"{side}_eye_inner", f"{side}_iris_centre") / _iris_width(face, side)


@feature("eyes", unit="iris widths", low=0.7, high=2.0, asymmetry=0.6)
def outer_canthus_to_pupil(face: Landmarks, side: str) -> Values:
    """Distance of the eye's outer corner from the pupil, in widths of the iris.

    Formula: |{side}_eye_outer - {side}_iris_centre| / |{side}_iris_inner - {side}_iris_outer|
    Source: own definition
    """
    return face.distance(f"{side}_eye_outer", f"{side}_iris_centre") / _iris_width(face, side)
