"""The CNN encoder: a frozen backbone that turns face crops into embeddings of the face and of its regions."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx.experimental.optimization import fuse
from torchvision.ops import roi_align

from featurestore.errors import UsageError
from models.backbones import MAP_STRIDES, Backbone, build_backbone, stages_of
from models.foreign import check_side, distrusted
from models.pixels import as_images, resize_faces
from models.saved import fill, read_description, read_tensors, write_model

SMALLER = 6 / 7
"""The second size as a part of the first: 192 pixels beside 224."""


class Encoder:
    """A frozen backbone. Float32 throughout: bfloat16 would make embeddings depend on the processor."""

    def __init__(self, backbone: Backbone, size: int) -> None:
        self._backbone, self._sizes = backbone, (size, round(SMALLER * size))
        backbone.network.eval().requires_grad_(False)
        self._network, self._seen = _fused(backbone.network), dict[str, torch.Tensor]()
        for stage in backbone.card.maps:
            self._network.get_submodule(stage).register_forward_hook(partial(self._keep, stage))
        self.name, self.dim, self.channels = backbone.name, backbone.dim, sum(backbone.card.maps.values())
        self.weights, self.weights_sha256 = backbone.weights, backbone.weights_sha256

    @classmethod
    def build(
        cls,
        name: str = "mobilenet_v3_small",
        weights: str = "imagenet",
        download: bool = False,
        size: int = 224,
    ) -> Self:
        """An encoder on images of `size` x `size` pixels, and of `SMALLER` times that.

        Raises as `build_backbone`, and UsageError for the size or for a network without maps of the face.
        """
        backbone = build_backbone(name, weights, download=download)
        backbone.check_size(size)
        if len(backbone.card.maps) < len(MAP_STRIDES):
            raise UsageError(
                f"{name} has no feature maps of strides 8 and 16, in which regions are looked at: choose a "
                "convolutional encoder such as mobilenet_v3_small or mobilenet_v2."
            )
        return cls(backbone, size)

    def encode(
        self, face: NDArray[np.uint8], boxes: NDArray[np.float32], grids: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """(S, S, 3) uint8 RGB to (dim,) float32, and the (channels, rows, columns) means of the maps in each box.

        `boxes` is (k, 4): left, top, right, bottom as parts of S; `grids` has k (rows, columns). Means are those
        of RoIAlign (He et al. 2017); the channels of stride 8 come before those of stride 16. Everything is the
        mean over four looks, the face and its mirror image in two sizes: where the network's strides fall and how
        large a face is in the crop matter less.
        """
        with _one_thread(), torch.inference_mode():
            vectors, pooled = zip(*(self._look(face, size, boxes, grids) for size in self._sizes), strict=True)
            means = [torch.stack(box).mean(0).numpy() for box in zip(*pooled, strict=True)]
            return torch.stack(vectors).mean(0).numpy(), means

    def _look(
        self, face: NDArray[np.uint8], size: int, boxes: NDArray[np.float32], grids: Sequence[tuple[int, int]]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """What `encode` gives, of the face and its mirror image in one size."""
        images = self._backbone.normalise(as_images(resize_faces(face[None], size)))
        features = self._network(torch.cat([images, images.flip(3)]))
        maps = [_unmirrored_mean(self._seen[stage]) for stage in self._backbone.card.maps]
        pooled = [
            torch.cat([_pool(each, box, grid) for each in maps])
            for box, grid in zip(torch.from_numpy(boxes), grids, strict=True)
        ]
        return features.mean(0), pooled

    def _keep(self, stage: str, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self._seen[stage] = output

    def save(self, folder: Path) -> None:
        """Write the encoder, weights and preprocessing included, into a folder."""
        described = {"kind": "encoder", "size": self._sizes[0], "backbone": self._backbone.describe()}
        write_model(folder, described, self._backbone.network.state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """An encoder that `save` wrote. Raises BundleError when the folder holds none."""
        described = read_description(folder, "encoder")
        with distrusted(folder):
            backbone = Backbone.blank(described["backbone"])
            fill(backbone.network, read_tensors(folder), folder)
            check_side(described["size"], folder)
            return cls(backbone, described["size"])


def _fused(network: nn.Module) -> nn.Module:
    """A copy with batch normalisations folded into their convolutions: the same function in four fifths of the time.

    Stage by stage, so that the stages can still be looked into.
    """
    network = copy.deepcopy(network)
    stages, _ = stages_of(network)
    for name, stage in list(stages.named_children()):
        if any(stage.children()):
            setattr(stages, name, fuse(stage))
    return network


def _unmirrored_mean(maps: torch.Tensor) -> torch.Tensor:
    """(2, channels, side, side), the second of the mirror image, to (1, channels, side, side)."""
    straight, mirrored = maps
    # RoIAlign on channels-last maps would copy them box by box
    mean: torch.Tensor = (straight + mirrored.flip(2)) / 2
    return mean[None].contiguous()


def _pool(features: torch.Tensor, box: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(1, channels, side, side) to (channels, *grid)."""
    pooled: torch.Tensor = roi_align(features, [box[None] * features.shape[-1]], grid, 1.0, 2, aligned=True)[0]
    return pooled


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
