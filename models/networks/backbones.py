"""Any network of torchvision or timm, by name, as an extractor of pooled features, with the weights to start from."""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from extractors.file_hash import sha256_of_file
from featurestore.errors import WeightsError
from models.networks.architectures import (
    features_of,
    is_of_timm,
    maps_of,
    options_of,
    pad_like_tensorflow,
    refuse_unknown,
    size_of,
    stages_of,
    without_classifier,
)
from models.networks.known_weights import KNOWN, KnownWeights, choices, known
from models.networks.pretrained import cached_file, known_tensors, timm_file, torchvision_weights
from models.networks.weights import fit_weights, read_weights, sha256_of_state, sha256_of_tensors

INCEPTION_INPUT = "x/127.5-1"
TENSORFLOW_PADDING = "stride-2 convolutions pad (0,1,0,1)"
"""Texts at the beginning of a file's metadata `input` and `padding`."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


@dataclass(frozen=True)
class BackboneCard:
    """All that is needed to build a backbone again, but for its tensors.

    weights         "imagenet", the name of other known weights, "none" or the name of a file
    weights_sha256  of the file, or of the tensors where these are known or random
    dim             number of features
    mean, std       of RGB in [0, 1], subtracted and divided by
    same_padding    stride-2 convolutions of a torchvision network pad as TensorFlow's SAME
    options         arguments of the library's builder
    maps            name of a stage -> channels of its feature map: the last stages of stride 8 and of stride 16
    """

    name: str
    weights: str
    weights_sha256: str
    dim: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    same_padding: bool
    options: Mapping[str, Any]
    maps: Mapping[str, int]


class Backbone:
    """A network that turns images into (n, dim) pooled features, and the preprocessing it was trained with."""

    def __init__(self, network: nn.Module, card: BackboneCard) -> None:
        keep_freed_memory()
        self.network, self.card = network, card
        self.name, self.dim = card.name, card.dim
        self.weights, self.weights_sha256 = card.weights, card.weights_sha256
        self.mean, self.std = card.mean, card.std

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in [0, 255] of any type to float32 channels-last, as the network expects it."""
        mean = 255 * torch.tensor(self.mean).view(1, 3, 1, 1)
        std = 255 * torch.tensor(self.std).view(1, 3, 1, 1)
        return ((images.float() - mean) / std).contiguous(memory_format=torch.channels_last)

    @property
    def is_trained(self) -> bool:
        """Whether it starts from weights that were trained before."""
        return self.weights != "none"

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the stages up to the map of stride 8; none in networks without that map."""
        if not self.card.maps:
            return
        last = next(iter(self.card.maps))
        for name, stage in stages_of(self.network):
            yield from stage.parameters()
            if name == last:
                return

    def describe(self) -> dict[str, Any]:
        return asdict(self.card)

    @classmethod
    def blank(cls, described: Mapping[str, Any]) -> Self:
        """The architecture that `describe` gave, ready for its tensors (`models.networks.weights.fill`)."""
        card = BackboneCard(**described)
        with torch.device("meta"):
            network, _ = without_classifier(card.name, card.options)
        if card.same_padding:
            pad_like_tensorflow(network)
        return cls(network, card)


def keep_freed_memory() -> None:
    """Have the C library keep the memory that tensors give back, where it has a setting for it (glibc).

    It gives large blocks back to the system at once by default, and fetching them again, page by page, takes a third
    of a training step and half of a prediction.
    """
    allocator = getattr(ctypes.CDLL(None), "mallopt", None)
    if allocator is not None:
        allocator(M_MMAP_THRESHOLD, 1 << 30)
        allocator(M_TRIM_THRESHOLD, (1 << 31) - 1)


def build_backbone(name: str, weights: str, *, download: bool = False) -> Backbone:
    """A backbone with ImageNet or other known weights, those of a safetensors file, or seeded random ones.

    `weights` is "imagenet", another name that `kallos weights` lists, "none" or a path. Raises UsageError for an
    unknown network and WeightsError when the weights are missing, do not fit, or may not be downloaded.
    """
    refuse_unknown(name)
    if weights == "none":
        network, _ = without_classifier(name, {})
        return _backbone(network, name, "none", sha256_of_state(network))
    listed = known(weights, name)
    if listed and (weights != "imagenet" or listed.file()):
        return _from_known(listed)
    if weights == "imagenet":
        return _from_imagenet(name, download)
    if weights in choices():
        has = " and ".join(other.network for other in KNOWN if other.name == weights)
        raise WeightsError(f"{name} has no {weights} weights, {has} has: `kallos weights` lists what is known.")
    return _from_file(name, Path(weights))


def _from_known(weights: KnownWeights) -> Backbone:
    network, spare = without_classifier(weights.network, weights.options)
    fit_weights(network, known_tensors(weights), spare, weights.name)
    sha256 = weights.tensors_sha256 or sha256_of_state(network)
    return _backbone(network, weights.network, weights.name, sha256, weights.mean, weights.std, options=weights.options)


def _from_imagenet(name: str, download: bool) -> Backbone:
    if is_of_timm(name):
        file, mean, std = timm_file(name, download)
        network, spare = without_classifier(name, {})
        fit_weights(network, read_weights(file)[0], spare, str(file))
        return _backbone(network, name, "imagenet", sha256_of_file(file), mean, std)
    chosen = torchvision_weights(name, download)
    network, _ = without_classifier(name, {}, chosen)
    usual, sha256 = chosen.transforms(), sha256_of_file(cached_file(chosen))
    return _backbone(network, name, "imagenet", sha256, usual.mean, usual.std)


def _from_file(name: str, file: Path) -> Backbone:
    tensors, metadata = read_weights(file)
    sha256 = sha256_of_tensors(tensors)
    listed = next((each for each in KNOWN if each.tensors_sha256 == sha256), None)
    network, spare = without_classifier(name, listed.options if listed else {})
    fit_weights(network, tensors, spare, str(file))
    if listed:
        # whatever the file is called, its tensors are known
        return _backbone(network, name, listed.name, sha256, listed.mean, listed.std, options=listed.options)
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if "input" in metadata:
        if not metadata["input"].startswith(INCEPTION_INPUT):
            raise WeightsError(
                f"{file} needs the input {metadata['input']!r}, which kallos does not support: "
                f"set {INCEPTION_INPUT!r} in its metadata, or leave it out for torchvision's preprocessing."
            )
        mean = std = (0.5, 0.5, 0.5)
    if same_padding := metadata.get("padding", "").startswith(TENSORFLOW_PADDING):
        pad_like_tensorflow(network)
    return _backbone(network, name, file.name, sha256_of_file(file), mean, std, same_padding=same_padding)


def _backbone(
    network: nn.Module,
    name: str,
    weights: str,
    sha256: str,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    *,
    same_padding: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Backbone:
    options = dict(options or options_of(network))
    dim, maps = features_of(network, size_of(network)).shape[1], maps_of(network)
    card = BackboneCard(name, weights, sha256, dim, tuple(mean), tuple(std), same_padding, options, maps)
    return Backbone(network, card)
