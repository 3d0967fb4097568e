"""Saved models: a folder with `model.json` (what it is) and `model.safetensors` (its tensors). No pickle."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from featurestore.errors import BundleError
from models.foreign import read_json

DESCRIPTION, TENSORS = "model.json", "model.safetensors"


def write_model(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write both files; the description comes last, so that a folder that has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / TENSORS, tensors)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def write_tensors(file: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file. Raises OSError, also where the library says it in words of its own."""
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata)
    except SafetensorError as problem:
        if code := re.search(r"os error (\d+)", str(problem)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(file)) from problem
        raise


def read_description(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """What `write_model` said of the model. Raises BundleError when the folder holds none, or not that kind."""
    described = read_json(folder / DESCRIPTION)
    if kind is not None and described.get("kind") != kind:
        raise BundleError(f"{folder} holds no {kind} model: train or export it again.")
    return described


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of `write_model`. Raises BundleError when they are missing, damaged or no finite numbers."""
    try:
        tensors: dict[str, torch.Tensor] = load_file(folder / TENSORS)
    except (OSError, SafetensorError) as problem:
        raise BundleError(f"{folder} holds no readable {TENSORS}: train or export the model again.") from problem
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise BundleError(f"{folder / TENSORS} holds no finite numbers in {name}: train or export the model again.")
    return tensors


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a network without storage (built on the device `meta`) its tensors.

    Built so, a description costs no memory, whatever sizes it names. Raises BundleError for a tensor that is
    missing, unknown, or of another shape or type.
    """
    wanted = network.state_dict()
    for name in sorted(wanted.keys() ^ tensors.keys()):
        raise BundleError(f"{folder} {'lacks' if name in wanted else 'has a strange'} tensor {name}: export it again.")
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (wanted[name].shape, wanted[name].dtype):
            raise BundleError(f"{folder} has a tensor {name} that does not fit its network: export it again.")
    network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    network.to(memory_format=torch.channels_last)
