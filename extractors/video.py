"""Frames of a video file or of a camera, as upright RGB pictures."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.decode import check_pixels
from extractors.errors import InputError, PhotoError
from extractors.landmarker import muted

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
MAX_FRAMES = 20_000
"""Frames of one video that are looked at: a quarter of an hour of work on two cores."""
LONGEST_SIDE = 1920
"""Pixels. Larger frames are scaled down: many wait for workers at once."""
ALL_THERE = 0.9
"""Part of the frames announced by a file that must come; what some containers announce is an estimate."""

_BEGINNINGS = {4: (b"ftyp", b"moov", b"mdat", b"wide", b"free"), 0: (b"RIFF", b"\x1aE\xdf\xa3")}
"""Place -> bytes of MP4 and QuickTime, AVI, Matroska. FFmpeg would follow a playlist of any name to other files."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame, by its number from 0 and its time in seconds, as (h, w, 3) uint8 RGB pixels."""

    number: int
    seconds: float
    pixels: NDArray[np.uint8]


def frames_of_file(path: Path, every: int, seconds: float | None = None) -> Iterator[Frame]:
    """Each `every`-th frame of a video file, turned upright, up to a time if one is given.

    Raises InputError where there is no such file and for more than MAX_FRAMES, PhotoError for what is no video,
    for frames of more pixels than photos may have, and after the last frame of a file that is cut short.
    """
    _check_file(path)
    with _opened(str(path), cv2.CAP_FFMPEG) as video:
        if video is None:
            raise PhotoError(f"{path} is no video that can be read: convert it to MP4.")
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        _check_count(path, announced, every, whole=seconds is None)
        check_pixels(path, int(video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        number = -1
        while video.grab():
            number += 1
            now = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if seconds is not None and now >= seconds:
                return
            if number % every == 0 and (pixels := _pixels(video)) is not None:
                _check_count(path, number, every)
                yield Frame(number, now, pixels)
    if number + 1 < ALL_THERE * announced or number < 0:
        raise PhotoError(f"{path} ends after {number + 1} of {announced} frames: save or copy it again.")


def frames_of_camera(camera: int, every: int, seconds: float) -> Iterator[Frame]:
    """Each `every`-th frame of a camera for so many seconds. Raises InputError where there is no such camera."""
    with _opened(camera, cv2.CAP_ANY) as video:
        if video is None:
            raise InputError(f"Camera {camera} cannot be opened: connect it, or name another, such as camera:1.")
        began, number = time.monotonic(), -1
        while (now := time.monotonic() - began) < seconds and video.grab():
            number += 1
            if number % every == 0 and (pixels := _pixels(video)) is not None:
                yield Frame(number, now, pixels)


def frames_in_file(path: Path, every: int) -> int:
    """How many frames a file announces, which may be none, of those that `frames_of_file` gives."""
    with _opened(str(path), cv2.CAP_FFMPEG) as video:
        return 0 if video is None else max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0) // every


@contextmanager
def _opened(source: str | int, backend: int) -> Iterator[cv2.VideoCapture | None]:
    """None where it cannot be opened."""
    # FFmpeg writes of damage to stderr
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    with muted():
        video = cv2.VideoCapture(source, backend)
    try:
        yield video if video.isOpened() else None
    finally:
        video.release()


def _pixels(video: cv2.VideoCapture) -> NDArray[np.uint8] | None:
    """The grabbed frame; None where it is damaged."""
    is_whole, frame = video.retrieve()
    if not is_whole:
        return None
    height, width = frame.shape[:2]
    if (scale := LONGEST_SIDE / max(height, width)) < 1:
        frame = cv2.resize(frame, (round(scale * width), round(scale * height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            beginning = file.read(12)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give the path of a video.") from error
    if not any(beginning[at:].startswith(kinds) for at, kinds in _BEGINNINGS.items()):
        raise PhotoError(f"{path} is not a video: convert it to MP4.")


def _check_count(path: Path, frames: int, every: int, *, whole: bool = True) -> None:
    if whole and frames > MAX_FRAMES * every:
        enough = -(-frames // MAX_FRAMES)
        raise InputError(
            f"{path} has {frames:,} frames and more, and {MAX_FRAMES:,} at most are looked at: take each {enough}th."
        )
