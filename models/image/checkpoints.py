"""One file from which an interrupted training goes on: tensors, with scalars and history in its header."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import nn

from models.serialization import write_tensors

FILE = "checkpoint.safetensors"
FORMAT = 2
"""Of what a checkpoint holds; a training that left one of another format starts again."""


def fingerprint(settings: Any, *arrays: NDArray[Any]) -> str:
    """Hash of everything that decides how a training goes: JSON settings and arrays."""
    digest = hashlib.sha256(json.dumps([FORMAT, settings]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save(folder: Path, known_by: str, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint in one step: a crash leaves the one before whole.

    `known_by` is the training's fingerprint; `state` must be JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE}.partial"
    header = {"fingerprint": known_by, "state": json.dumps(dict(state))}
    write_tensors(partial, {name: tensor.cpu().numpy() for name, tensor in tensors.items()}, header)
    partial.replace(folder / FILE)


def load(folder: Path, known_by: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The last checkpoint of this very training; None when there is none, or only one of another training."""
    try:
        with safe_open(folder / FILE, framework="pt") as opened:
            header = opened.metadata()
            if header["fingerprint"] != known_by:
                return None
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return tensors, json.loads(header["state"])
    except (FileNotFoundError, SafetensorError):
        return None


def remove(folder: Path) -> None:
    """Delete the checkpoint of a training that has come to its end, and its folder if nothing else is in it."""
    for name in (FILE, f"{FILE}.partial"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names with a prefix, to keep several networks in one file."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that `prefixed` named."""
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's moments and step counts, as "<parameter>.<what>"."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{what}": tensor for i, moments in state.items() for what, tensor in moments.items()}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give an optimizer over `parameters`, in its order, the moments that `optimizer_tensors` read."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, what = name.split(".")
        # a moment lies in memory as its parameter does, or the sums would round otherwise
        placed = torch.empty_like(parameters[int(index)]).copy_(tensor) if tensor.dim() else tensor
        state.setdefault(int(index), {})[what] = placed.detach()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
