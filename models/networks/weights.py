"""Tensors into networks: from safetensors files, checked name by name."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from featurestore.errors import BundleError, WeightsError
from models.networks.known_weights import choices


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a network without storage (built on the device `meta`) its tensors.

    Built so, a description costs no memory, whatever sizes it names. Raises BundleError for a tensor that is
    missing, unknown, or of another shape or type.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise BundleError(
            f"{folder} {'lacks' if name in expected else 'has an unexpected'} tensor {name}: train or export it again."
        )
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            raise BundleError(f"{folder} has a tensor {name} that does not fit its network: train or export it again.")
    network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    network.to(memory_format=torch.channels_last)


def read_weights(file: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file. Raises WeightsError when it is none."""
    if not file.is_file():
        raise WeightsError(f"There is no weights file {file}: give one (safetensors), or {', '.join(choices())}.")
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            return tensors, opened.metadata() or {}
    except SafetensorError as problem:
        raise WeightsError(
            f"{file} is not a safetensors file, and pickled weights (.pth) can run code, so they are not read: "
            "load them with torch.load(..., weights_only=True), then write them with safetensors.torch.save_file."
        ) from problem


def fit_weights(network: nn.Module, tensors: Mapping[str, torch.Tensor], spare: set[str], source: str) -> None:
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
        raise WeightsError(f"{source} does not fit the backbone, {misfit}: name the backbone that it was made for.")
    network.load_state_dict({name: t for name, t in tensors.items() if name in expected}, strict=False)


def sha256_of_state(network: nn.Module) -> str:
    """Hexadecimal sha256 of a network's names and tensors, in the order of their names."""
    return sha256_of_tensors(network.state_dict())


def sha256_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """The same of tensors alone."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
