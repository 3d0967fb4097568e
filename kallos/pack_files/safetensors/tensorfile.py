"""The format: 8 bytes with the length of a JSON header, the header, then the tensors, little-endian and without gaps.

https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from numpy.typing import NDArray

DTYPES = {
    "I64": torch.int64,
    "F64": torch.float64,
    "F32": torch.float32,
    "I32": torch.int32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""In the order in which tensors lie in a file; those of one type by name."""

METADATA = "__metadata__"

if sys.byteorder != "little":
    raise ImportError("This stand-in knows little-endian machines only: install safetensors.")


class SafetensorError(Exception):
    """A file that is damaged or no safetensors file."""


class safe_open:  # noqa: N801
    """An open file: its metadata, and its tensors by name. Raises SafetensorError, and OSError as `open` does."""

    def __init__(self, filename: str | Path, framework: str) -> None:  # noqa: ARG002
        content = bytearray(Path(filename).read_bytes())
        try:
            start = 8 + int.from_bytes(content[:8], "little")
            header = json.loads(content[8:start])
            self._metadata: dict[str, str] | None = header.pop(METADATA, None)
            self._tensors = dict(_tensors(header, content, start))
        except (ValueError, KeyError, TypeError) as problem:
            raise SafetensorError(f"{filename} is no whole safetensors file: {problem}") from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tensors.clear()

    def keys(self) -> list[str]:
        """The tensors' names."""
        return list(self._tensors)

    def metadata(self) -> dict[str, str] | None:
        """What the file says of itself; None when it says nothing."""
        return self._metadata

    def get_tensor(self, name: str) -> torch.Tensor:
        """One tensor, in main memory."""
        return self._tensors[name]


def load_file(filename: str | Path) -> dict[str, torch.Tensor]:
    """Every tensor of a file. Raises as `safe_open`."""
    with safe_open(filename, framework="pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


def save_file(
    tensors: Mapping[str, torch.Tensor], filename: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, from whatever device they are on."""
    order, names = list(DTYPES.values()), {dtype: name for name, dtype in DTYPES.items()}
    placed = sorted(tensors.items(), key=lambda item: (order.index(item[1].dtype), item[0]))
    header: dict[str, Any] = {} if metadata is None else {METADATA: dict(metadata)}
    end = 0
    for name, tensor in placed:
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with Path(filename).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in placed:
            file.write(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def load_arrays(filename: str | Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a file, as NumPy arrays. Raises as `safe_open`."""
    return {name: tensor.numpy() for name, tensor in load_file(filename).items()}


def save_arrays(
    arrays: Mapping[str, NDArray[Any]], filename: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write NumPy arrays."""
    save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, filename, metadata)


def _tensors(header: Mapping[str, Any], content: bytearray, start: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors; raises ValueError unless they fill the rest of the file one after the other."""
    reached = start
    for name, described in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = DTYPES[described["dtype"]], described["shape"]
        first, end = (start + offset for offset in described["data_offsets"])
        count = math.prod(shape)
        if first != reached or end - first != count * dtype.itemsize or end > len(content):
            raise ValueError(f"{name} is not where the header says")
        flat = torch.empty(0, dtype=dtype)
        if count:
            flat = torch.frombuffer(content, dtype=dtype, count=count, offset=first)
        yield name, flat.reshape(shape).clone()
        reached = end
    if reached != len(content):
        raise ValueError("there is more in it than the header says")
