"""Skin, and the contrasts around it: features of the pixels in patches that the landmarks place.

Everything is measured in the levelled crop of fixed size, so that the face's scale does not count; a photo with
few pixels has less sharpness there, as it looks to a rater. Light and camera count too: two photos of one
person differ. L*, a*, b* are those of CIELAB.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import RECIPE
from extractors.catalogue import FEATURES_COMMENT, SKIN, feature, fields_of
from extractors.outputs import FEATURES
from extractors.patches import Patches
from extractors.points import SKIN_PATCHES
from extractors.spec import Extractor

INVARIANT = ("translation", "roll")
"""Up to resampling. Not scale: a photo with fewer pixels is less sharp."""

pixels = functools.partial(feature, kind="skin", invariant=INVARIANT)


def compute_skin(image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(S,) values, in the order of the catalogue, of one crop as `alignment.align_face` makes it.

    `image` is (256, 256, 3) uint8 RGB, `landmarks` (P, 2) in its pixels. NaN where a patch lies off the photo.
    """
    patches = Patches(image, landmarks)
    return np.array([f.measure(patches) for f in SKIN.values()], dtype=np.float64)


EXTRACTOR = Extractor(
    name="skin",
    view=FEATURES,
    comment=FEATURES_COMMENT,
    fields=functools.partial(fields_of, "skin"),
    code_version=1,  # of what all formulas share: each has a version of its own
    measure=lambda face: {"features": compute_skin(face.crop, face.aligned.visible)[None]},
    needs_pixels=True,
    parameters=RECIPE,
)


@pixels("skin", unit="log10 of squared L*", low=0.0, high=4.0, asymmetry=2.0)
def cheek_sharpness(face: Patches, side: str) -> float:
    """Sharpness of the skin on the cheek: pores, lines and roughness, and how sharp the photo is.

    Formula: log10(1 + variance of the Laplacian of L*) inside {side}_cheek_area
    Source: variance of the Laplacian, Pertuz, Puig & Garcia 2013
    """
    return face.sharpness(f"{side}_cheek_area")


@pixels("skin", unit="log10 of squared L*", low=0.0, high=4.0, asymmetry=2.0)
def under_eye_sharpness(face: Patches, side: str) -> float:
    """Sharpness of the skin under the eye: pores, lines and roughness, and how sharp the photo is.

    Formula: log10(1 + variance of the Laplacian of L*) inside {side}_under_eye
    Source: variance of the Laplacian, Pertuz, Puig & Garcia 2013
    """
    return face.sharpness(f"{side}_under_eye")


@pixels("skin", unit="log10 of squared L*", low=0.0, high=4.0)
def forehead_sharpness(face: Patches) -> float:
    """Sharpness of the skin on the forehead: pores, lines and roughness, and how sharp the photo is.

    Formula: log10(1 + variance of the Laplacian of L*) inside forehead
    Source: variance of the Laplacian, Pertuz, Puig & Garcia 2013
    """
    return face.sharpness("forehead")


@pixels("skin", unit="log10 of squared L*", low=0.0, high=4.0)
def chin_sharpness(face: Patches) -> float:
    """Sharpness of the skin on the chin: pores, lines and roughness, and how sharp the photo is.

    Formula: log10(1 + variance of the Laplacian of L*) inside chin_area
    Source: variance of the Laplacian, Pertuz, Puig & Garcia 2013
    """
    return face.sharpness("chin_area")


@pixels("skin", unit="log10 of squared L*", low=0.0, high=4.0)
def nose_sharpness(face: Patches) -> float:
    """Sharpness of the skin on the ridge of the nose: pores, lines and roughness, and how sharp the photo is.

    Formula: log10(1 + variance of the Laplacian of L*) inside nose_ridge
    Source: variance of the Laplacian, Pertuz, Puig & Garcia 2013
    """
    return face.sharpness("nose_ridge")


@pixels("skin", unit="L*", low=0.0, high=30.0, asymmetry=22.0)
def cheek_unevenness(face: Patches, side: str) -> float:
    """Unevenness of the skin on the cheek; even skin has less.

    Formula: standard deviation of L* inside {side}_cheek_area
    Source: own definition
    """
    return face.spread(0, f"{side}_cheek_area")


@pixels("skin", unit="L*", low=0.0, high=40.0)
def forehead_unevenness(face: Patches) -> float:
    """Unevenness of the skin on the forehead; even skin has less.

    Formula: standard deviation of L* inside forehead
    Source: own definition
    """
    return face.spread(0, "forehead")


