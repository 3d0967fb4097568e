"""Photos warped to a picture whose landmarks lie where they should: piecewise affine over triangles of landmarks."""

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.points import Reals

MARGIN = 0.3
"""Room on every side of the landmarks, as a part of the longer side of their box."""


EDGE = np.array([(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)])
"""Corners of a picture and middles of its edges, as parts of its side."""

COARSE = 64
"""Places along a side where a smooth deformation is computed."""

SMOOTHING = 1e-3


class Warp:
    """A picture's landmarks, its Delaunay triangles, and for each pixel the three corners that it lies between.

    What lies beyond the landmarks follows corners and edges of the picture, which go with the face as a whole.
    """

    def __init__(self, target: Reals, size: int, moved: Reals | None = None) -> None:
        """`target`: (M, 2) landmarks in pixels of the (size, size) picture, where they all lie.

        `moved`: where they shall lie in the end. To there a smooth deformation leads, as landmarks that are close
        together change places when a shape is moved far.
        """
        from scipy.sparse import csr_array
        from scipy.spatial import Delaunay

        self._target, self._size, self._frame = target, size, EDGE * size
        corners = np.concatenate([target, self._frame])
        pixels = _centres(size)
        if moved is not None:
            pixels = np.clip(pixels + _shifts(moved / size, target / size, size) * size, 0, size)
        pixels = pixels.reshape(-1, 2)
        triangles = Delaunay(corners)
        inside = triangles.find_simplex(pixels)
        to_corners = triangles.transform[inside]
        first = np.einsum("nij,nj->ni", to_corners[:, :2], pixels - to_corners[:, 2])
        weights = np.column_stack([first, 1 - first.sum(axis=1)])
        places = (weights.ravel(), triangles.simplices[inside].ravel(), np.arange(0, 3 * len(pixels) + 1, 3))
        self._weights = csr_array(places, shape=(len(pixels), len(corners)))

    def __call__(self, photo: NDArray[np.uint8], landmarks: Reals) -> NDArray[np.uint8]:
        """(size, size, 3) of an (h, w, 3) uint8 RGB photo with (M, 2) landmarks in its pixels; off it, its edge."""
        to, source = self._target @ (1, 1j), landmarks @ (1, 1j)
        centred = to - to.mean()
        scale = (centred.conj() @ source) / (np.abs(centred) ** 2).sum()
        frame = (self._frame @ (1, 1j) - to.mean()) * scale + source.mean()
        corners = np.concatenate([landmarks, np.column_stack([frame.real, frame.imag])])
        # one bilinear step may shrink by two at most; beyond that pixels would be skipped
        if (shrink := int(abs(scale))) > 1:
            height, width = photo.shape[:2]
            smaller = (-(-width // shrink), -(-height // shrink))
            photo = cv2.resize(photo, smaller, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            corners = corners * (smaller[0] / width, smaller[1] / height)
        x, y = (self._weights @ (corners - 0.5)).astype(np.float32).T.reshape(2, self._size, self._size)
        warped = cv2.remap(photo, x, y, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped, dtype=np.uint8)


def _shifts(moved: Reals, target: Reals, size: int) -> NDArray[np.float64]:
    """(size, size, 2) from each pixel to where it was, all in parts of the side: thin plates (Bookstein 1989)."""
    from scipy.interpolate import RBFInterpolator

    places = np.concatenate([moved, EDGE])
    shifts = np.concatenate([target - moved, np.zeros_like(EDGE)])
    plates = RBFInterpolator(places, shifts, smoothing=SMOOTHING)
    coarse = plates(_centres(COARSE).reshape(-1, 2) / COARSE).reshape(COARSE, COARSE, 2)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def _centres(size: int) -> NDArray[np.float64]:
    """(size, size, 2) x and y of pixels; landmarks count from the edge of the first one."""
    return np.stack(np.meshgrid(*2 * [np.arange(size) + 0.5]), axis=-1)


def fitted(shape: Reals, size: int) -> NDArray[np.float64]:
    """(M, 2) landmarks of any size, y down, placed in the middle of a (size, size) picture with MARGIN around."""
    low, high = shape.min(axis=0), shape.max(axis=0)
    return np.asarray(
        size / 2 + (shape - (low + high) / 2) * size / ((high - low).max() * (1 + 2 * MARGIN)), dtype=np.float64
    )
