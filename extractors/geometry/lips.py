"""Lips: width, fullness, bow, and the space to nose and chin."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("lips", unit="face widths", low=0.22, high=0.6)
def mouth_width(face: Landmarks) -> Values:
    """Width of the mouth.

    Formula: |right_mouth_corner - left_mouth_corner|
    Source: Farkas 1994 (ch-ch)
    """
    return face.distance("right_mouth_corner", "left_mouth_corner")


@feature("lips", unit="ratio", low=0.9, high=2.2)
def mouth_to_nose_width(face: Landmarks) -> Values:
    """Width of the mouth in widths of the nose; the neoclassical canon says 1.5.

    Formula: |right_mouth_corner - left_mouth_corner| / |right_alare - left_alare|
    Source: Farkas 1994 (naso-oral canon)
    """
    return mouth_width(face) / face.distance("right_alare", "left_alare")


@feature("lips", unit="face widths", low=0.008, high=0.11)
def upper_lip_thickness(face: Landmarks) -> Values:
    """Thickness of the upper lip's red at the midline.

    Formula: |upper_lip_top - upper_lip_bottom|
    Source: Farkas 1994 (ls-sto)
    """
    return face.distance("upper_lip_top", "upper_lip_bottom")


@feature("lips", unit="face widths", low=0.02, high=0.13)
def lower_lip_thickness(face: Landmarks) -> Values:
    """Thickness of the lower lip's red at the midline.

    Formula: |lower_lip_top - lower_lip_bottom|
    Source: Farkas 1994 (sto-li)
    """
    return face.distance("lower_lip_top", "lower_lip_bottom")


@feature("lips", unit="ratio", low=0.15, high=1.6)
def lip_ratio(face: Landmarks) -> Values:
    """Thickness of the upper lip over that of the lower.

    Formula: |upper_lip_top - upper_lip_bottom| / |lower_lip_top - lower_lip_bottom|
    Source: Farkas 1994 (vermilion index)
    """
    return upper_lip_thickness(face) / lower_lip_thickness(face)


@feature("lips", unit="ratio", low=0.08, high=0.6)
def lip_fullness(face: Landmarks) -> Values:
    """Thickness of both lips over the width of the mouth.

    Formula: (upper_lip_thickness + lower_lip_thickness) / |right_mouth_corner - left_mouth_corner|
    Points: upper_lip_top, upper_lip_bottom, lower_lip_top, lower_lip_bottom, right_mouth_corner,
        left_mouth_corner
    Source: own definition
    """
    return (upper_lip_thickness(face) + lower_lip_thickness(face)) / mouth_width(face)


@feature("lips", unit="face widths", low=0.0, high=0.2)
def mouth_opening(face: Landmarks) -> Values:
    """Gap between the lips at the midline.

    Formula: |upper_lip_bottom - lower_lip_top|
    Source: own definition
    """
    return face.distance("upper_lip_bottom", "lower_lip_top")


@feature("lips", unit="square face widths", low=0.005, high=0.12)
def lips_area(face: Landmarks) -> Values:
    """Area inside the outline of the lips, an open mouth's gap included.

    Formula: shoelace area of the contour lips_outer
    Source: own definition
    """
    return face.area("lips_outer")


@feature("lips", unit="face widths", low=0.04, high=0.2)
def philtrum_length(face: Landmarks) -> Values:
    """Length of the philtrum, nose to upper lip.

    Formula: |subnasale - upper_lip_top|
    Source: Farkas 1994 (sn-ls)
    """
    return face.distance("subnasale", "upper_lip_top")


@feature("lips", unit="ratio", low=1.0, high=6.0)
def chin_to_philtrum(face: Landmarks) -> Values:
    """Height of the chin over the length of the philtrum.

    Formula: |lower_lip_bottom - chin| / |subnasale - upper_lip_top|
    Source: own definition after Farkas 1994 (li-gn, sn-ls)
    """
    return face.distance("lower_lip_bottom", "chin") / philtrum_length(face)


@feature("lips", unit="ratio", low=0.08, high=0.45)
def cupids_bow_width(face: Landmarks) -> Values:
    """Distance of the two peaks of the upper lip over the width of the mouth.

    Formula: |right_lip_peak - left_lip_peak| / |right_mouth_corner - left_mouth_corner|
    Source: Farkas 1994 (cph-cph) over ch-ch
    """
    return face.distance("right_lip_peak", "left_lip_peak") / mouth_width(face)


@feature("lips", unit="degrees", low=120.0, high=180.0)
def cupids_bow_angle(face: Landmarks) -> Values:
    """Angle of the upper lip's edge at the midline between its two peaks.

    Formula: angle(right_lip_peak, upper_lip_top, left_lip_peak)
    Source: own definition
    """
    return face.angle("right_lip_peak", "upper_lip_top", "left_lip_peak")


@feature("lips", unit="degrees", low=-20.0, high=30.0, asymmetry=16.0)
def mouth_corner_tilt(face: Landmarks, side: str) -> Values:
    """How far the corner lies above the seam of the lips at the midline, as an angle; a smile has more.

    Formula: atan2(rise, width) from upper_lip_bottom to {side}_mouth_corner
    Source: own definition
    """
    return face.tilt("upper_lip_bottom", f"{side}_mouth_corner")


@feature("lips", unit="face widths", low=0.08, high=0.32, asymmetry=0.16)
def mouth_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the corner of the mouth from the midline.

    Formula: distance of {side}_mouth_corner to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_mouth_corner")
