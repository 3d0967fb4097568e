"""Faces followed from frame to frame of a video by where they are; nobody is recognised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

OVERLAP = 0.2
"""Intersection over union of two boxes that may be of one face: between frames looked at a face moves some way."""
MEMORY = 2.0
"""Seconds. A face that was not seen for longer is a new one."""


class Tracker:
    """Boxes of each frame are matched with where each face was last, by intersection over union.

    After the IOU tracker (Bochinski, Eiselein & Sikora 2017), with the assignment that has the largest sum.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[NDArray[np.float64], float]] = {}
        self._faces = 0

    def follow(self, faces: Sequence[NDArray[np.float32]], seconds: float) -> list[int]:
        """The number of each face, from 1, by its landmarks (P, 3) in a frame of that time; frames come in order."""
        self._last = {face: (box, seen) for face, (box, seen) in self._last.items() if seconds - seen <= MEMORY}
        known = list(self._last)
        boxes = [np.concatenate([face[:, :2].min(axis=0), face[:, :2].max(axis=0)]).astype(float) for face in faces]
        alike = np.array([[_overlap(box, self._last[face][0]) for face in known] for box in boxes])
        alike = alike.reshape(len(boxes), len(known))
        matched = {
            row: known[column]
            for row, column in zip(*linear_sum_assignment(-alike), strict=True)
            if alike[row, column] >= OVERLAP
        }
        numbers = [matched.get(row) or self._new() for row in range(len(boxes))]
        self._last |= {number: (box, seconds) for number, box in zip(numbers, boxes, strict=True)}
        return numbers

    def _new(self) -> int:
        self._faces += 1
        return self._faces


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes: left, top, right, bottom."""
    shared = np.prod(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None))
    both = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared
    return float(shared / both) if both > 0 else 0.0
