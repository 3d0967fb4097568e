"""The pixels of one face crop, patch by patch; a patch is the inside of a closed contour."""

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.points import Reals
from extractors.topologies.registry import topology_of

MIN_PIXELS = 16
"""A patch with fewer is too small to measure."""

BLUR = 9
"""Side of the square, pixels, over which the local mean is taken that fine texture is measured against."""

_SCALE = np.array([100 / 255, 1.0, 1.0])
_ZERO = np.array([0.0, 128.0, 128.0])  # OpenCV's 8-bit CIELAB


class Patches:
    """CIELAB pixels of named patches. A patch off the photo, even in part, measures NaN."""

    def __init__(self, image: NDArray[np.uint8], landmarks: Reals) -> None:
        """`image` (h, w, 3) uint8 RGB; `landmarks` (P, 2) in its pixels, NaN for those off the photo."""
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        lightness = np.ascontiguousarray(lab[:, :, 0])
        self._height, self._width = lightness.shape
        self._lab = lab.reshape(-1, 3)
        self._contours = topology_of(landmarks).contours
        size = (self._width, self._height)
        self._on_photo = np.asarray(((landmarks >= 0) & (landmarks <= size)).all(axis=1))
        # OpenCV counts from the centre of the first pixel, landmarks from its edge
        corners = np.round(np.where(self._on_photo[:, None], landmarks, 0) - 0.5)
        self._corners = corners.astype(np.int32).clip(0, (self._width - 1, self._height - 1))
        self._laplacian = cv2.Laplacian(lightness, cv2.CV_16S).ravel()
        self._texture = (lightness.astype(np.int16) - cv2.blur(lightness, (BLUR, BLUR))).ravel()
        self._places: dict[str, NDArray[np.intp]] = {}
        self._colours: dict[tuple[str, ...], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def mean(self, channel: int, *patches: str) -> float:
        """Mean of L* (0), a* (1) or b* (2) over all pixels of the patches."""
        return float(self._colour(patches)[0][channel])

    def spread(self, channel: int, *patches: str) -> float:
        """Standard deviation of L* (0), a* (1) or b* (2) over all pixels of the patches."""
        return float(self._colour(patches)[1][channel])

    def sharpness(self, patch: str) -> float:
        """log10(1 + variance of the Laplacian of L*)."""
        values = self._laplacian[self._inside(patch)]
        return float(np.log10(1 + values.var() * _SCALE[0] ** 2)) if values.size else float("nan")

    def texture_entropy(self, *patches: str) -> float:
        """Shannon entropy, bits, of L* less its local mean, in steps of 100/255."""
        values = np.concatenate([self._texture[self._inside(p)] for p in patches])
        if not values.size:
            return float("nan")
        shares = np.bincount(values + 255) / values.size
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())

    def _colour(self, patches: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3,) mean and (3,) standard deviation of L*, a*, b* over all pixels of the patches."""
        if patches not in self._colours:
            raw = np.concatenate([self._lab[self._inside(p)] for p in patches])
            if not raw.size:
                return np.full(3, np.nan), np.full(3, np.nan)
            mean, sd = cv2.meanStdDev(raw[None])
            self._colours[patches] = (mean[:, 0] - _ZERO) * _SCALE, sd[:, 0] * _SCALE
        return self._colours[patches]

    def _inside(self, patch: str) -> NDArray[np.intp]:
        """Flat indices of the patch's pixels; none where it lies off the photo."""
        if patch not in self._places:
            self._places[patch] = self._fill(list(self._contours[patch]))
        return self._places[patch]

    def _fill(self, contour: list[int]) -> NDArray[np.intp]:
        if not self._on_photo[contour].all():
            return np.empty(0, dtype=np.intp)
        corners = self._corners[contour]
        left, top, across, down = cv2.boundingRect(corners)
        mask = np.zeros((down, across), dtype=np.uint8)
        cv2.fillPoly(mask, [corners - (left, top)], (1,))
        rows, columns = np.nonzero(mask)
        inside: NDArray[np.intp] = (rows + top) * self._width + columns + left
        return inside if inside.size >= MIN_PIXELS else inside[:0]
