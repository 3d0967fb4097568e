"""Jawline: widths, angles, and the curvature of the contour from ear to ear."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("jawline", unit="face widths", low=0.78, high=1.02)
def jaw_width(face: Landmarks) -> Values:
    """Width of the jaw at its angles.

    Formula: |right_gonion - left_gonion|
    Source: Farkas 1994 (go-go), a frontal proxy
    """
    return face.distance("right_gonion", "left_gonion")


@feature("jawline", unit="face widths", low=0.62, high=0.95)
def lower_jaw_width(face: Landmarks) -> Values:
    """Width of the jaw at the height of the lower lip.

    Formula: |right_jaw_corner - left_jaw_corner|
    Source: Cunningham 1986 (width of face at mouth)
    """
    return face.distance("right_jaw_corner", "left_jaw_corner")


@feature("jawline", unit="face widths", low=0.2, high=0.42)
def chin_width(face: Landmarks) -> Values:
    """Width of the chin.

    Formula: |right_chin_corner - left_chin_corner|
    Source: own definition
    """
    return face.distance("right_chin_corner", "left_chin_corner")


@feature("jawline", unit="ratio", low=0.3, high=0.55)
def chin_to_jaw_width(face: Landmarks) -> Values:
    """Taper of the lower face: width of the chin over that of the jaw at the lower lip.

    Formula: |right_chin_corner - left_chin_corner| / |right_jaw_corner - left_jaw_corner|
    Source: own definition
    """
    return chin_width(face) / lower_jaw_width(face)


@feature("jawline", unit="ratio", low=0.3, high=0.7)
def mouth_to_jaw_width(face: Landmarks) -> Values:
    """Width of the mouth over that of the jaw at the lower lip.

    Formula: |right_mouth_corner - left_mouth_corner| / |right_jaw_corner - left_jaw_corner|
    Source: own definition
    """
    return face.distance("right_mouth_corner", "left_mouth_corner") / lower_jaw_width(face)


@feature("jawline", unit="face widths", low=0.1, high=0.4)
def chin_height(face: Landmarks) -> Values:
    """Height of the chin under the lower lip.

    Formula: |lower_lip_bottom - chin|
    Source: Cunningham 1986 (length of chin)
    """
    return face.distance("lower_lip_bottom", "chin")


@feature("jawline", unit="degrees", low=110.0, high=175.0)
def chin_angle(face: Landmarks) -> Values:
    """Angle at the chin: a pointed chin has less.

    Formula: angle(right_chin_corner, chin, left_chin_corner)
    Source: own definition
    """
    return face.angle("right_chin_corner", "chin", "left_chin_corner")


@feature("jawline", unit="face widths", low=0.0, high=0.2)
def chin_deviation(face: Landmarks) -> Values:
    """Sideways distance of the chin from the glabella, at right angles measured to the eyes.

    Formula: |x of chin - x of glabella| in the face's own frame
    Source: own definition
    """
    return face.across("chin", "glabella")


@feature("jawline", unit="degrees", low=120.0, high=165.0, asymmetry=20.0)
def jaw_angle(face: Landmarks, side: str) -> Values:
    """Angle of the jaw, a frontal proxy of the gonial angle.

    Formula: angle({side}_jaw_side, {side}_jaw_corner, chin)
    Source: own definition, a proxy
    """
    return face.angle(f"{side}_jaw_side", f"{side}_jaw_corner", "chin")


@feature("jawline", unit="degrees", low=10.0, high=60.0, asymmetry=35.0)
def jaw_slope(face: Landmarks, side: str) -> Values:
    """Slope of the jaw's lower edge: how steeply it rises from the chin.

    Formula: atan2(rise, width) from chin to {side}_jaw_corner
    Source: own definition
    """
    return face.tilt("chin", f"{side}_jaw_corner")


@feature("jawline", unit="face widths", low=0.1, high=0.68, asymmetry=0.5)
def jaw_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the jaw's corner from the midline.

    Formula: distance of {side}_jaw_corner to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_jaw_corner")


@feature("jawline", unit="radians per face width", low=1.3, high=2.8)
def jaw_curvature_mean(face: Landmarks) -> Values:
    """Mean curvature of the jaw from ear to ear.

    Formula: mean of turning angle over length at the inner points of the contour jaw
    Source: discrete curvature of a polyline
    """
    mean: Values = face.curvature("jaw").mean(axis=1)
    return mean


@feature("jawline", unit="radians per face width", low=0.3, high=2.5)
def jaw_curvature_sd(face: Landmarks) -> Values:
    """Unevenness of the jaw's curvature: a square jaw has corners, a round one has none.

    Formula: standard deviation of turning angle over length at the inner points of the contour jaw
    Source: discrete curvature of a polyline
    """
    spread: Values = face.curvature("jaw").std(axis=1)
    return spread


@feature("jawline", unit="radians per face width", low=2.0, high=9.0)
def jaw_curvature_max(face: Landmarks) -> Values:
    """Curvature at the sharpest corner of the jaw.

    Formula: maximum of turning angle over length at the inner points of the contour jaw
    Source: discrete curvature of a polyline
    """
    sharpest: Values = face.curvature("jaw").max(axis=1)
    return sharpest
