"""Any torchvision classification network, by name, as an extractor of pooled features; and the built-in ones."""

import ctypes
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models import get_model, list_models

from extractors.file_hash import sha256_of_file
from featurestore.errors import UsageError, WeightsError
from models.networks.pyramid import LaplacianPyramid
from models.networks.weights import (
    INCEPTION_INPUT,
    TENSORFLOW_PADDING,
    cached_file,
    fit_weights,
    imagenet_weights,
    read_weights,
    sha256_of_state,
)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEADS = ("classifier", "fc", "head", "heads")
BUILT_IN = {"laplacian_pyramid": LaplacianPyramid}
AUXILIARY = ("aux1", "aux2", "AuxLogits")
OPTIONS = ("image_size", "transform_input")
"""Arguments of a torchvision builder that depend on the weights; networks that have them keep them."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""

SIZES = range(32, 257, 32)
"""Sides in pixels that are proposed where another does not fit."""

MAP_STRIDES = (8, 16)
"""Of the feature maps that are pooled region by region: fine enough for an eye, deep enough to be useful."""


@dataclass(frozen=True)
class BackboneCard:
    """All that is needed to build a backbone again, but for its tensors.

    weights         "imagenet", "none" or the name of a file
    weights_sha256  of the file, or of the seeded random tensors
    dim             number of features
    mean, std       of RGB in [0, 1], subtracted and divided by
    same_padding    stride-2 convolutions pad as TensorFlow's SAME
    options         arguments of torchvision's builder
    maps            name of a stage -> channels of its feature map: the last stages of stride 8 and of stride 16
    """

    name: str
    weights: str
    weights_sha256: str
    dim: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
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
        stages, prefix = stages_of(self.network)
        names = [prefix + name for name, _ in stages.named_children()]
        last = next(iter(self.card.maps), None)
        for stage in list(stages.children())[: names.index(last) + 1 if last else 0]:
            yield from stage.parameters()

    def describe(self) -> dict[str, Any]:
        """The card as JSON."""
        return asdict(self.card)

    @classmethod
    def blank(cls, described: Mapping[str, Any]) -> Self:
        """The architecture that `describe` gave, ready for its tensors (`models.networks.weights.fill`)."""
        card = BackboneCard(**described)
        with torch.device("meta"):
            network, _ = _trimmed(card.name, None, card.options)
        if card.same_padding:
            _pad_like_tensorflow(network)
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


def check_size_of(name: str, size: int) -> None:
    """`check_size` before weights are read. Raises UsageError for an unknown name, too."""
    _refuse_unknown(name)
    check_size(name, _trimmed(name, None, {})[0], size)


def check_size(name: str, network: nn.Module, size: int) -> None:
    """Raises UsageError, naming sizes that fit, when the network cannot take images of `size` x `size` pixels."""
    if not _takes(network, size):
        others = " or ".join(str(other) for other in SIZES if _takes(network, other)) or "another network"
        raise UsageError(f"{name} cannot take images of {size} pixels: choose {others}.")


def _takes(network: nn.Module, size: int) -> bool:
    try:
        _features(network, size)
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True


def _refuse_unknown(name: str) -> None:
    known = [*BUILT_IN, *list_models(module=torchvision.models)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or ["efficientnet_v2_s", "mobilenet_v2"]
        raise UsageError(f"There is no backbone {name!r}: the nearest names are {', '.join(near)}.")


def build_backbone(name: str, weights: str, *, download: bool = False) -> Backbone:
    """A backbone with ImageNet weights, those of a safetensors file, or seeded random ones.

    `weights` is "imagenet", "none" or a path. Raises UsageError for an unknown name and WeightsError when the
    weights are missing, do not fit, or may not be downloaded.
    """
    _refuse_unknown(name)
    if weights == "imagenet" and name in BUILT_IN:
        raise WeightsError(f"{name} has fixed filters and no ImageNet weights: use --weights none.")
    if weights == "imagenet":
        return _from_imagenet(name, download)
    network, spare = _trimmed(name, None, {})
    if weights == "none":
        return _backbone(network, name, "none", sha256_of_state(network))
    return _from_file(network, spare, name, Path(weights))


def _from_imagenet(name: str, download: bool) -> Backbone:
    weights = imagenet_weights(name, download)
    network, _ = _trimmed(name, weights, {})
    preprocessing = weights.transforms()
    sha256 = sha256_of_file(cached_file(weights))
    return _backbone(network, name, "imagenet", sha256, tuple(preprocessing.mean), tuple(preprocessing.std))


def _from_file(network: nn.Module, spare: set[str], name: str, file: Path) -> Backbone:
    tensors, metadata = read_weights(file)
    fit_weights(network, tensors, spare, file)
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if "input" in metadata:
        if not metadata["input"].startswith(INCEPTION_INPUT):
            raise WeightsError(
                f"{file} needs the input {metadata['input']!r}, which kallos does not support: "
                f"set {INCEPTION_INPUT!r} in its metadata, or leave it out for torchvision's preprocessing."
            )
        mean = std = (0.5, 0.5, 0.5)
    same_padding = metadata.get("padding", "").startswith(TENSORFLOW_PADDING)
    if same_padding:
        _pad_like_tensorflow(network)
    return _backbone(network, name, file.name, sha256_of_file(file), mean, std, same_padding)


def _backbone(
    network: nn.Module,
    name: str,
    weights: str,
    sha256: str,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    same_padding: bool = False,
) -> Backbone:
    options = {option: getattr(network, option) for option in OPTIONS if hasattr(network, option)}
    size = options.get("image_size", 224)
    dim, maps = _features(network, size).shape[1], _maps(network, size)
    return Backbone(network, BackboneCard(name, weights, sha256, dim, mean, std, same_padding, options, maps))


def _trimmed(name: str, weights: Any, options: Mapping[str, Any]) -> tuple[nn.Module, set[str]]:
    """A network without its classifier, and the names of the tensors that went with it.

    What is random in it comes from a fixed seed: "none" is the same network every time.
    """
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = BUILT_IN[name]() if name in BUILT_IN else get_model(name, weights=weights, **options)
    names = set(network.state_dict())
    for head in HEADS:
        if hasattr(network, head):
            setattr(network, head, _without_classifier(getattr(network, head)))
    for branch in AUXILIARY:
        if hasattr(network, branch):
            setattr(network, branch, None)
            network.aux_logits = False  # type: ignore[assignment]
    return network.to(memory_format=torch.channels_last), names - set(network.state_dict())


def _without_classifier(head: nn.Module) -> nn.Module:
    """Identity; of a head in several parts, its pooling and normalisation stay at their places."""
    if not isinstance(head, nn.Sequential):
        return nn.Identity()
    pooling = (nn.LayerNorm, nn.AdaptiveAvgPool2d, nn.Flatten)
    return nn.Sequential(*(part if isinstance(part, pooling) else nn.Identity() for part in head))


def _pad_like_tensorflow(network: nn.Module) -> None:
    """Stride-2 convolutions with k > 1 pad one less before than after, as SAME does on even sizes.

    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2; (0, 1, 0, 1) for k = 3.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d) and part.stride == (2, 2) and part.padding != (0, 0):
            down, across = int(part.padding[0]), int(part.padding[1])
            part.padding = (0, 0)
            part.register_forward_pre_hook(partial(_pad, sides=(across - 1, across, down - 1, down)))


