"""Networks by name, without their classifiers: torchvision's and timm's."""

import difflib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models import get_model, list_models

from featurestore.errors import UsageError

HEADS = ("classifier", "fc", "head", "heads")
AUXILIARY = ("aux1", "aux2", "AuxLogits")
CONTAINERS = ("features", "blocks", "stages")
OPTIONS = ("image_size", "transform_input")
"""Arguments of a torchvision builder that depend on the weights; networks that have them keep them."""

USUAL_SIZE = 224
"""Pixels a side that a network is looked at with, unless it is made for one size."""

SIZES = range(32, 257, 32)
"""Sides in pixels that are proposed where another does not fit."""

MAP_STRIDES = (8, 16)
"""Of the feature maps that are pooled region by region: fine enough for an eye, deep enough to be useful."""


def refuse_unknown(name: str) -> None:
    """Raises UsageError, naming the nearest, for a name that neither library has. torchvision's comes first."""
    if name in _torchvision():
        return
    import timm

    if timm.is_model(name):
        return
    everything = [*_torchvision(), *timm.list_models()]
    near = difflib.get_close_matches(name, everything, n=3, cutoff=0.4) or ["efficientnet_v2_s", "mobilenet_v2"]
    raise UsageError(f"There is no backbone {name!r}: the nearest names are {', '.join(near)}.")


def is_of_timm(name: str) -> bool:
    """Whether a known name is timm's."""
    return name not in _torchvision()


def _torchvision() -> list[str]:
    return list(list_models(module=torchvision.models))


def without_classifier(name: str, options: Mapping[str, Any], weights: Any = None) -> tuple[nn.Module, set[str]]:
    """A network without its classifier, and the names of the tensors that went with it.

    `options` are the builder's; `weights` are torchvision's. What is random in it comes from a fixed seed: without
    weights it is the same network every time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, spare = _of_timm(name, options) if is_of_timm(name) else _of_torchvision(name, options, weights)
    return network.to(memory_format=torch.channels_last), spare


def _of_timm(name: str, options: Mapping[str, Any]) -> tuple[nn.Module, set[str]]:
    import timm

    network: nn.Module = timm.create_model(name, num_classes=0, **options)
    with torch.device("meta"):
        whole = timm.create_model(name, **options)
    return network, set(whole.state_dict()) - set(network.state_dict())


def _of_torchvision(name: str, options: Mapping[str, Any], weights: Any) -> tuple[nn.Module, set[str]]:
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, **options}
    network: nn.Module = get_model(name, weights=weights, **options)
    names = set(network.state_dict())
    for head in HEADS:
        if hasattr(network, head):
            setattr(network, head, _pooling_of(getattr(network, head)))
    for branch in AUXILIARY:
        if hasattr(network, branch):
            setattr(network, branch, None)
            network.aux_logits = False  # type: ignore[assignment]
    return network, names - set(network.state_dict())


def _pooling_of(head: nn.Module) -> nn.Module:
    """Identity; of a head in several parts, its pooling and normalisation stay at their places."""
    if not isinstance(head, nn.Sequential):
        return nn.Identity()
    pooling = (nn.LayerNorm, nn.AdaptiveAvgPool2d, nn.Flatten)
    return nn.Sequential(*(part if isinstance(part, pooling) else nn.Identity() for part in head))


def options_of(network: nn.Module) -> dict[str, Any]:
    """Arguments with which torchvision's builder makes this network again."""
    return {option: getattr(network, option) for option in OPTIONS if hasattr(network, option)}


def check_size_of(name: str, size: int) -> None:
    """`check_size` before weights are read. Raises UsageError for an unknown name, too."""
    refuse_unknown(name)
    check_size(name, without_classifier(name, {})[0], size)


def check_size(name: str, network: nn.Module, size: int) -> None:
    """Raises UsageError, naming sizes that fit, when the network cannot take images of `size` x `size` pixels."""
    if not _takes(network, size):
        others = " or ".join(str(other) for other in SIZES if _takes(network, other)) or "another network"
        raise UsageError(f"{name} cannot take images of {size} pixels: choose {others}.")


def _takes(network: nn.Module, size: int) -> bool:
    try:
        features_of(network, size)
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True


def size_of(network: nn.Module) -> int:
    """Pixels a side that the network is made for, or the usual ones."""
    settings = getattr(network, "pretrained_cfg", {})  # timm's
    made_for = settings["input_size"][-1] if settings.get("fixed_input_size") else USUAL_SIZE
    return int(getattr(network, "image_size", made_for))


def features_of(network: nn.Module, size: int) -> torch.Tensor:
    """(1, dim): the features of a black image."""
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        features: torch.Tensor = network(torch.zeros(1, 3, size, size))
    network.train(was_training)
    return features


def stages_of(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts of a network that follow each other, by name, those of its CONTAINERS among them."""
    for name, part in network.named_children():
        if name in CONTAINERS:
            yield from ((f"{name}.{inner}", stage) for inner, stage in part.named_children())
        else:
            yield name, part


def maps_of(network: nn.Module) -> dict[str, int]:
    """The last stages whose maps have an eighth and a sixteenth of the image's side, and their channels.

    Networks without such maps, transformers among them, have no stages here.
    """
    shapes: dict[str, torch.Size] = {}

    def remember(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            shapes[name] = output.shape

    size = size_of(network)
    hooks = [part.register_forward_hook(partial(remember, name)) for name, part in stages_of(network)]
    features_of(network, size)
    for hook in hooks:
        hook.remove()
    by_stride = {
        size // shape[-1]: (name, shape[1])
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[-2] == shape[-1] > 1
    }
    return dict(by_stride[stride] for stride in MAP_STRIDES if stride in by_stride)


def pad_like_tensorflow(network: nn.Module) -> None:
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
