"""Nose: width, length, tip and straightness."""

from extractors.catalogue import feature
from extractors.points import Landmarks, Values


@feature("nose", unit="face widths", low=0.18, high=0.42)
def nose_width(face: Landmarks) -> Values:
    """Width between the wings of the nose.

    Formula: |right_alare - left_alare|
    Source: Farkas 1994 (al-al)
    """
    return face.distance("right_alare", "left_alare")


@feature("nose", unit="face widths", low=0.12, high=0.36)
def nostril_base_width(face: Landmarks) -> Values:
    """Width of the base of the nostrils.

    Formula: |right_nostril_base - left_nostril_base|
    Source: Farkas 1994 (ac-ac)
    """
    return face.distance("right_nostril_base", "left_nostril_base")


@feature("nose", unit="face widths", low=0.08, high=0.25)
def nose_bridge_width(face: Landmarks) -> Values:
    """Width of the bridge between its sides.

    Formula: |right_bridge_side - left_bridge_side|
    Source: own definition
    """
    return face.distance("right_bridge_side", "left_bridge_side")


@feature("nose", unit="face widths", low=0.24, high=0.52)
def nose_length(face: Landmarks) -> Values:
    """Length of the nose from its root to its base.

    Formula: |nasion - subnasale|
    Source: Farkas 1994 (n-sn)
    """
    return face.distance("nasion", "subnasale")


@feature("nose", unit="ratio", low=0.4, high=1.2)
def nasal_index(face: Landmarks) -> Values:
    """Width of the nose over its length.

    Formula: |right_alare - left_alare| / |nasion - subnasale|
    Source: Farkas 1994 (nasal index)
    """
    return nose_width(face) / nose_length(face)


@feature("nose", unit="ratio", low=0.65, high=1.6)
def nose_to_intercanthal(face: Landmarks) -> Values:
    """Width of the nose over the distance of the eyes; the neoclassical canon says 1.

    Formula: |right_alare - left_alare| / |right_eye_inner - left_eye_inner|
    Source: Farkas 1994 (orbitonasal canon)
    """
    return nose_width(face) / face.distance("right_eye_inner", "left_eye_inner")


@feature("nose", unit="ratio", low=0.2, high=0.4)
def nose_length_to_face(face: Landmarks) -> Values:
    """Length of the nose over the length of the face.

    Formula: |nasion - subnasale| / |face_top - chin|
    Source: Cunningham 1986 (length of nose)
    """
    return nose_length(face) / face.distance("face_top", "chin")


@feature("nose", unit="ratio", low=-0.1, high=0.55)
def nose_tip_height(face: Landmarks) -> Values:
    """How far the tip lies above the base, as a part of the nose's length; an upturned nose has more.

    Formula: rise(subnasale, nose_tip) / |nasion - subnasale|
    Source: own definition
    """
    return face.rise("subnasale", "nose_tip") / nose_length(face)


@feature("nose", unit="face widths", low=0.05, high=0.4)
def nose_protrusion(face: Landmarks) -> Values:
    """How far the tip stands out before the base, in the landmarker's estimate of depth.

    Formula: behind(nose_tip, subnasale)
    Source: Farkas 1994 (sn-prn), from estimated depth
    """
    return face.behind("nose_tip", "subnasale")


@feature("nose", unit="degrees", low=60.0, high=180.0)
def nose_tip_angle(face: Landmarks) -> Values:
    """Angle at the tip between the wings, as the photo shows it.

    Formula: angle(right_alare, nose_tip, left_alare)
    Source: own definition
    """
    return face.angle("right_alare", "nose_tip", "left_alare")


@feature("nose", unit="face widths", low=0.0, high=0.12)
def nose_deviation(face: Landmarks) -> Values:
    """Distance of the tip from the midline; a turned head shows here too.

    Formula: distance of nose_tip to the line glabella - chin
    Source: own definition
    """
    return face.from_midline("nose_tip")


@feature("nose", unit="face widths", low=0.02, high=0.28, asymmetry=0.2)
def alar_breadth(face: Landmarks, side: str) -> Values:
    """Distance of the wing of the nose from the midline.

    Formula: distance of {side}_alare to the line glabella - chin
    Source: own definition
    """
    return face.from_midline(f"{side}_alare")
