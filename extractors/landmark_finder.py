"""What finds the face in a photo, and its landmarks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from extractors.topology import Topology


@dataclass(frozen=True, eq=False)
class FoundFace:
    """The largest face of a photo.

    landmarks  (P, 3) float32: x, y in pixels of the photo, y down; z in the same unit, away from the viewer
    faces      how many faces there are; one of less than half the largest's size may be missed
    place      which of several this is, such as `2nd from the left`
    """

    landmarks: NDArray[np.float32]
    faces: int
    place: str


class Finder(Protocol):
    """Finds the landmarks of one set on single photos; a context manager, for one thread at a time.

    VERSION is raised by hand whenever the code gives other values.
    """

    VERSION: ClassVar[int]

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @staticmethod
    def parameters() -> Mapping[str, object]:
        """Every setting that changes the values, versions of libraries and weights among them."""

    def find(self, image: NDArray[np.uint8]) -> FoundFace:
        """The largest face of an upright (h, w, 3) uint8 RGB photo. Raises NoFaceError."""

    def faces(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The landmarks (P, 3) of every face, the largest first. Raises NoFaceError."""


def finder_of(topology: Topology) -> type[Finder]:
    """The class that finds the landmarks of a set; call it to open one. Raises ValueError for an earlier set."""
    if topology.finder is None:
        raise ValueError(f"nothing finds the landmarks of {topology.label} any more")
    module, _, name = topology.finder.partition(":")
    return cast(type[Finder], getattr(importlib.import_module(module), name))
