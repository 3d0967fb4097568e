"""The interface of an extractor, the class `Extractor`, and the face that it is given; `registry` lists all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import Crop
from extractors.outputs import Field, Output

Columns = dict[str, NDArray[Any]]
"""Name of a column -> its values, a row a face. Features are one column together, `features`."""


@dataclass(frozen=True, eq=False)
class Face:
    """The face in one photo, and all that needs its pixels.

    landmarks   (P, 3) float32, x, y, z in pixels of the upright photo
    aligned     the face as every network sees it: eyes levelled, cut by the face, 256 x 256
    remark      such as "3 faces, the largest was taken: the 2nd from the left"; None when there is none
    """

    landmarks: NDArray[np.float32]
    aligned: Crop
    remark: str | None

    @property
    def crop(self) -> NDArray[np.uint8]:
        """(256, 256, 3) uint8 RGB."""
        return self.aligned.image


@dataclass(frozen=True)
class Extractor:
    """What is computed from a face whose landmarks are known. Name, view, comment and parameters are those of `Output`.

    fields        a function, because the set of landmarks and the features in the catalogue decide what there is
    code_version  raised by hand whenever the code gives other values
    measure       from (n, P, 3) landmarks in pixels or, where it needs pixels, from one Face to columns
    """

    name: str
    view: str
    comment: str
    fields: Callable[[], tuple[Field, ...]]
    code_version: int
    measure: Callable[[Any], Columns]
    needs_pixels: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)

    def output(self, landmarks: Output) -> Output:
        """What it gives, computed from these landmarks."""
        return Output(
            *(self.name, self.view, self.comment, self.fields()),
            *(self.code_version, self.parameters, (landmarks.version,)),
        )

    def measure_face(self, face: Face) -> Columns:
        """The columns of one face."""
        return self.measure(face if self.needs_pixels else face.landmarks[None])
