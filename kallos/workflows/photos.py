"""What is given to be scored, taken apart: photos, folders of them, patterns of names, videos and cameras."""

import glob
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from PIL import Image

from extractors.errors import InputError, KallosError, PhotoError
from extractors.photo import Photo
from extractors.video import VIDEO_SUFFIXES
from featurestore.folders import beside_line, contents

log = logging.getLogger(__name__)

Photos: TypeAlias = Photo | Iterable[Photo]
"""A photo, or several; where a path stands it may be that of a folder, of a video, a pattern, or `camera`."""

_CAMERA = re.compile(r"camera(?::(\d{1,3}))?")


@dataclass(frozen=True, eq=False)
class Source:
    """One photo, video or camera.

    name     its path; of a photo that is no file its place in what was given, such as `[0]`
    photo    None of a camera
    camera   its number; None of all else
    problem  why it cannot be used, where that is known before it is opened
    """

    name: Path
    photo: Photo | None = None
    camera: int | None = None
    problem: KallosError | None = None

    @property
    def moves(self) -> bool:
        """Whether it has frames."""
        is_file = isinstance(self.photo, Path) and self.problem is None
        return self.camera is not None or (is_file and self.name.suffix.lower() in VIDEO_SUFFIXES)


def sources_in(photos: Photos) -> list[Source]:
    """Each photo in the order given, those of folders and patterns sorted; other files of a folder are logged."""
    alone = isinstance(photos, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    alone = alone or not isinstance(photos, Iterable) or (isinstance(photos, np.ndarray) and photos.ndim == 3)
    found = list[Source]()
    for place, photo in enumerate(cast(Iterable[Photo], [photos] if alone else photos)):
        if isinstance(photo, str | os.PathLike):
            found += _at(Path(photo))
        else:
            found.append(Source(Path(f"[{place}]"), photo))
    return found


def _at(path: Path) -> Iterator[Source]:
    """What lies at a path, or at those that a pattern stands for."""
    # unlike those of Path these take a name that no file can have
    if os.path.isdir(path):  # noqa: PTH112
        yield from _in_folder(path)
    elif os.path.exists(path):  # noqa: PTH110
        yield Source(path, path)
    elif camera := _CAMERA.fullmatch(str(path)):
        yield Source(path, camera=int(camera[1] or 0))
    elif glob.has_magic(str(path)) and (matching := _matching(path)):
        for match in matching:
            yield from _at(Path(match))
    else:
        missing = InputError(f"{path} does not exist: give the path of a photo or of a folder of photos.")
        yield Source(path, problem=missing)


def _matching(pattern: Path) -> list[str]:
    return sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207  Path's needs the folder apart


def _in_folder(folder: Path) -> Iterator[Source]:
    inside = contents(folder)
    for path, reason in inside.refused:
        yield Source(path, problem=PhotoError(f"{path} {reason}."))
    if line := beside_line(inside.beside):
        log.info("%s: %s", folder, line)
    if not inside.photos:
        empty = InputError(f"{folder} holds no photo that can be read: give a folder with JPEG or PNG files.")
        yield Source(folder, problem=empty)
    for path in inside.photos:
        yield Source(path, path)
