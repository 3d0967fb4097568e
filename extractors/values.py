"""What is computed of a photo, made the same way for the store and for a single prediction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from extractors import alignment, facemesh, skin
from extractors.alignment import align_face, procrustes_shape
from extractors.definitions import definitions
from extractors.facemesh import FaceMesh
from extractors.geometry import compute as geometry
from extractors.geometry.compute import compute_geometry
from extractors.skin import compute_skin
from featurestore.outputs import Output
from featurestore.schema import Column


class Encoder(Protocol):
    """A frozen network that turns face crops into embeddings; `models` has the real one."""

    @property
    def name(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def dim(self) -> int: ...
    def encode(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, S, S, 3) uint8 RGB to (n, dim)."""


@dataclass(frozen=True, eq=False)
class Face:
    """The face in one photo, and all that needs its pixels.

    landmarks   (468, 3) float32, x, y, z in pixels of the upright photo
    crop        (256, 256, 3) uint8 RGB, the face as every network sees it: eyes levelled, cropped by the face
    skin        (S,) skin features, measured in the crop
    embedding   (dim,) float32 of the crop; empty when no encoder was asked
    remark      such as "3 faces, the largest was taken"; None when there is none
    seconds     time spent on "landmarks" (and the crop), "skin" and "embedding"
    """

    landmarks: NDArray[np.float32]
    crop: NDArray[np.uint8]
    skin: NDArray[np.float64]
    embedding: NDArray[np.float32]
    remark: str | None
    seconds: Mapping[str, float]


def face_of(
    image: NDArray[np.uint8],
    mesh: FaceMesh,
    encoder: Encoder | None,
    landmarks: NDArray[np.float32] | None = None,
) -> Face:
    """Find the face in an RGB image, unless its landmarks are known already, and measure it. Raises NoFaceError."""
    began = time.perf_counter()
    remark = None
    if landmarks is None:
        found = mesh.find(image)
        landmarks = found.landmarks
        remark = f"{found.faces} faces, the largest was taken" if found.faces > 1 else None
    crop = align_face(image, landmarks)
    located = time.perf_counter()
    skin_features = compute_skin(crop.image, crop.landmarks)
    measured = time.perf_counter()
    embedding = encoder.encode(crop.image[None])[0] if encoder else np.empty(0, dtype=np.float32)
    encoded = time.perf_counter()
    seconds = {"landmarks": located - began, "skin": measured - located, "embedding": encoded - measured}
    return Face(landmarks, crop.image, skin_features, embedding, remark, seconds)


def measurements(encoder_name: str) -> dict[str, Callable[[list[Face]], dict[str, NDArray[Any]]]]:
    """extractor -> function from n faces to its columns, n rows each."""
    return {
        "landmarks": lambda faces: dict(zip("xyz", _landmarks(faces).transpose(2, 0, 1), strict=True)),
        "geometry": lambda faces: _columns("geometry", compute_geometry(_landmarks(faces))[1]),
        "skin": lambda faces: _columns("skin", np.stack([face.skin for face in faces])),
        "shape": lambda faces: {"shape": procrustes_shape(_landmarks(faces))},
        f"embedding:{encoder_name}": lambda faces: {"vector": np.stack([face.embedding for face in faces])},
    }


def feature_names(kind: str) -> list[str]:
    """The catalogue's features of one kind, geometry or skin, in column order."""
    return [d.name for d in definitions() if d.kind == kind]


def _landmarks(faces: list[Face]) -> NDArray[np.float32]:
    return np.stack([face.landmarks for face in faces])


def _columns(kind: str, values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    return dict(zip(feature_names(kind), values.T, strict=True))


def outputs(encoder: Encoder | None) -> list[Output]:
    """Everything that `kallos extract` writes, with its version; landmarks first, an encoder's embeddings last."""
    crop = {"crop_size": alignment.CROP_SIZE, "crop_margin": alignment.MARGIN, "alignment": alignment.VERSION}
    landmarks = Output(
        "landmarks",
        "landmarks",
        "one row an image: FaceMesh landmarks in pixels of the upright photo",
        tuple(Column(axis, "FLOAT[468]", f"{axis} of the 468 landmarks, pixels") for axis in "xyz"),
        code_version=facemesh.VERSION,
        parameters={"mediapipe": package_version("mediapipe"), "max_faces": facemesh.MAX_FACES},
    )
    after = (landmarks.version,)
    needs_no_encoder = [
        landmarks,
        _features("geometry", geometry.VERSION, after, {}),
        _features("skin", skin.VERSION, after, crop),
        Output(
            "shape",
            "shapes",
            "one row an image: 2-D landmarks, Procrustes-aligned to MediaPipe's canonical face",
            (Column("shape", "FLOAT[936]", "468 x then 468 y; centred, unit size, upright"),),
            code_version=alignment.VERSION,
            inputs=after,
        ),
    ]
    if encoder is None:
        return needs_no_encoder
    embedding = Output(
        f"embedding:{encoder.name}",
        "embeddings",
        "one row is one image as one encoder sees it",
        (Column("vector", f"FLOAT[{encoder.dim}]", "pooled features of the encoder"),),
        code_version=1,
        parameters={"weights": encoder.weights, "weights_sha256": encoder.weights_sha256, **crop},
        inputs=after,
    )
    return [*needs_no_encoder, embedding]


def _features(kind: str, code_version: int, inputs: tuple[str, ...], parameters: Mapping[str, object]) -> Output:
    columns = tuple(
        Column(d.name, "DOUBLE", f"{d.formula} [{d.unit}] {d.source}") for d in definitions() if d.kind == kind
    )
    comment = "one row an image: geometric and skin features, one column each, see feature_catalog"
    return Output(kind, "geometric_features", comment, columns, code_version, parameters, inputs)
