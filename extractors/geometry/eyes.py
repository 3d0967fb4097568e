"""Eyes: size, opening, tilt and spacing."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("eyes", unit="ratio", low=0.1, high=0.5, asymmetry=0.15)
def eye_aspect_ratio(face: Landmarks, side: str) -> Values:
    """Opening of the eye over its width, at two places of the lids.

    Formula: (|p2 p6| + |p3 p5|) / (2 |p1 p4|) with p1..p6 = the points in their order
    Points: {side}_eye_outer, {side}_upper_lid_outer, {side}_upper_lid_inner, {side}_eye_inner,
        {side}_lower_lid_inner, {side}_lower_lid_outer
    Source: Soukupová & Čech 2016
    """
    heights = face.distance(f"{side}_upper_lid_outer", f"{side}_lower_lid_outer") + face.distance(
        f"{side}_upper_lid_inner", f"{side}_lower_lid_inner"
    )
    return heights / (2 * eye_width(face, side))


@feature("eyes", unit="face widths", low=0.13, high=0.28, asymmetry=0.08)
def eye_width(face: Landmarks, side: str) -> Values:
    """Width of the eye between its corners.

    Formula: |{side}_eye_outer - {side}_eye_inner|
    Source: Farkas 1994 (ex-en)
    """
    return face.distance(f"{side}_eye_outer", f"{side}_eye_inner")


@feature("eyes", unit="face widths", low=0.015, high=0.11, asymmetry=0.03)
def eye_opening(face: Landmarks, side: str) -> Values:
    """Distance between the middles of the lids.

    Formula: |{side}_upper_lid - {side}_lower_lid|
    Source: Farkas 1994 (ps-pi)
    """
    return face.distance(f"{side}_upper_lid", f"{side}_lower_lid")


@feature("eyes", unit="square face widths", low=0.002, high=0.02, asymmetry=0.006)
def eye_area(face: Landmarks, side: str) -> Values:
    """Area between the lids.

    Formula: shoelace area of the contour {side}_eye
    Source: own definition
    """
    return face.area(f"{side}_eye")


@feature("eyes", unit="degrees", low=-10.0, high=20.0, asymmetry=12.0)
def canthal_tilt(face: Landmarks, side: str) -> Values:
    """How far the outer corner of the eye lies above the inner one, as an angle to the eye line.

    Formula: atan2(rise, width) from {side}_eye_inner to {side}_eye_outer
    Source: Farkas 1994 (inclination of the eye fissure)
    """
    return face.tilt(f"{side}_eye_inner", f"{side}_eye_outer")


@feature("eyes", unit="ratio", low=0.02, high=0.35, asymmetry=0.12)
def upper_lid_height(face: Landmarks, side: str) -> Values:
    """Rise of the upper lid over the middle of the eye's corners, as a part of the eye's width.

    Formula: rise({side}_eye_centre, {side}_upper_lid) / |{side}_eye_outer - {side}_eye_inner|
    Source: own definition
    """
    return face.rise(f"{side}_eye_centre", f"{side}_upper_lid") / eye_width(face, side)


@feature("eyes", unit="ratio", low=0.0, high=0.3, asymmetry=0.12)
def lower_lid_depth(face: Landmarks, side: str) -> Values:
    """Fall of the lower lid under the middle of the eye's corners, as a part of the eye's width.

    Formula: rise({side}_lower_lid, {side}_eye_centre) / |{side}_eye_outer - {side}_eye_inner|
    Source: own definition
    """
    return face.rise(f"{side}_lower_lid", f"{side}_eye_centre") / eye_width(face, side)


@feature("eyes", unit="face widths", low=0.18, high=0.36)
def intercanthal_distance(face: Landmarks) -> Values:
    """Distance between the inner corners of the eyes.

    Formula: |right_eye_inner - left_eye_inner|
    Source: Farkas 1994 (en-en)
    """
    return face.distance("right_eye_inner", "left_eye_inner")


@feature("eyes", unit="face widths", low=0.5, high=0.8)
def outer_canthal_distance(face: Landmarks) -> Values:
    """Distance between the outer corners of the eyes.

    Formula: |right_eye_outer - left_eye_outer|
    Source: Farkas 1994 (ex-ex)
    """
    return face.distance("right_eye_outer", "left_eye_outer")


@feature("eyes", unit="face widths", low=0.36, high=0.56)
def interpupillary_distance(face: Landmarks) -> Values:
    """Distance between the middles of the eyes, close to that of the pupils for a gaze straight on.

    Formula: |right_eye_centre - left_eye_centre|
    Source: Cunningham 1986 (separation of eyes)
    """
    return face.distance("right_eye_centre", "left_eye_centre")


@feature("eyes", unit="ratio", low=0.8, high=2.2)
def eye_spacing_ratio(face: Landmarks) -> Values:
    """Distance between the eyes in eye widths; the neoclassical canon says 1.

    Formula: 2 |right_eye_inner - left_eye_inner| / (right_eye_width + left_eye_width)
    Points: right_eye_inner, left_eye_inner, right_eye_outer, left_eye_outer
    Source: Farkas 1994 (orbital canon)
    """
    return 2 * intercanthal_distance(face) / (eye_width(face, "right") + eye_width(face, "left"))


@feature("eyes", unit="ratio", low=0.02, high=0.1)
def eye_height_to_face(face: Landmarks) -> Values:
    """Mean opening of the eyes over the length of the face.

    Formula: (right_eye_opening + left_eye_opening) / (2 |face_top - chin|)
    Points: right_upper_lid, right_lower_lid, left_upper_lid, left_lower_lid, face_top, chin
    Source: Cunningham 1986 (height of eyes)
    """
    opening = eye_opening(face, "right") + eye_opening(face, "left")
    return opening / (2 * face.distance("face_top", "chin"))
