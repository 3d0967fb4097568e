"""The face without its surroundings, and the surroundings without the face: how much a network makes of either.

Inside is the contour of the face that the landmarks draw, from the upper forehead to the chin. Hair, ears, neck,
clothes and the wall behind are outside. What is taken away is painted in one grey, so its outline stays visible.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.alignment import Crop
from extractors.topologies.registry import topology_of

GREY = 127
"""About the mean of photos, which networks see as nothing in particular."""


def face_alone(crop: Crop) -> Crop:
    """The crop with everything outside the face's contour in grey."""
    return _painted(crop, ~_inside(crop))


def background_alone(crop: Crop) -> Crop:
    """The crop with everything inside the face's contour in grey."""
    return _painted(crop, _inside(crop))


def _painted(crop: Crop, where: NDArray[np.bool_]) -> Crop:
    return replace(crop, image=np.where(where[..., None], np.uint8(GREY), crop.image))


def _inside(crop: Crop) -> NDArray[np.bool_]:
    """(S, S) the pixels inside the contour of the face."""
    contour = crop.landmarks[list(topology_of(crop.landmarks).contours["face_oval"])]
    filled = np.zeros(crop.image.shape[:2], dtype=np.uint8)
    cv2.fillPoly(filled, [np.rint(contour).astype(np.int32)], (1,))
    return filled.astype(bool)
