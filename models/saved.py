"""Saved models: a folder with `model.json` (what it is) and `model.safetensors` (its tensors). No pickle, no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from featurestore.errors import BundleError

DESCRIPTION, TENSORS = "model.json", "model.safetensors"


def write_model(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write both files; the description comes last, so that a folder that has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}, folder / TENSORS)
    write_description(folder, description)


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Say what the model in a folder is, when all else of it is there."""
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


def read_tensors(folder: Path) -> dict[str, NDArray[Any]]:
    """The tensors of `write_model`. Raises BundleError when they are missing or damaged."""
    try:
        tensors: dict[str, NDArray[Any]] = load_file(folder / TENSORS)
    except (OSError, SafetensorError) as problem:
        raise BundleError(f"{folder} holds no readable {TENSORS}: train or export the model again.") from problem
    return tensors
