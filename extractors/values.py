"""What is computed from a photo, the same way for the store and for a single prediction."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors import alignment, fingerprint, skin, windows
from extractors.alignment import Crop, align_face, procrustes_shape
from extractors.definitions import definitions
from extractors.finder import Finder, finder_of
from extractors.fingerprint import perceptual_hash
from extractors.geometry import compute as geometry
from extractors.geometry.compute import compute_geometry
from extractors.outputs import EMBEDDING, FEATURES, Field, Output
from extractors.skin import compute_skin
from extractors.topologies import registry

Columns = dict[str, NDArray[Any]]
WINDOWED = "the encoder's feature maps in the windows on the {}, see extractors/windows.py"


class EncoderIdentity(Protocol):
    """The description of an encoder without its network; embeddings are stamped with it."""

    @property
    def id(self) -> str:
        """Of this architecture with these weights and preprocessing; what embeddings are called by."""

    @property
    def name(self) -> str:
        """The architecture's."""

    @property
    def weights(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def channels(self) -> int:
        """Of the feature maps that its windows pool."""


class Encoder(Protocol):
    """A frozen network that turns a face crop into embeddings; `models` has the real one."""

    def encode(
        self, face: NDArray[np.uint8], cells: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(S, S, 3) uint8 RGB to (dim,) of the whole face, and (channels, K) means in each cell.

        `cells` is (K, 4): left, top, right, bottom as parts of S.
        """


class EncoderSource(EncoderIdentity, Hashable, Protocol):
    """Where worker processes get an encoder; it can be pickled."""

    def open(self) -> Encoder:
        """The network."""


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

    @cached_property
    def skin(self) -> NDArray[np.float64]:
        """(S,) skin features, measured in the crop."""
        return compute_skin(self.aligned.image, self.aligned.visible)


def face_of(image: NDArray[np.uint8], finder: Finder, landmarks: NDArray[np.float32] | None = None) -> Face:
    """Find the face in an RGB image, unless its landmarks are known already. Raises NoFaceError."""
    remark = None
    if landmarks is None:
        found = finder.find(image)
        landmarks = found.landmarks
        remark = f"{found.faces} faces, the largest was taken: the {found.place}" if found.faces > 1 else None
    return Face(landmarks, align_face(image, landmarks), remark)


def from_pixels(encoders: Mapping[str, Encoder]) -> dict[str, Callable[[Face], Columns]]:
    """extractor -> function from a face to its columns, one row each; `encoders` by their extractor's name."""
    functions: dict[str, Callable[[Face], Columns]] = {
        "landmarks": lambda face: dict(zip("xyz", face.landmarks.T[:, None], strict=True)),
        "skin": lambda face: {"features": face.skin[None]},
        "fingerprint": lambda face: {"phash": perceptual_hash(face.crop)},
    }
    for name, encoder in encoders.items():
        functions[name] = partial(embeddings_of, encoder)
    return functions


def embeddings_of(encoder: Encoder, face: Face) -> Columns:
    """`vector` (1, dim) of the whole face, and what each region's windows show of it, one row each."""
    side = face.crop.shape[0]
    vector, pooled = encoder.encode(face.crop, windows.cells(face.aligned.landmarks, side))
    return {"vector": vector[None], **windows.by_region(pooled)}


FROM_LANDMARKS: dict[str, Callable[[NDArray[np.float32]], Columns]] = {
    "geometry": lambda landmarks: {"features": compute_geometry(landmarks)[1]},
    "shape": lambda landmarks: {"shape": procrustes_shape(landmarks)},
}
"""extractor -> function from (n, P, 3) landmarks to its columns, n rows each."""


def feature_names(kind: str) -> list[str]:
    """The catalogue's features of one kind, geometry or skin, in column order."""
    return [d.name for d in definitions() if d.kind == kind]


def outputs(encoders: Sequence[EncoderIdentity]) -> list[Output]:
    """Everything that `kallos extract` writes, with its version; landmarks first."""
    crop = {"crop_size": alignment.CROP_SIZE, "crop_margin": alignment.MARGIN, "alignment": alignment.VERSION}
    topology = registry.current()
    finder, number, size = finder_of(topology), topology.number, len(topology.mesh)
    landmarks = Output(
        "landmarks",
        "landmarks",
        f"one row an image: landmarks of {topology.name} in pixels of the upright photo",
        tuple(Field(axis, f"float32[{number}]", f"{axis} of the {number} landmarks, pixels") for axis in "xyz"),
        code_version=finder.VERSION,
        parameters={**finder.parameters(), "topology": topology.label},
    )
    after = (landmarks.version,)
    embeddings = [
        Output(
            f"{EMBEDDING}{encoder.id}",
            "embeddings",
            "one row is one image as one encoder sees it",
            (
                Field("vector", f"float32[{encoder.dim}]", "the encoder's last features, pooled over the whole face"),
                *(
                    Field(region, f"float32[{windows.width(region, encoder.channels)}]", WINDOWED.format(region))
                    for region in windows.WINDOWS
                ),
            ),
            code_version=4,  # the mean over the face and its mirror image, in two sizes; by ONNX Runtime
            parameters={
                "weights": encoder.weights,
                "weights_sha256": encoder.weights_sha256,
                "windows": windows.VERSION,
                # an encoder from before encoders had ids is known by its architecture
                **({} if encoder.id == encoder.name else {"architecture": encoder.name}),
                **crop,
            },
            inputs=after,
        )
        for encoder in encoders
    ]
    return [
        landmarks,
        _features("geometry", geometry.VERSION, after, {}),
        _features("skin", skin.VERSION, after, crop),
        Output(
            "shape",
            "shapes",
            "one row an image: 2-D landmarks, Procrustes-aligned to MediaPipe's canonical face",
            (
                Field(
                    "shape",
                    f"float32[{topology.shape_length}]",
                    f"{size} x then {size} y; centred, unit size, upright",
                ),
            ),
            code_version=alignment.VERSION,
            inputs=after,
        ),
        Output(
            "fingerprint",
            "fingerprints",
            "one row an image: a hash that hardly changes when the photo is scaled, recompressed or retouched",
            (Field("phash", "uint64", "perceptual hash of the levelled face, 64 bits"),),
            code_version=fingerprint.VERSION,
            parameters={"opencv": cv2.__version__, **crop},
            inputs=after,
        ),
        *embeddings,
    ]


def _features(kind: str, code_version: int, inputs: tuple[str, ...], parameters: Mapping[str, object]) -> Output:
    chosen = [d for d in definitions() if d.kind == kind]
    columns = tuple(Field(d.name, "float64", f"{d.summary} {d.formula} [{d.unit}] {d.source}") for d in chosen)
    comment = "one row an image: geometric and skin features, one column each, see feature_catalog"
    changed = {d.name: d.version for d in chosen if d.version > 1}
    return Output(kind, FEATURES, comment, columns, code_version, parameters, inputs, changed)
