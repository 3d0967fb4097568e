"""A photo as Python holds it: a path, what a file holds, a PIL image, or pixels."""

import hashlib
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from extractors.decode import UNNAMED, check_pixels, decode, decode_bytes, decode_image
from extractors.errors import InputError
from extractors.file_hash import sha256_of_file

Photo: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, the bytes of a photo file, a PIL image, or (h, w, 3) uint8 RGB pixels of an upright photo."""


def read_photo(photo: Photo) -> tuple[Path, NDArray[np.uint8]]:
    """What to call a photo, and its (h, w, 3) uint8 RGB pixels, upright; one that is not a file has no name of its own.

    The limits of files hold for all. Raises InputError for what is not a photo, PhotoError for one that cannot be used.
    """
    if isinstance(photo, str | os.PathLike):
        return Path(photo), decode(Path(photo))
    if isinstance(photo, bytes | bytearray | memoryview):
        return UNNAMED, decode_bytes(bytes(photo))
    if isinstance(photo, Image.Image):
        return UNNAMED, decode_image(photo)
    if isinstance(photo, np.ndarray):
        return UNNAMED, _checked(photo)
    raise InputError(
        f"A {type(photo).__name__} is not a photo: give a path, the bytes of a file, a PIL image, or an array "
        "(height, width, 3) of uint8, RGB."
    )


def content_hash(photo: Photo) -> str | None:
    """sha256 of what the photo's file holds; None for a PIL image and for pixels, whose file is unknown."""
    if isinstance(photo, str | os.PathLike):
        return sha256_of_file(Path(photo))
    return hashlib.sha256(photo).hexdigest() if isinstance(photo, bytes | bytearray | memoryview) else None


def _checked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(
            f"An array {pixels.shape} of {pixels.dtype} is not a photo: give (height, width, 3) of uint8, RGB."
        )
    check_pixels(UNNAMED, pixels.shape[0] * pixels.shape[1])
    # a view with its channels or rows turned round is none that OpenCV can read
    return np.ascontiguousarray(pixels)
