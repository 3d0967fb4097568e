"""Cheeks: their breadth against the midline, height and depth."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("cheeks", unit="face widths", low=0.2, high=0.6, asymmetry=0.3)
def cheekbone_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the cheekbone from the midline.

    Formula: distance of {side}_cheekbone to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_cheekbone")


@feature("cheeks", unit="face widths", low=0.12, high=0.48, asymmetry=0.3)
def cheek_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the middle of the cheek from the midline.

    Formula: distance of {side}_cheek to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_cheek")


@feature("cheeks", unit="face widths", low=0.1, high=0.4, asymmetry=0.25)
def lower_cheek_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the lower cheek, beside the nose's base, from the midline.

    Formula: distance of {side}_lower_cheek to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_lower_cheek")


@feature("cheeks", unit="face widths", low=-0.05, high=0.25, asymmetry=0.08)
def cheekbone_drop(face: Landmarks, side: str) -> Values:
    """How far the cheekbone lies under the middle of the eye; high cheekbones have less.

    Formula: rise({side}_cheekbone, {side}_eye_centre)
    Source: own definition
    """
    return face.rise(f"{side}_cheekbone", f"{side}_eye_centre")


@feature("cheeks", unit="face widths", low=-0.2, high=0.4, asymmetry=0.4)
def cheek_depth(face: Landmarks, side: str) -> Values:
    """How far the cheek lies behind the root of the nose, in the landmarker's estimate of depth.

    Formula: behind(nasion, {side}_cheek)
    Source: own definition, from estimated depth
    """
    return face.behind("nasion", f"{side}_cheek")


@feature("cheeks", unit="face widths", low=0.7, high=1.0)
def cheekbone_width(face: Landmarks) -> Values:
    """Distance between the cheekbones.

    Formula: |right_cheekbone - left_cheekbone|
    Source: Cunningham 1986 (cheekbone width)
    """
    return face.distance("right_cheekbone", "left_cheekbone")


@feature("cheeks", unit="ratio", low=0.85, high=1.4)
def cheekbone_to_jaw_width(face: Landmarks) -> Values:
    """Prominence of the cheekbones: their width over that of the jaw at the lower lip.

    Formula: |right_cheekbone - left_cheekbone| / |right_jaw_corner - left_jaw_corner|
    Source: Cunningham 1986 (cheekbone prominence)
    """
    return cheekbone_width(face) / face.distance("right_jaw_corner", "left_jaw_corner")
