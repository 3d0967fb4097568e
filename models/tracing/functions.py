"""Functions of NumPy that are no ufuncs, for arrays that write down what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.tracing.array import FUNCTIONS, REDUCTIONS, Traced, TracedComplex, value_of

SWEEPS = 5
"""Of a singular value decomposition: columns of 3 x 3 are at right angles to the last bit after four."""


def _counterpart(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(written: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, written))
        return written

    return register


def _first(arrays: Sequence[Any]) -> Traced:
    return next(array for array in arrays if isinstance(array, Traced))


@_counterpart(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int = 0, **_: Any) -> Any:
    first, value = _first(arrays), np.concatenate(value_of(list(arrays)), axis=axis)
    return Traced(first.writer, value, first.writer.node("Concat", *map(first.named, arrays), axis=axis % value.ndim))


@_counterpart(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    place = axis % (np.ndim(value_of(arrays[0])) + 1)
    key = (*[slice(None)] * place, None)
    return _concatenate([array[key] if np.ndim(value_of(array)) else np.reshape(array, 1) for array in arrays], place)


@_counterpart(np.hstack)
def _hstack(arrays: Sequence[Any], **_: Any) -> Any:
    return _concatenate(arrays, axis=min(np.ndim(value_of(arrays[0])) - 1, 1))


@_counterpart(np.column_stack)
def _column_stack(arrays: Sequence[Any]) -> Any:
    return _concatenate([array[:, None] if array.ndim == 1 else array for array in arrays], axis=1)


@_counterpart(np.reshape)
def _reshape(array: Traced, shape: Any) -> Any:
    return array.reshape(shape)


@_counterpart(np.roll)
def _roll(array: Traced, shift: int, axis: int) -> Any:
    keys = (*[slice(None)] * axis, slice(-shift, None)), (*[slice(None)] * axis, slice(None, -shift))
    return _concatenate([array[key] for key in keys], axis)


@_counterpart(np.diff)
def _diff(array: Traced, axis: int) -> Any:
    before = (slice(None),) * axis
    return array[(*before, slice(1, None))] - array[(*before, slice(None, -1))]


@_counterpart(np.moveaxis)
def _moveaxis(array: Traced, source: int, destination: int) -> Any:
    order = [axis for axis in range(array.ndim) if axis != source]
    order.insert(destination, source)
    return array.transpose(*order)


@_counterpart(np.take)
def _take(array: Any, places: Any, axis: int) -> Any:
    return array[(*[slice(None)] * axis, places)]


@_counterpart(np.split)
def _split(array: Traced, ends: Any, axis: int) -> Any:
    starts, stops = [0, *ends], [*ends, array.shape[axis]]
    return [array[(*[slice(None)] * axis, slice(start, stop))] for start, stop in zip(starts, stops, strict=True)]


@_counterpart(np.where)
def _where(condition: Any, chosen: Any, other: Any) -> Any:
    first = _first((condition, chosen, other))
    value = np.where(*map(value_of, (condition, chosen, other)))
    return Traced(first.writer, value, first.writer.node("Where", *map(first.named, (condition, chosen, other))))


@_counterpart(np.nan_to_num)
def _nan_to_num(array: Traced, nan: float = 0.0) -> Any:
    return _where(np.isnan(array), nan, array)


@_counterpart(np.clip)
def _clip(array: Traced, low: Any, high: Any) -> Any:
    return array.clip(low, high)


@_counterpart(np.interp)
def _interp(array: Traced, places: Any, values: Any) -> Any:
    """A sum of ramps, flat beyond the ends."""
    places, values = np.asarray(places, dtype=np.float64), np.asarray(values, dtype=np.float64)
    runs = np.diff(places)
    ramps = (array[..., None] - places[:-1]).clip(0, runs) * (np.diff(values) / runs) if len(runs) else array[..., None]
    return ramps.sum(axis=-1) * float(len(runs) > 0) + values[0]


@_counterpart(np.einsum)
def _einsum(equation: str, *arrays: Any) -> Any:
    first, value = _first(arrays), np.einsum(equation, *map(value_of, arrays))
    return Traced(first.writer, value, first.writer.node("Einsum", *map(first.named, arrays), equation=equation))


@_counterpart(np.linalg.det)
def _det(array: Traced) -> Any:
    return array.node(np.linalg.det(array.value), "Det")


@_counterpart(np.linalg.svd)
def _svd(array: Traced) -> Any:
    """Of (n, 3, 3), by one-sided rotations (Hestenes 1958), singular values falling."""
    if array.shape[1:] != (3, 3):
        raise NotImplementedError("a graph has singular values of 3 x 3 alone")
    columns = [array[:, :, i] for i in range(3)]
    turns = [np.eye(3)[None, :, i] + array[:, :, i] * 0 for i in range(3)]
    for a, b in [(0, 1), (0, 2), (1, 2)] * SWEEPS:
        u, v = columns[a], columns[b]
        angle = np.arctan2(2 * (u * v).sum(axis=1), (u * u).sum(axis=1) - (v * v).sum(axis=1)) / 2
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        for vectors in (columns, turns):
            u, v = vectors[a], vectors[b]
            vectors[a], vectors[b] = u * cos + v * sin, v * cos - u * sin
    sizes = [np.sqrt((column * column).sum(axis=1)) for column in columns]
    left = [column / size[:, None] for column, size in zip(columns, sizes, strict=True)]
    return np.stack(left, axis=2), np.stack(sizes, axis=1), np.stack(turns, axis=1)


def _reduceat(ufunc: Any) -> Callable[..., Any]:
    def reduced(array: Traced, starts: Any) -> Any:
        parts = _split(array, [int(start) for start in starts[1:]], 0)
        return np.concatenate([part._reduced(ufunc, 0, True) for part in parts])

    return reduced


for _ufunc in REDUCTIONS:
    FUNCTIONS[_ufunc, "reduceat"] = _reduceat(_ufunc)
    FUNCTIONS[_ufunc, "reduce"] = lambda array, axis=0, _u=_ufunc: array._reduced(_u, axis, False)

FUNCTIONS |= {
    np.sum: lambda array, axis=None, **named: array.sum(axis, **named),
    np.mean: lambda array, axis=None, **named: array.mean(axis, **named),
    np.real: lambda array: array.real if isinstance(array, TracedComplex) else array,
    np.imag: lambda array: array.imag,
    np.ndim: lambda array: array.ndim,
}
