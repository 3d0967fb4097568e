"""The landmarks of the face in a photo, by MediaPipe's face landmarker."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache, cached_property
from importlib.metadata import version as package_version
from types import TracebackType
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors import mediapipe_tasks
from extractors.errors import NoFaceError
from extractors.face_detector import Box, FaceDetector, overlap
from extractors.file_hash import sha256_of_file
from extractors.landmark_finder import FoundFace

MAX_FACES = 4
DETECTION, PRESENCE = 0.4, 0.2
"""Confidences: below MediaPipe's .5, with which it misses faces whose edges are cut off."""

BORDER = 0.25

DETECTABLE = 0.19
"""Smallest face that is always found in a square, as a part of its side."""

NEARER = (1, 2, 4, 8)
"""Where nothing is found, squares of these parts of the photo's longer side are searched."""

SMALLEST = 48.0
"""Pixels. In narrower faces landmarks are off by more than a hundredth of the face's width."""

_MUTING = threading.Lock()


class Landmarker:
    """The landmarker on single photos; a context manager, for one thread at a time."""

    VERSION: ClassVar[int] = 1

    def __init__(self) -> None:
        self._has_met_a_face = False
        with muted():
            self._task = mediapipe_tasks.landmarker(MAX_FACES, DETECTION, PRESENCE)
        # the graph starts in threads of its own; one image waits for them
        self._faces(np.zeros((64, 64, 3), dtype=np.uint8))

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.close()
        if "_detector" in vars(self):
            self._detector.close()

    @staticmethod
    def parameters() -> Mapping[str, object]:
        """Every setting that changes the values."""
        return {"mediapipe": package_version("mediapipe"), "model": _model_sha256(), "max_faces": MAX_FACES}

    @cached_property
    def _detector(self) -> FaceDetector:
        """Made when it is needed, which most portraits never do."""
        with muted():
            return FaceDetector()

    def find(self, image: NDArray[np.uint8]) -> FoundFace:
        """The largest face of an upright (h, w, 3) uint8 RGB photo. Raises NoFaceError."""
        faces = self.faces(image)
        return FoundFace(faces[0], len(faces), _place(faces, 0))

    def faces(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The landmarks of every face, the largest first. Raises NoFaceError."""
        faces = self._faces(image) or self._faces_in_border(image)
        faces = self._and_smaller(image, faces) if faces else self._small(image)
        return sorted(faces, key=_box_area, reverse=True)

    def _and_smaller(self, image: NDArray[np.uint8], faces: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """With those of half the largest's size, which may be too small to be found in the whole photo."""
        size = max(float(np.ptp(face[:, :2], axis=0).max()) for face in faces)
        side = round(size / 2 / DETECTABLE)
        return faces if side >= max(image.shape[:2]) else faces + self._closely(image, side, faces)

    def _small(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The faces found in smaller and smaller squares. Raises NoFaceError, which names a size that would do."""
        longer, faces = max(image.shape[:2]), list[NDArray[np.float32]]()
        for side in dict.fromkeys(round(max(longer / part, SMALLEST / DETECTABLE)) for part in NEARER):
            is_found = any(_width(face) >= SMALLEST for face in faces)
            faces += self._closely(image, side, faces)
            if is_found:
                # this pass was for others, which may be a little smaller
                break
        if large := [face for face in faces if _width(face) >= SMALLEST]:
            return large
        size = f"at least {max(SMALLEST, DETECTABLE * longer / NEARER[-1]):.0f} pixels wide"
        if faces:
            wide = f"about {max(map(_width, faces)):.0f} pixels wide"
            raise NoFaceError(f"The face is {wide}, too small to be measured: use a photo with a face {size}.")
        raise NoFaceError(f"No face was found: use a photo that shows one face from the front, well lit, {size}.")

    def _closely(
        self, image: NDArray[np.uint8], side: int, known: list[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Faces beside the known ones: found by the detector in squares of `side` pixels, measured in a crop."""
        found: list[NDArray[np.float32]] = []
        for box in self._detector.boxes(image, side):
            if any(overlap(box, _box(face)) for face in known + found):
                continue
            left, top, right, bottom = box
            room = max(right - left, bottom - top)
            x, y = max(int(left - room), 0), max(int(top - room), 0)
            near = image[y : int(bottom + room), x : int(right + room)]
            faces = (face + np.array((x, y, 0), dtype=np.float32) for face in self._faces(near))
            found += [face for face in faces if overlap(box, _box(face))][:1]
        return found

    def _faces_in_border(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The detector knows faces with some room around them; one that fills the photo gets it here."""
        height, width = image.shape[:2]
        top, left = int(height * BORDER), int(width * BORDER)
        bordered = cv2.copyMakeBorder(image, top, top, left, left, cv2.BORDER_REPLICATE)
        return [
            face - np.array((left, top, 0), dtype=np.float32)
            for face in self._faces(bordered.astype(np.uint8, copy=False))
        ]

    def _faces(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        height, width = image.shape[:2]
        with nullcontext() if self._has_met_a_face else muted():
            found = self._task.detect(mediapipe_tasks.image(image)).face_landmarks
        self._has_met_a_face = self._has_met_a_face or bool(found)
        return [np.array([(p.x * width, p.y * height, p.z * width) for p in face], dtype=np.float32) for face in found]


@cache
def _model_sha256() -> str:
    return sha256_of_file(mediapipe_tasks.MODEL)


def _box_area(face: NDArray[np.float32]) -> float:
    return float(np.prod(np.ptp(face[:, :2], axis=0)))


def _box(face: NDArray[np.float32]) -> Box:
    (left, top), (right, bottom) = face[:, :2].min(axis=0).tolist(), face[:, :2].max(axis=0).tolist()
    return left, top, right, bottom


def _width(face: NDArray[np.float32]) -> float:
    return float(np.ptp(face[:, 0]))


def _place(faces: list[NDArray[np.float32]], one: int) -> str:
    """Such as `2nd from the left`; from the top where faces stand rather above each other."""
    middles = np.array([face[:, :2].mean(axis=0) for face in faces])
    axis = int(np.argmax(np.ptp(middles, axis=0)))
    number = int((middles[:, axis] < middles[one, axis]).sum()) + 1
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} from the {('left', 'top')[axis]}"


@contextmanager
def muted() -> Iterator[None]:
    """Silence C++ code that writes to stderr, as MediaPipe's does when it starts and when it meets its first face."""
    # one thread at a time: a second one would take the first one's null device for stderr, and restore that
    with _MUTING:
        stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)
