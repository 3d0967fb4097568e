"""The pixels of one face crop, patch by patch; a patch is the inside of a closed contour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.points import CONTOURS, Reals

SKIN_PATCHES = ("forehead", "right_cheek", "left_cheek", "chin", "nose_ridge")
MIN_PIXELS = 16
"""A patch with fewer is too small to measure."""

_TO_LAB = np.array([100 / 255, 1.0, 1.0]), np.array([0.0, 128.0, 128.0])


class Patches:
    """CIELAB pixels of named patches. A patch off the photo, even in part, measures NaN."""

    def __init__(self, image: NDArray[np.uint8], landmarks: Reals) -> None:
        """`image` (h, w, 3) uint8 RGB; `landmarks` (468, 2) in its pixels, NaN for those off the photo."""
        self._landmarks = landmarks
        self._lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        lightness = np.ascontiguousarray(self._lab[:, :, 0])
        self._laplacian = cv2.Laplacian(lightness, cv2.CV_16S)
        self._detail = lightness.astype(np.int16) - cv2.GaussianBlur(lightness, (0, 0), 3)
        self._places: dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]] = {}

    def mean(self, channel: int, *patches: str) -> float:
        """Mean of L* (0), a* (1) or b* (2) over all pixels of the patches."""
        values = self._values(channel, patches)
        return float(values.mean()) if values.size else float("nan")

    def spread(self, channel: int, *patches: str) -> float:
        """Standard deviation of L* (0), a* (1) or b* (2) over all pixels of the patches."""
        values = self._values(channel, patches)
        return float(values.std()) if values.size else float("nan")

    def sharpness(self, patch: str) -> float:
        """log10(1 + variance of the Laplacian of L*)."""
        values = self._laplacian[self._inside(patch)] * (100 / 255)
        return float(np.log10(1 + values.var())) if values.size else float("nan")

    def detail_entropy(self, *patches: str) -> float:
        """Shannon entropy, bits, of L* less its blur in steps of 100/255."""
        values = np.concatenate([self._detail[self._inside(p)] for p in patches])
        if not values.size:
            return float("nan")
        shares = np.bincount(values + 255) / values.size
        shares = shares[shares > 0]
        return float(-(shares * np.log2(shares)).sum())

    def _values(self, channel: int, patches: tuple[str, ...]) -> NDArray[np.float64]:
        scale, zero = _TO_LAB[0][channel], _TO_LAB[1][channel]
        raw = np.concatenate([self._lab[:, :, channel][self._inside(p)] for p in patches])
        return np.asarray((raw - zero) * scale)

    def _inside(self, patch: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the patch's pixels; none where it lies off the photo."""
        if patch not in self._places:
            self._places[patch] = self._fill(self._landmarks[list(CONTOURS[patch])])
        return self._places[patch]

    def _fill(self, outline: Reals) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        none = (np.empty(0, dtype=np.intp),) * 2
        height, width = self._lab.shape[:2]
        if not ((outline >= 0) & (outline <= (width, height))).all():
            return none
        # OpenCV counts from the centre of the first pixel, landmarks from its edge
        corners = np.round(outline - 0.5).astype(np.int32)
        left, top = corners.min(axis=0)
        across, down = np.ptp(corners, axis=0) + 1
        mask = np.zeros((down, across), dtype=np.uint8)
        cv2.fillPoly(mask, [corners - (left, top)], (1,))
        rows, columns = np.nonzero(mask)
        return (rows + top, columns + left) if len(rows) >= MIN_PIXELS else none
