"""A perceptual hash of the face: copies of a photo in other sizes, compressed or retouched, differ in few bits."""

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.alignment import RECIPE
from extractors.outputs import Field
from extractors.spec import Extractor


def perceptual_hash(crop: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(1,): 64 bits of a levelled (S, S, 3) uint8 RGB crop: signs of its lowest frequencies (pHash, Zauner 2010)."""
    bits = cv2.img_hash.pHash(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    return bits.reshape(8).view(">u8").astype(np.uint64)


EXTRACTOR = Extractor(
    name="fingerprint",
    view="fingerprints",
    comment="one row an image: a hash that hardly changes when the photo is scaled, recompressed or retouched",
    fields=lambda: (Field("phash", "uint64", "perceptual hash of the levelled face, 64 bits"),),
    code_version=1,
    measure=lambda face: {"phash": perceptual_hash(face.crop)},
    needs_pixels=True,
    parameters=RECIPE | {"opencv": cv2.__version__},
)
