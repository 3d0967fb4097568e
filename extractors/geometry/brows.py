"""Brows: height, arch, tilt, length and thickness."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("brows", unit="face widths", low=0.06, high=0.3, asymmetry=0.08)
def brow_height(face: Landmarks, side: str) -> Values:
    """How far the top of the brow lies above the middle of the eye.

    Formula: rise({side}_eye_centre, {side}_brow_top)
    Source: Cunningham 1986 (eyebrow height)
    """
    return face.rise(f"{side}_eye_centre", f"{side}_brow_top")


@feature("brows", unit="face widths", low=0.02, high=0.22, asymmetry=0.07)
def brow_eye_gap(face: Landmarks, side: str) -> Values:
    """Free skin between the lower edge of the brow and the upper lid.

    Formula: rise({side}_upper_lid, {side}_brow_bottom)
    Source: own definition
    """
    return face.rise(f"{side}_upper_lid", f"{side}_brow_bottom")


@feature("brows", unit="ratio", low=0.0, high=0.4, asymmetry=0.18)
def brow_arch(face: Landmarks, side: str) -> Values:
    """Greatest height of the brow's upper edge over the chord of its ends, as a part of the chord.

    Formula: max distance of {side}_brow_upper to its chord / length of the chord
    Source: own definition
    """
    return face.arch(f"{side}_brow_upper")


@feature("brows", unit="degrees", low=-25.0, high=30.0, asymmetry=15.0)
def brow_tilt(face: Landmarks, side: str) -> Values:
    """How far the outer end of the brow lies above the inner one, as an angle to the eye line.

    Formula: atan2(rise, width) from {side}_brow_inner to {side}_brow_outer
    Source: own definition
    """
    return face.tilt(f"{side}_brow_inner", f"{side}_brow_outer")


@feature("brows", unit="face widths", low=0.16, high=0.44, asymmetry=0.25)
def brow_length(face: Landmarks, side: str) -> Values:
    """Length of the brow between its ends.

    Formula: |{side}_brow_inner - {side}_brow_outer|
    Source: own definition
    """
    return face.distance(f"{side}_brow_inner", f"{side}_brow_outer")


@feature("brows", unit="face widths", low=0.01, high=0.08, asymmetry=0.02)
def brow_thickness(face: Landmarks, side: str) -> Values:
    """Mean distance between the upper and the lower edge of the brow.

    Formula: mean of |upper_i - lower_i| over the five pairs of the two edges
    Points: {side}_brow_upper, {side}_brow_lower
    Source: own definition
    """
    return face.gap(f"{side}_brow_upper", f"{side}_brow_lower")


@feature("brows", unit="face widths", low=0.08, high=0.3)
def brow_spacing(face: Landmarks) -> Values:
    """Distance between the inner ends of the brows.

    Formula: |right_brow_inner - left_brow_inner|
    Source: own definition
    """
    return face.distance("right_brow_inner", "left_brow_inner")


@feature("brows", unit="ratio", low=1.0, high=2.2)
def brow_to_eye_length(face: Landmarks) -> Values:
    """Length of the brows in eye widths.

    Formula: (right_brow_length + left_brow_length) / (right_eye_width + left_eye_width)
    Points: right_brow_inner, right_brow_outer, left_brow_inner, left_brow_outer, right_eye_inner,
        right_eye_outer, left_eye_inner, left_eye_outer
    Source: own definition
    """
    eyes = face.distance("right_eye_inner", "right_eye_outer") + face.distance("left_eye_inner", "left_eye_outer")
    return (brow_length(face, "right") + brow_length(face, "left")) / eyes