@pixels("skin", unit="L*", low=0.0, high=25.0)
def chin_unevenness(face: Patches) -> float:
    """Unevenness of the skin on the chin; even skin has less.

    Formula: standard deviation of L* inside chin_area
    Source: own definition
    """
    return face.spread(0, "chin_area")


@pixels("skin", unit="L*", low=0.0, high=40.0)
def nose_unevenness(face: Patches) -> float:
    """Unevenness of the skin on the ridge of the nose; even skin has less.

    Formula: standard deviation of L* inside nose_ridge
    Source: own definition
    """
    return face.spread(0, "nose_ridge")


@pixels("skin", unit="L*", low=15.0, high=98.0)
def skin_lightness(face: Patches) -> float:
    """Lightness of the skin.

    Formula: mean L* over the patches
    Source: CIE 1976
    """
    return face.mean(0, *SKIN_PATCHES)


@pixels("skin", unit="a*", low=-5.0, high=40.0)
def skin_redness(face: Patches) -> float:
    """Redness of the skin.

    Formula: mean a* over the patches
    Source: CIE 1976; Stephen et al. 2009
    """
    return face.mean(1, *SKIN_PATCHES)


@pixels("skin", unit="b*", low=-15.0, high=50.0)
def skin_yellowness(face: Patches) -> float:
    """Yellowness of the skin.

    Formula: mean b* over the patches
    Source: CIE 1976; Stephen et al. 2009
    """
    return face.mean(2, *SKIN_PATCHES)


@pixels("skin", unit="a*", low=0.0, high=14.0)
def skin_redness_spread(face: Patches) -> float:
    """Unevenness of the skin's redness: blemishes, flush.

    Formula: standard deviation of a* over the patches
    Source: own definition
    """
    return face.spread(1, *SKIN_PATCHES)


@pixels("skin", unit="b*", low=0.0, high=18.0)
def skin_yellowness_spread(face: Patches) -> float:
    """Unevenness of the skin's yellowness.

    Formula: standard deviation of b* over the patches
    Source: own definition
    """
    return face.spread(2, *SKIN_PATCHES)


@pixels("skin", unit="bits", low=0.0, high=6.0)
def skin_texture_entropy(face: Patches) -> float:
    """Richness of the skin's fine texture.

    Formula: Shannon entropy of L* less its mean over the square of 9 px around, in steps of 100/255, over
        the patches
    Source: own definition
    """
    return face.texture_entropy(*SKIN_PATCHES)


@pixels("skin", unit="L*", low=-25.0, high=30.0, asymmetry=30.0)
def under_eye_darkness(face: Patches, side: str) -> float:
    """How much darker the skin under the eye is than the cheek.

    Formula: mean L* inside {side}_cheek_area - mean L* inside {side}_under_eye
    Source: own definition
    """
    return face.mean(0, f"{side}_cheek_area") - face.mean(0, f"{side}_under_eye")


@pixels("eyes", unit="ratio", low=-0.1, high=0.7)
def eye_contrast(face: Patches) -> float:
    """How much darker the eyes are than the skin.

    Formula: (S - F) / (S + F), S = mean L* of the skin patches, F = mean L* inside right_eye and
        left_eye
    Source: Russell 2009 (facial contrast)
    """
    return _contrast(face, "right_eye", "left_eye")


@pixels("brows", unit="ratio", low=-0.15, high=0.8)
def brow_contrast(face: Patches) -> float:
    """How much darker the brows are than the skin.

    Formula: (S - F) / (S + F), S = mean L* of the skin patches, F = mean L* inside right_brow and
        left_brow
    Source: Russell 2009 (facial contrast)
    """
    return _contrast(face, "right_brow", "left_brow")


@pixels("lips", unit="ratio", low=-0.15, high=0.5)
def lip_contrast(face: Patches) -> float:
    """How much darker the lips are than the skin.

    Formula: (S - F) / (S + F), S = mean L* of the skin patches, F = mean L* inside lips_outer
    Source: Russell 2009 (facial contrast)
    """
    return _contrast(face, "lips_outer")


@pixels("lips", unit="a*", low=-10.0, high=50.0)
def lip_redness(face: Patches) -> float:
    """How much redder the lips are than the skin.

    Formula: mean a* inside lips_outer - mean a* of the skin patches
    Source: Stephen & McKeegan 2010
    """
    return face.mean(1, "lips_outer") - skin_redness(face)


def _contrast(face: Patches, *patches: str) -> float:
    skin, part = skin_lightness(face), face.mean(0, *patches)
    return (skin - part) / (skin + part)
