"""A perceptual hash of the face: copies of a photo in other sizes, compressed or retouched, differ in few bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

VERSION = 1


def perceptual_hash(crop: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(1,): 64 bits of a levelled (S, S, 3) uint8 RGB crop: signs of its lowest frequencies (pHash, Zauner 2010)."""
    bits = cv2.img_hash.pHash(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    return bits.reshape(8).view(">u8").astype(np.uint64)
