"""An encoder from pretrained backbones: four test-time views, pooled cell by cell, written as one graph."""

from collections.abc import Sequence
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
from models.networks.known_weights import JOINED
from models.networks.onnx_graphs import export, write_graph
from models.serialization import write_description

SMALLER = 6 / 7
"""The second size as a part of the first: 192 pixels beside 224."""


class _Part(nn.Module):
    """One network of an encoder: pooled features of a face, and its maps."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._backbone, self.network = backbone, backbone.network.eval().requires_grad_(False)
        self._maps = dict[str, torch.Tensor]()
        for stage in backbone.card.maps:
            self.network.get_submodule(stage).register_forward_hook(partial(self._keep, stage))

    def _keep(self, stage: str, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self._maps[stage] = output

    def forward(self, both: torch.Tensor, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(2, 3, s, s) a face and its mirror image, and (K, 4), to (dim,) and (channels, K)."""
        features = self.network(self._backbone.normalise(both))
        return features.mean(0), torch.cat([_pool(self._maps[stage], cells) for stage in self._backbone.card.maps])


class EncoderNetwork(nn.Module):
    """What `Encoder.encode` computes, of one network or of several that look at the same face.

    Means are those of RoIAlign (He et al. 2017); the networks follow each other, in each of them the channels of stride
    8 come before those of stride 16. Everything is the mean over four test-time views, the face and its mirror image in
    two sizes: where a network's strides fall and how large a face is in the crop matter less.
    """

    def __init__(self, backbones: Sequence[Backbone], size: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(_Part(backbone) for backbone in backbones)
        self._sizes = (size, round(SMALLER * size))
        self.name, self.weights, self.weights_sha256 = (
            JOINED.join(getattr(backbone, name) for backbone in backbones)
            for name in ("name", "weights", "weights_sha256")
        )
        self.dim = sum(backbone.dim for backbone in backbones)
        self.networks = tuple(sum(backbone.card.maps.values()) for backbone in backbones)
        cards = [backbone.card for backbone in backbones]
        preprocessing = [
            {"sizes": self._sizes, "mean": card.mean, "std": card.std, "same_padding": card.same_padding}
            for card in cards
        ]
        self.id = encoder_id(self.name, self.weights_sha256, preprocessing if len(cards) > 1 else preprocessing[0])

    @classmethod
    def build(cls, name: str, weights: str = "imagenet", download: bool = False, size: int = 224) -> Self:
        """An encoder on images of `size` x `size` pixels, and of `SMALLER` times that.

        Several networks are joined by +, and their weights in the same order: `mobilenetv1_100+tf_efficientnet_lite0`
        with `vggface2+imagenet`. Raises as `build_backbone`, and UsageError for the size, for a network without maps of
        the face, or for another number of weights than of networks.
        """
        names = name.split(JOINED)
        weight_names = weights.split(JOINED) if len(names) > 1 else [weights]
        if len(weight_names) != len(names):
            raise UsageError(
                f"The encoder {name} has {len(names)} networks and {weights!r} is not as many weights: "
                f"join them by {JOINED} in the same order, as in vggface2{JOINED}imagenet."
            )
        return cls([_mapped(*pair, download, size) for pair in zip(names, weight_names, strict=True)], size)

    def forward(self, face: torch.Tensor, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(S, S, 3) uint8 and (K, 4) to (dim,) and (channels, K)."""
        views = [self._encode_view(face.permute(2, 0, 1)[None].float(), cells, size) for size in self._sizes]
        vectors, pooled = zip(*views, strict=True)
        return torch.stack(vectors).mean(0), torch.stack(pooled).mean(0)

    def _encode_view(self, face: torch.Tensor, cells: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, of the face and its mirror image in one size."""
        scaled = F.interpolate(face, (size, size), mode="bilinear", antialias=True, align_corners=False)
        both = torch.cat([scaled, scaled.flip(3)])
        vectors, pooled = zip(*(part(both, cells) for part in self.parts), strict=True)
        return torch.cat(vectors), torch.cat(pooled)

    def save(self, folder: Path) -> None:
        """Write the encoder, preprocessing included, into a folder that `EncoderSpec` and `Encoder` read."""
        examples: dict[str, NDArray[Any]] = {
            "face": np.zeros((256, 256, 3), np.uint8),
            "cells": np.zeros((2, 4), np.float32),
        }
        program = export(self, examples, ["vector", "pooled"], {"face": (0, 1), "cells": (0,)})
        write_graph(program, self, folder)
        known = ("id", "name", "weights", "weights_sha256", "dim", "networks")
        size = {"size": self._sizes[0]}
        write_description(folder, {"kind": "encoder"} | {name: getattr(self, name) for name in known} | size)


def _mapped(name: str, weights: str, download: bool, size: int) -> Backbone:
    """A backbone that has maps of the face. Raises UsageError for one that has none."""
    backbone = build_backbone(name, weights, download=download)
    check_size(name, backbone.network, size)
    if len(backbone.card.maps) < len(MAP_STRIDES):
        raise UsageError(
            f"{name} has no feature maps of strides 8 and 16, which the regions need: choose a "
            "convolutional encoder such as tf_efficientnet_lite0 or mobilenet_v3_small."
        )
    return backbone


def _pool(maps: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """(2, channels, side, side), the second of the mirror image, to (channels, K): the mean of both in each cell."""
    mean = (maps[:1] + maps[1:].flip(3)) / 2
    rows = torch.cat([torch.zeros_like(cells[:, :1]), cells * maps.shape[-1]], dim=1)
    pooled: torch.Tensor = roi_align(mean, rows, (1, 1), 1.0, 2, aligned=True)
    return pooled[:, :, 0, 0].T