def _pad(_: nn.Module, inputs: tuple[torch.Tensor], sides: tuple[int, int, int, int]) -> torch.Tensor:
    return F.pad(inputs[0], sides)


def _features(network: nn.Module, size: int) -> torch.Tensor:
    """(1, dim): the features of a black image."""
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        features: torch.Tensor = network(torch.zeros(1, 3, size, size))
    network.train(was_training)
    return features


def stages_of(network: nn.Module) -> tuple[nn.Module, str]:
    """The module whose children are the stages of a network, and the prefix of their names."""
    if hasattr(network, "features"):
        return network.get_submodule("features"), "features."
    return network, ""


def _maps(network: nn.Module, size: int) -> dict[str, int]:
    """The last stages whose maps have an eighth and a sixteenth of the image's side, and their channels.

    Stages are the children of `features`, or of the network where it has none. Networks without such maps,
    transformers among them, have no stages here.
    """
    stages, prefix = stages_of(network)
    shapes: dict[str, torch.Size] = {}

    def keep(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            shapes[name] = output.shape

    hooks = [part.register_forward_hook(partial(keep, prefix + name)) for name, part in stages.named_children()]
    _features(network, size)
    for hook in hooks:
        hook.remove()
    by_stride = {
        size // shape[-1]: (name, shape[1])
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[-2] == shape[-1] > 1
    }
    return dict(by_stride[stride] for stride in MAP_STRIDES if stride in by_stride)
