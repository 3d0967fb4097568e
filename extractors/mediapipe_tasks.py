"""MediaPipe's Tasks: imported when the first is made, as that takes a while, and closed with what owns them.

The model lies in this package: nothing is downloaded. `face_landmarker.md` says where it is from.
"""

import importlib
import sys
import threading
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = Path(__file__).with_name("face_landmarker.task")


def landmarker(faces: int, detection: float, presence: float) -> Any:
    """A `FaceLandmarker` of single images that finds so many faces at most, with these confidences or more."""
    tasks = _mediapipe().tasks
    options = tasks.vision.FaceLandmarkerOptions(
        tasks.BaseOptions(model_asset_path=str(MODEL)),
        num_faces=faces,
        min_face_detection_confidence=detection,
        min_face_presence_confidence=presence,
    )
    return _closed_at_exit(tasks.vision.FaceLandmarker.create_from_options(options))


def detector(confidence: float) -> Any:
    """A `FaceDetector` of single images: the one that the landmarker begins with."""
    tasks = _mediapipe().tasks
    with zipfile.ZipFile(MODEL) as bundled:
        model = bundled.read("face_detector.tflite")
    options = tasks.vision.FaceDetectorOptions(
        tasks.BaseOptions(model_asset_buffer=model), min_detection_confidence=confidence
    )
    return _closed_at_exit(tasks.vision.FaceDetector.create_from_options(options))


def image(pixels: NDArray[np.uint8]) -> Any:
    """MediaPipe's image of (h, w, 3) uint8 RGB pixels."""
    mediapipe = _mediapipe()
    return mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(pixels))


def _closed_at_exit(task: Any) -> Any:
    """A task closes itself through a thread of its own. Left open until the process ends, its destructor finds that
    thread gone and prints a traceback; what is registered here runs while there still are threads.
    """
    is_there = weakref.ref(task)

    def close() -> None:
        if (left_open := is_there()) is not None:
            left_open.close()

    threading._register_atexit(close)  # type: ignore[attr-defined]
    return task


@cache
def _mediapipe() -> Any:
    with _later("matplotlib", "matplotlib.pyplot", "sounddevice"):
        import mediapipe
    return mediapipe


class _LazyModule(ModuleType):
    """A module that is imported on first use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _later(*names: str) -> Iterator[None]:
    """MediaPipe imports what it draws and records sound with, which is most of its start and not used here."""
    lazy = {name: _LazyModule(name) for name in names if name not in sys.modules}
    for name, module in lazy.items():
        package, _, child = name.rpartition(".")
        if package in lazy:
            vars(lazy[package])[child] = module
    sys.modules.update(lazy)
    try:
        yield
    finally:
        for name in lazy:
            del sys.modules[name]
