"""Where faces are in a photo, small ones too: MediaPipe's detector of the full range, on overlapping tiles.

FaceMesh has a detector of its own, for faces that fill more than a ninth of the photo's longer side.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.5

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the photo."""


class FaceDetector:
    """The detector on single photos; for one thread at a time. Close it when done."""

    def __init__(self, mediapipe: Any) -> None:
        self._detection = mediapipe.solutions.face_detection.FaceDetection(
            model_selection=1, min_detection_confidence=CONFIDENCE
        )
        # the graph starts in threads of its own; one image waits for them
        self._detection.process(np.zeros((64, 64, 3), dtype=np.uint8))

    def close(self) -> None:
        self._detection.close()

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
        tile = np.ascontiguousarray(image[top : top + side, left : left + side])
        height, width = tile.shape[:2]
        for face in self._detection.process(tile).detections or []:
            box = face.location_data.relative_bounding_box
            x, y = left + box.xmin * width, top + box.ymin * height
            yield face.score[0], (x, y, x + box.width * width, y + box.height * height)


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
