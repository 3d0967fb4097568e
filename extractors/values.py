"""What is computed from a photo, the same way for the store and for a single prediction."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from extractors import region_windows
from extractors.alignment import RECIPE, align_face
from extractors.landmark_finder import Finder, finder_of
from extractors.outputs import EMBEDDING, Field, Output
from extractors.registry import EXTRACTORS
from extractors.spec import Columns, Face
from extractors.topologies import registry

LANDMARKS = "landmarks"
WINDOWED = "the encoder's feature maps in the windows on the {}, see extractors/region_windows.py"


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
    def networks(self) -> tuple[int, ...]:
        """Channels of the feature maps that its windows pool, for each of its networks."""


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


def face_of(image: NDArray[np.uint8], finder: Finder, landmarks: NDArray[np.float32] | None = None) -> Face:
    """Find the face in an RGB image, unless its landmarks are known already. Raises NoFaceError."""
    remark = None
    if landmarks is None:
        found = finder.find(image)
        landmarks = found.landmarks
        remark = f"{found.faces} faces, the largest was taken: the {found.place}" if found.faces > 1 else None
    return Face(landmarks, align_face(image, landmarks), remark)


def measure(extractor: str, face: Face, encoders: Mapping[str, Encoder]) -> Columns:
    """What one extractor gives of a face, one row; `encoders` by their extractor's name."""
    if extractor == LANDMARKS:
        return dict(zip("xyz", face.landmarks.T[:, None], strict=True))
    if extractor in encoders:
        return embeddings_of(encoders[extractor], face)
    return EXTRACTORS[extractor].measure_face(face)


def embeddings_of(encoder: Encoder, face: Face) -> Columns:
    """`vector` (1, dim) of the whole face, and what each region's windows show of it, one row each."""
    side = face.crop.shape[0]
    vector, pooled = encoder.encode(face.crop, region_windows.cells(face.aligned.landmarks, side))
    return {"vector": vector[None], **region_windows.by_region(pooled)}


def outputs(encoders: Sequence[EncoderIdentity]) -> list[Output]:
    """Everything that `kallos extract` writes, with its version; landmarks first, embeddings last."""
    landmarks = _landmarks()
    derived = [extractor.output(landmarks) for extractor in EXTRACTORS.values()]
    return [landmarks, *derived, *(_embeddings(encoder, landmarks) for encoder in encoders)]


def _landmarks() -> Output:
    topology = registry.current()
    finder, number = finder_of(topology), topology.number
    return Output(
        LANDMARKS,
        "landmarks",
        f"one row an image: landmarks of {topology.name} in pixels of the upright photo",
        tuple(Field(axis, f"float32[{number}]", f"{axis} of the {number} landmarks, pixels") for axis in "xyz"),
        code_version=finder.VERSION,
        parameters={**finder.parameters(), "topology": topology.label},
    )


def _embeddings(encoder: EncoderIdentity, landmarks: Output) -> Output:
    channels = sum(encoder.networks)
    return Output(
        f"{EMBEDDING}{encoder.id}",
        "embeddings",
        "one row is one image as one encoder sees it",
        (
            Field("vector", f"float32[{encoder.dim}]", "the encoder's last features, pooled over the whole face"),
            *(
                Field(region, f"float32[{region_windows.width(region, channels)}]", WINDOWED.format(region))
                for region in region_windows.WINDOWS
            ),
        ),
        code_version=4,  # the mean over the face and its mirror image, in two sizes; by ONNX Runtime
        parameters={
            "weights": encoder.weights,
            "weights_sha256": encoder.weights_sha256,
            "windows": region_windows.VERSION,
            **({"networks": encoder.networks} if len(encoder.networks) > 1 else {}),
            # an encoder from before encoders had ids is known by its architecture
            **({} if encoder.id == encoder.name else {"architecture": encoder.name}),
            **RECIPE,
        },
        inputs=(landmarks.version,),
    )
