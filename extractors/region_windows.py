"""Windows on the face, cut by its landmarks: where an encoder's feature maps are pooled, region by region.

A paired window (eye, brow, cheek) is the mean of the right one and of the left one seen in a mirror; a window on the
midline is the mean of itself and its mirror image, of which the right half is kept. So what a region shows does not
depend on the side, and asymmetry is left to the features that measure it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from extractors.topologies.registry import topology_of
from extractors.topology import Topology

VERSION = 1


@dataclass(frozen=True)
class Window:
    """The box around a contour, widened by `margin` of its width and height on every side, cut into cells.

    There is a right one and a left one, `is_paired`, or the one on the midline.
    """

    contour: str
    margin: float
    rows: int
    columns: int
    is_paired: bool = False

    @property
    def contours(self) -> tuple[str, ...]:
        """The contours that are boxed: right and left, or the one on the midline."""
        return (f"right_{self.contour}", f"left_{self.contour}") if self.is_paired else (self.contour,)

    @property
    def cells(self) -> int:
        """How many cells are kept after the two sides were averaged."""
        return self.rows * (self.columns if self.is_paired else -(-self.columns // 2))


WINDOWS: Mapping[str, tuple[Window, ...]] = {
    "eyes": (Window("eye", 0.5, 2, 3, is_paired=True),),
    "brows": (Window("brow", 0.35, 2, 3, is_paired=True),),
    "nose": (Window("nose", 0.25, 4, 3),),
    "lips": (Window("lips_outer", 0.3, 3, 4),),
    "jawline": (Window("jaw_band", 0.12, 4, 6),),
    "cheeks": (Window("cheek_area", 0.3, 3, 3, is_paired=True),),
    "skin": (
        Window("forehead", 0.3, 2, 4),
        Window("chin_area", 0.3, 2, 2),
        Window("under_eye", 0.2, 1, 2, is_paired=True),
    ),
}
"""region -> its windows; symmetry has none."""

BOXED = [(window, contour) for windows in WINDOWS.values() for window in windows for contour in window.contours]

MARGINS = np.array([window.margin for window, _ in BOXED], dtype=np.float32)[:, None]
BOX_OF_CELL = np.repeat(np.arange(len(BOXED)), [window.rows * window.columns for window, _ in BOXED])


def _parts_of_box() -> NDArray[np.float32]:
    """(K, 4) left, top, right, bottom of every cell as parts of its box, row by row."""
    return np.array(
        [
            (column / window.columns, row / window.rows, (column + 1) / window.columns, (row + 1) / window.rows)
            for window, _ in BOXED
            for row in range(window.rows)
            for column in range(window.columns)
        ],
        dtype=np.float32,
    )


PARTS = _parts_of_box()


@cache
def _outlines(topology: Topology) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Landmarks of all boxed contours, and where each contour begins among them."""
    contours = [topology.contours[contour] for _, contour in BOXED]
    return np.concatenate(contours), np.cumsum([0, *map(len, contours)])[:-1]


def cells(landmarks: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(P, 2) landmarks in pixels of a crop of `side` to (K, 4) left, top, right, bottom of cells as parts of it."""
    boxed, starts = _outlines(topology_of(landmarks))
    outlines = landmarks[boxed] / np.float32(side)
    low, high = np.minimum.reduceat(outlines, starts), np.maximum.reduceat(outlines, starts)
    around = MARGINS * (high - low)
    corner, extent = (low - around)[BOX_OF_CELL], (high - low + 2 * around)[BOX_OF_CELL]
    boxes: NDArray[np.float32] = np.hstack([corner, corner]) + PARTS * np.hstack([extent, extent])
    return boxes


def by_region(pooled: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """(channels, K) means in the cells that `cells` gives to region -> (1, channels x cells kept of it)."""
    boxes = iter(np.split(pooled, np.searchsorted(BOX_OF_CELL, range(1, len(BOXED))), axis=1))
    regions = {}
    for region, windows in WINDOWS.items():
        pooled_windows = []
        for window in windows:
            shape = (-1, window.rows, window.columns)
            first = next(boxes).reshape(shape)
            mirrored = (next(boxes).reshape(shape) if window.is_paired else first)[:, :, ::-1]
            columns = window.cells // window.rows
            pooled_windows.append(((first + mirrored) * np.float32(0.5))[:, :, :columns].ravel())
        regions[region] = np.concatenate(pooled_windows)[None]
    return regions


def width(region: str, channels: int) -> int:
    """How many numbers `by_region` gives for a region."""
    return channels * sum(window.cells for window in WINDOWS[region])
