"""Where faces are in a photo, small ones too: the landmarker's own detector, on overlapping tiles."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from extractors import mediapipe_tasks

CONFIDENCE = 0.5

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the photo."""


class FaceDetector:
    """The detector on single photos; for one thread at a time. Close it when done."""

    def __init__(self) -> None:
        self._task = mediapipe_tasks.detector(CONFIDENCE)
        # the graph starts in threads of its own; one image waits for them
        self._task.detect(mediapipe_tasks.image(np.zeros((64, 64, 3), dtype=np.uint8)))

    def close(self) -> None:
        self._task.close()

    def boxes(self, image: NDArray[np.uint8], side: int) -> list[Box]:
        """Faces of an (h, w, 3) uint8 RGB photo, found in squares of `side` pixels; the surest first, each once."""
        found = sorted(
            (scored for tile in _tiles(image.shape[0], image.shape[1], side) for scored in self._in_tile(image, *tile)),
            reverse=True,
        )
        boxes: list[Box] = []
        for _, box in found:
            if not any(overlap(box, other) for other in boxes):
                boxes.append(box)
        return boxes

    def _in_tile(self, image: NDArray[np.uint8], left: int, top: int, side: int) -> Iterator[tuple[float, Box]]:
        tile = mediapipe_tasks.image(image[top : top + side, left : left + side])
        for face in self._task.detect(tile).detections:
            box = face.bounding_box
            x, y = left + box.origin_x, top + box.origin_y
            yield face.categories[0].score, (x, y, x + box.width, y + box.height)


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes are of one face: the middle of either lies in the other."""
    return _holds_middle(one, other) or _holds_middle(other, one)


def _holds_middle(outer: Box, inner: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _tiles(height: int, width: int, side: int) -> Iterator[tuple[int, int, int]]:
    """Left, top, side of squares that cover a photo; neighbours share at least a third."""
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, side


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = math.ceil(1.5 * (length - side) / side) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
