"""The CNN encoder: a frozen backbone that turns face crops into embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.fx.experimental.optimization import fuse

from models.backbones import Backbone, build_backbone
from models.pixels import resize_faces
from models.saved import read_description, read_tensors, write_model


class Encoder:
    """A frozen backbone. Float32 throughout: bfloat16 would make embeddings depend on the processor."""

    def __init__(self, backbone: Backbone, size: int) -> None:
        self._backbone, self._size = backbone, size
        backbone.network.eval().requires_grad_(False)
        # batch normalisations folded into their convolutions: the same function in four fifths of the time
        self._network = fuse(backbone.network)
        self.name, self.dim = backbone.name, backbone.dim
        self.weights, self.weights_sha256 = backbone.weights, backbone.weights_sha256

    @classmethod
    def build(
        cls,
        name: str = "mobilenet_v3_small",
        weights: str = "imagenet",
        download: bool = False,
        size: int = 224,
    ) -> Self:
        """An encoder on images of `size` x `size` pixels. Raises as `build_backbone`; UsageError for the size."""
        backbone = build_backbone(name, weights, download=download)
        backbone.check_size(size)
        return cls(backbone, size)

    def encode(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, S, S, 3) uint8 RGB to (n, dim) float32."""
        with _one_thread(), torch.inference_mode():
            rows = [self._encode_one(face) for face in faces]
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def _encode_one(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        resized = resize_faces(face[None], self._size)
        images = self._backbone.normalise(torch.from_numpy(resized).permute(0, 3, 1, 2))
        features: NDArray[np.float32] = self._network(images)[0].numpy()
        return features

    def save(self, folder: Path) -> None:
        """Write the encoder, weights and preprocessing included, into a folder."""
        described = {"kind": "encoder", "size": self._size, "backbone": self._backbone.describe()}
        write_model(folder, described, self._backbone.network.state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """An encoder that `save` wrote. Raises BundleError when the folder holds none."""
        described = read_description(folder, "encoder")
        backbone = Backbone.blank(described["backbone"])
        backbone.network.load_state_dict(read_tensors(folder))
        return cls(backbone, described["size"])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Kernels round otherwise for other batch sizes and numbers of threads.

    One photo at a time on one thread, a photo has the very same embedding alone and among thousands;
    the other cores find the faces of the next photos meanwhile.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
