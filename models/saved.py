"""Saved models: a folder with `model.json` (what it is) and `model.safetensors` (its tensors). No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from featurestore.errors import BundleError

DESCRIPTION, TENSORS = "model.json", "model.safetensors"


def write_model(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write both files; the description comes last, so that a folder that has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def read_description(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """What `write_model` said of the model. Raises BundleError when the folder holds none, or not that kind."""
    try:
        described: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BundleError(f"{folder} holds no readable {DESCRIPTION}: train or export the model again.") from problem
    if kind is not None and described.get("kind") != kind:
        raise BundleError(f"{folder} holds no {kind} model: train or export it again.")
    return described


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of `write_model`. Raises BundleError when they are missing or damaged."""
    try:
        return load_file(folder / TENSORS)
    except (OSError, SafetensorError) as problem:
        raise BundleError(f"{folder} holds no readable {TENSORS}: train or export the model again.") from problem
