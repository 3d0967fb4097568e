"""The 468 landmarks of the face in a photo, by MediaPipe's FaceMesh."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from featurestore.errors import NoFaceError

VERSION = 1
MAX_FACES = 4
CONFIDENCE = 0.5
BORDER = 0.25
_MUTING = threading.Lock()

# protobuf 4 warns of a call that MediaPipe makes on every image; catch_warnings is not for several threads
warnings.filterwarnings("ignore", message=r"SymbolDatabase\.GetPrototype")


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face of a photo.

    landmarks  (468, 3) float32: x, y in pixels of the photo, y down; z in the same unit, away from the viewer
    faces      how many faces there are (at most `MAX_FACES` are looked for); this is the largest
    """

    landmarks: NDArray[np.float32]
    faces: int


class FaceMesh:
    """FaceMesh on single photos; a context manager, for one thread at a time."""

    def __init__(self) -> None:
        self._has_met_a_face = False
        with muted():
            self._mesh = _mediapipe().solutions.face_mesh.FaceMesh(
                static_image_mode=True,
                max_num_faces=MAX_FACES,
                refine_landmarks=False,
                min_detection_confidence=CONFIDENCE,
            )
            # the graph starts in threads of its own; one image waits for them
            self.process(np.zeros((64, 64, 3), dtype=np.uint8))

    def __enter__(self) -> FaceMesh:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mesh.close()

    def find(self, image: NDArray[np.uint8]) -> FoundFace:
        """The largest face of an upright (h, w, 3) uint8 RGB photo. Raises NoFaceError."""
        faces = self._faces(image) or self._faces_in_border(image)
        if not faces:
            raise NoFaceError("No face was found: use a photo that shows one face from the front, well lit.")
        return FoundFace(max(faces, key=_box_area), len(faces))

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
            found = self.process(image)
        self._has_met_a_face = self._has_met_a_face or bool(found)
        return [
            np.array([(p.x * width, p.y * height, p.z * width) for p in face.landmark], dtype=np.float32)
            for face in found
        ]

    def process(self, image: NDArray[np.uint8]) -> list[Any]:
        """MediaPipe's faces of an RGB image, none where it finds none."""
        return self._mesh.process(np.ascontiguousarray(image)).multi_face_landmarks or []


def _mediapipe() -> Any:
    """MediaPipe, imported when the first mesh is made: it takes a while."""
    with warnings.catch_warnings(), _matplotlib_later():
        # its generated protobuf code and its own imports use what Python and NumPy have deprecated
        warnings.simplefilter("ignore")
        import mediapipe
    return mediapipe


class _Later(ModuleType):
    """A module that is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _matplotlib_later() -> Iterator[None]:
    """MediaPipe imports matplotlib for its drawing functions, which is most of its start and not used here."""
    names = ("matplotlib", "matplotlib.pyplot")
    if names[0] in sys.modules:
        yield
        return
    package, pyplot = map(_Later, names)
    vars(package)["pyplot"] = pyplot
    sys.modules.update(zip(names, (package, pyplot), strict=True))
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def _box_area(face: NDArray[np.float32]) -> float:
    return float(np.prod(np.ptp(face[:, :2], axis=0)))


@contextmanager
def muted() -> Iterator[None]:
    """Silence C++ code that writes to stderr, as MediaPipe's does when it starts and when it meets its first face."""
    # one thread at a time: a second one would keep the first one's nowhere, and restore that
    with _MUTING:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
