"""Saved models: a folder with `model.json` (description) and `model.safetensors` (tensors). No pickle, no torch."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from featurestore.errors import BundleError
from models.untrusted import read_json

DESCRIPTION, TENSORS, GRAPH = "model.json", "model.safetensors", "model.onnx"
NUMBERS = (np.float32, np.float64, np.int64)


def write_model(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write both files; the description comes last, so that a folder that has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / TENSORS, tensors)
    write_description(folder, description)


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write the description of the model in a folder, after everything else."""
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def write_tensors(file: Path, tensors: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file. Raises OSError, also where the library has an error of its own for it."""
    try:
        save_file({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}, file, metadata)
    except SafetensorError as problem:
        if code := re.search(r"os error (\d+)", str(problem)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(file)) from problem
        raise


def read_description(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """The description that `write_model` wrote. Raises BundleError when the folder holds none, or not that kind."""
    described = read_json(folder / DESCRIPTION)
    if kind is not None and described.get("kind") != kind:
        raise BundleError(f"{folder} holds no {kind} model: train or export it again.")
    return described


def read_tensors(folder: Path) -> dict[str, NDArray[Any]]:
    """The tensors of `write_model`. Raises BundleError when they are missing, damaged or not finite."""
    try:
        tensors: dict[str, NDArray[Any]] = load_file(folder / TENSORS)
    except (OSError, SafetensorError) as problem:
        raise BundleError(f"{folder} holds no readable {TENSORS}: train or export the model again.") from problem
    for name, tensor in tensors.items():
        if tensor.dtype not in NUMBERS:
            raise BundleError(f"{folder / TENSORS} has {tensor.dtype} in {name}: train or export the model again.")
        if not np.isfinite(tensor).all():
            raise BundleError(f"{folder / TENSORS} has values in {name} that are not finite: train or export it again.")
    return tensors
