"""Where a backbone's weights come from: torchvision's ImageNet files, a safetensors file, or a seed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torchvision.models import get_model_weights

from featurestore.errors import BundleError, WeightsError

INCEPTION_INPUT = "x/127.5-1"
TENSORFLOW_PADDING = "stride-2 convolutions pad (0,1,0,1)"


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a network without storage (built on the device `meta`) its tensors.

    Built so, a description costs no memory, whatever sizes it names. Raises BundleError for a tensor that is
    missing, unknown, or of another shape or type.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise BundleError(
            f"{folder} {'lacks' if name in expected else 'has an unexpected'} tensor {name}: export it again."
        )
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            raise BundleError(f"{folder} has a tensor {name} that does not fit its network: export it again.")
    network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    network.to(memory_format=torch.channels_last)


def imagenet_weights(name: str, download: bool) -> Any:
    """torchvision's best ImageNet weights of a backbone, in the torch hub's cache when this returns.

    Raises WeightsError when they are not there and may not or cannot be downloaded.
    """
    weights = get_model_weights(name).DEFAULT
    choices = "give --weights FILE (safetensors), or choose --weights none for a random network"
    if not cached_file(weights).is_file():
        if not download:
            raise WeightsError(
                f"The ImageNet weights of {name} are not on this machine: add --download to fetch them "
                f"({weights.meta['_file_size']:.0f} MB), {choices}."
            )
        try:
            weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as problem:  # no network; a file whose hash is wrong
            raise WeightsError(
                f"The ImageNet weights of {name} could not be downloaded ({problem}): "
                f"try again with a network, {choices}."
            ) from problem
    return weights


def cached_file(weights: Any) -> Path:
    """Where torchvision keeps the downloaded file."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def read_weights(file: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file. Raises WeightsError when it is none."""
    if not file.is_file():
        raise WeightsError(f"There is no weights file {file}: give a safetensors file, imagenet or none.")
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            return tensors, opened.metadata() or {}
    except SafetensorError as problem:
        raise WeightsError(
            f"{file} is not a safetensors file, and pickled weights (.pth) can run code, so they are not read: "
            "load them with torch.load(..., weights_only=True), then write them with safetensors.torch.save_file."
        ) from problem


def fit_weights(network: nn.Module, tensors: Mapping[str, torch.Tensor], spare: set[str], file: Path) -> None:
    """Load tensors into a network, in which `spare` names (the classifier's) are no longer there.

    Raises WeightsError that names the first tensor that is unknown, missing or of another shape.
    """
    expected = network.state_dict()
    misfit = ""
    for name, tensor in tensors.items():
        if name in expected and tensor.shape != expected[name].shape:
            misfit = f"{name} is {tuple(tensor.shape)} where {tuple(expected[name].shape)} is needed"
        elif name not in expected and name not in spare:
            misfit = f"{name} is unknown to it"
        if misfit:
            break
    # batch counters matter only to networks that average without a momentum
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = [name for name in expected if name not in tensors and name not in counters]
    if missing and not misfit:
        misfit = f"{missing[0]} is missing"
    if misfit:
        raise WeightsError(f"{file} does not fit the backbone, {misfit}: name the backbone that it was made for.")
    network.load_state_dict({name: t for name, t in tensors.items() if name in expected}, strict=False)


def sha256_of_state(network: nn.Module) -> str:
    """Hexadecimal sha256 of a network's names and tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
