"""An encoder from a pretrained backbone: four test-time views, pooled cell by cell, written as a graph."""

from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn
from torchvision.ops import roi_align

from featurestore.errors import UsageError
from models.encoders.spec import encoder_id
from models.networks.architectures import MAP_STRIDES, check_size
from models.networks.backbones import Backbone, build_backbone
from models.networks.graphs import export, write_graph
from models.serialization import write_description

SMALLER = 6 / 7
"""The second size as a part of the first: 192 pixels beside 224."""


class EncoderNetwork(nn.Module):
    """What `Encoder.encode` computes.

    Means are those of RoIAlign (He et al. 2017); the channels of stride 8 come before those of stride 16. Everything is
    the mean over four test-time views, the face and its mirror image in two sizes: where the network's strides fall and
    how large a face is in the crop matter less.
    """

    def __init__(self, backbone: Backbone, size: int) -> None:
        super().__init__()
        self._backbone, self.network = backbone, backbone.network.eval().requires_grad_(False)
        self._sizes = (size, round(SMALLER * size))
        self._maps = dict[str, torch.Tensor]()
        for stage in backbone.card.maps:
            self.network.get_submodule(stage).register_forward_hook(partial(self._keep, stage))
        self.name, self.dim, self.channels = backbone.name, backbone.dim, sum(backbone.card.maps.values())
        self.weights, self.weights_sha256 = backbone.weights, backbone.weights_sha256
        card = backbone.card
        preprocessing = {"sizes": self._sizes, "mean": card.mean, "std": card.std, "same_padding": card.same_padding}
        self.id = encoder_id(self.name, self.weights_sha256, preprocessing)

    @classmethod
    def build(cls, name: str, weights: str = "imagenet", download: bool = False, size: int = 224) -> Self:
        """An encoder on images of `size` x `size` pixels, and of `SMALLER` times that.

        Raises as `build_backbone`, and UsageError for the size or for a network without maps of the face.
        """
        backbone = build_backbone(name, weights, download=download)
        check_size(name, backbone.network, size)
        if len(backbone.card.maps) < len(MAP_STRIDES):
            raise UsageError(
                f"{name} has no feature maps of strides 8 and 16, which the regions need: choose a "
                "convolutional encoder such as tf_efficientnet_lite0 or mobilenet_v3_small."
            )
        return cls(backbone, size)

    def forward(self, face: torch.Tensor, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(S, S, 3) uint8 and (K, 4) to (dim,) and (channels, K)."""
        views = [self._encode_view(face.permute(2, 0, 1)[None].float(), cells, size) for size in self._sizes]
        vectors, pooled = zip(*views, strict=True)
        return torch.stack(vectors).mean(0), torch.stack(pooled).mean(0)

    def _encode_view(self, face: torch.Tensor, cells: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, of the face and its mirror image in one size."""
        scaled = F.interpolate(face, (size, size), mode="bilinear", antialias=True, align_corners=False)
        image = self._backbone.normalise(scaled)
        features = self.network(torch.cat([image, image.flip(3)]))
        return features.mean(0), torch.cat([_pool(self._maps[stage], cells) for stage in self._backbone.card.maps])

    def _keep(self, stage: str, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self._maps[stage] = output

    def save(self, folder: Path) -> None:
        """Write the encoder, preprocessing included, into a folder that `EncoderSpec` and `Encoder` read."""
        examples: dict[str, NDArray[Any]] = {
            "face": np.zeros((256, 256, 3), np.uint8),
            "cells": np.zeros((2, 4), np.float32),
        }
        program = export(self, examples, ["vector", "pooled"], {"face": (0, 1), "cells": (0,)})
        write_graph(program, self, folder)
        known = ("id", "name", "weights", "weights_sha256", "dim", "channels")
        size = {"size": self._sizes[0]}
        write_description(folder, {"kind": "encoder"} | {name: getattr(self, name) for name in known} | size)


def _pool(maps: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """(2, channels, side, side), the second of the mirror image, to (channels, K): the mean of both in each cell."""
    mean = (maps[:1] + maps[1:].flip(3)) / 2
    rows = torch.cat([torch.zeros_like(cells[:, :1]), cells * maps.shape[-1]], dim=1)
    pooled: torch.Tensor = roi_align(mean, rows, (1, 1), 1.0, 2, aligned=True)
    return pooled[:, :, 0, 0].T
