"""Arrays that write down what is done with them, by the protocols that NumPy has for arrays of other libraries.

Each holds its value for the example that the code is run on, so shapes are known, and loops over them simply run. What
the code decides by a value could be decided otherwise for another input, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from models.tracing.writer import Writer

OPERATORS: dict[Any, str] = {
    np.add: "Add",
    np.subtract: "Sub",
    np.multiply: "Mul",
    np.divide: "Div",
    np.negative: "Neg",
    np.absolute: "Abs",
    np.sqrt: "Sqrt",
    np.exp: "Exp",
    np.log: "Log",
    np.tanh: "Tanh",
    np.sin: "Sin",
    np.cos: "Cos",
    np.arctan: "Atan",
    np.maximum: "Max",
    np.minimum: "Min",
    np.matmul: "MatMul",
    np.greater: "Greater",
    np.less: "Less",
    np.isnan: "IsNaN",
    np.isinf: "IsInf",
    np.logical_or: "Or",
    np.logical_not: "Not",
    expit: "Sigmoid",
}


def _arctan2(y: Any, x: Any) -> Any:
    rising, along = np.absolute(y), np.absolute(x)
    angle = np.arctan(np.minimum(rising, along) / np.maximum(np.maximum(rising, along), 1e-30))
    angle = np.where(rising > along, np.pi / 2 - angle, angle)
    angle = np.where(x < 0, np.pi - angle, angle)
    return np.where(y < 0, -angle, angle)


def _power(base: Any, exponent: Any) -> Any:
    if exponent != 2:
        raise NotImplementedError(f"a graph has no power {exponent}: write it as products")
    return base * base


COMPOSED: dict[Any, Callable[..., Any]] = {
    np.hypot: lambda x, y: np.sqrt(x * x + y * y),
    np.degrees: lambda x: x * (180 / np.pi),
    np.log10: lambda x: np.log(x) * (1 / np.log(10)),
    np.square: lambda x: x * x,
    np.power: _power,
    np.arctan2: _arctan2,
    np.isfinite: lambda x: np.logical_not(np.logical_or(np.isnan(x), np.isinf(x))),
    np.conjugate: lambda x: x,
}
"""What ONNX has no operator for, of what it has."""

REDUCTIONS = {np.add: "ReduceSum", np.maximum: "ReduceMax", np.minimum: "ReduceMin"}

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""Functions of NumPy that are no ufuncs; `models.tracing.functions` fills it."""


def value_of(operand: Any) -> Any:
    """What an operand is for the example; sequences of arrays item by item."""
    if isinstance(operand, list | tuple):
        return type(operand)(map(value_of, operand))
    return operand.value if isinstance(operand, Traced | TracedComplex) else operand


class _Recording(NDArrayOperatorsMixin):
    """What real and complex arrays share."""

    value: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise NotImplementedError("what a graph does may not depend on a value: use np.where")

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise NotImplementedError("np.array and np.asarray would lose the graph: use np.stack, or nothing at all")

    def __array_function__(self, function: Any, _: Any, arguments: Any, named: Any) -> Any:
        if function not in FUNCTIONS:
            raise NotImplementedError(f"numpy.{function.__name__} is not among the functions of models/tracing")
        return FUNCTIONS[function](*arguments, **named)


class Traced(_Recording):
    """An array of real numbers or of truth values: its value for the example, and its name in the graph."""

    def __init__(self, writer: Writer, value: Any, name: str) -> None:
        self.writer, self.value, self.name = writer, np.asarray(value), name

    def named(self, operand: Any) -> str:
        """The name of an operand in this graph."""
        return operand.name if isinstance(operand, Traced) else self.writer.constant(operand)

    def node(self, value: Any, operator: str, *others: str, **attributes: Any) -> Traced:
        """What an operator makes of this array and of what has these names; its value for the example is known."""
        return Traced(self.writer, value, self.writer.node(operator, self.name, *others, **attributes))

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **named: Any) -> Any:
        if any(np.iscomplexobj(value_of(operand)) for operand in operands):
            return TracedComplex.of(self, operands[0]).__array_ufunc__(ufunc, method, *operands, **named)
        if method != "__call__":
            return FUNCTIONS[ufunc, method](*operands, **named)
        if ufunc is ndtr:
            halves = operands[0] * np.sqrt(0.5)
            return (halves.node(2 * ndtr(operands[0].value) - 1, "Erf") + 1) * 0.5
        if ufunc in COMPOSED:
            return COMPOSED[ufunc](*operands)
        if ufunc not in OPERATORS:
            raise NotImplementedError(f"numpy.{ufunc.__name__} is not among the operators of models/tracing")
        value = ufunc(*map(value_of, operands))
        return Traced(self.writer, value, self.writer.node(OPERATORS[ufunc], *map(self.named, operands)))

    def __getitem__(self, key: Any) -> Traced:
        """Slices, numbers, new axes, and one sequence of numbers."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if (gap := next((i for i, each in enumerate(keys) if each is Ellipsis), None)) is not None:
            axes = sum(each is not None for each in keys) - 1
            keys[gap : gap + 1] = [slice(None)] * (self.ndim - axes)
        part, axis = self, 0
        for each in keys:
            if each is None:
                part = part._moved(np.expand_dims(part.value, axis), "Unsqueeze", [axis])
                axis += 1
            elif isinstance(each, slice):
                part, axis = part._sliced(each, axis), axis + 1
            else:
                places = np.asarray(each, dtype=np.int64)
                part = part.node(np.take(part.value, places, axis), "Gather", self.writer.indices(places), axis=axis)
                axis += places.ndim
        if part.shape != self.value[tuple(value_of(keys))].shape:
            raise NotImplementedError(f"a graph has no {key}: index in two steps")
        return part

    def _sliced(self, part: slice, axis: int) -> Traced:
        if part == slice(None):
            return self
        start, stop, step = part.indices(self.shape[axis])
        stop = stop if stop >= 0 else -self.shape[axis] - 1
        ends = (self.writer.indices([number]) for number in (start, stop, axis, step))
        return self.node(self.value[(slice(None),) * axis + (part,)], "Slice", *ends)

    def _moved(self, value: NDArray[Any], operator: str, numbers: Any) -> Traced:
        return self.node(value, operator, self.writer.indices(numbers))

    def _reduced(self, ufunc: Any, axis: Any, keepdims: bool) -> Traced:
        value = ufunc.reduce(self.value, axis=axis, keepdims=keepdims)
        axes = range(self.ndim) if axis is None else np.atleast_1d(axis)
        return self.node(value, REDUCTIONS[ufunc], self.writer.indices(axes), keepdims=int(keepdims))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced(np.add, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced(np.maximum, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced(np.minimum, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        summed = self.sum(axis, keepdims)
        return summed * (summed.value.size / self.value.size)

    def std(self, axis: Any = None) -> Any:
        deviation = self - self.mean(axis, keepdims=True)
        return np.sqrt((deviation * deviation).mean(axis))

    def clip(self, low: Any = None, high: Any = None) -> Any:
        floored = self if low is None else np.maximum(self, low)
        return floored if high is None else np.minimum(floored, high)

    def astype(self, kind: Any, **_: Any) -> Traced:
        """Itself: a graph has one precision."""
        return Traced(self.writer, self.value.astype(kind), self.name)

    def copy(self) -> Traced:
        return self

    def reshape(self, *shape: Any) -> Traced:
        sizes = self.value.reshape(*shape).shape
        return self._moved(self.value.reshape(sizes), "Reshape", sizes)

    def ravel(self) -> Traced:
        return self.reshape(-1)

    def transpose(self, *axes: int) -> Traced:
        order = axes or tuple(reversed(range(self.ndim)))
        return self.node(self.value.transpose(order), "Transpose", perm=list(order))

    @property
    def T(self) -> Traced:  # noqa: N802
        return self.transpose()


class TracedComplex(_Recording):
    """An array of complex numbers: two of real ones."""

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag
        self.value = np.asarray(value_of(real) + 1j * value_of(imag))

    @classmethod
    def of(cls, *operands: Any) -> TracedComplex:
        """The first operand, real or complex, traced or not."""
        if isinstance(operands[0], cls):
            return operands[0]
        return cls(operands[0], operands[0] * 0) if isinstance(operands[0], Traced) else cls(*_parts(operands[0]))

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **_: Any) -> Any:
        (a, b), *others = map(_parts, operands)
        if method != "__call__":
            raise NotImplementedError(f"{ufunc.__name__}.{method} of complex numbers is not among models/tracing")
        if ufunc in (np.add, np.subtract):
            return TracedComplex(ufunc(a, others[0][0]), ufunc(b, others[0][1]))
        if ufunc is np.multiply:
            c, d = others[0]
            return TracedComplex(a * c - b * d, a * d + b * c)
        if ufunc is np.divide and not np.iscomplexobj(value_of(operands[1])):
            return TracedComplex(a / operands[1], b / operands[1])
        if ufunc is np.absolute:
            return np.hypot(a, b)
        if ufunc is np.negative:
            return TracedComplex(-a, -b)
        if ufunc is np.conjugate:
            return TracedComplex(a, -b)
        raise NotImplementedError(f"{ufunc.__name__} of complex numbers is not among models/tracing")

    def __getitem__(self, key: Any) -> TracedComplex:
        return TracedComplex(self.real[key], self.imag[key])

    def conj(self) -> TracedComplex:
        return TracedComplex(self.real, -self.imag)

    def sum(self, axis: Any = None, keepdims: bool = False) -> TracedComplex:
        return TracedComplex(self.real.sum(axis, keepdims), self.imag.sum(axis, keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> TracedComplex:
        return TracedComplex(self.real.mean(axis, keepdims), self.imag.mean(axis, keepdims))

    def astype(self, *_: Any, **__: Any) -> TracedComplex:
        return self


def _parts(operand: Any) -> tuple[Any, Any]:
    if isinstance(operand, Traced):
        return operand, operand * 0
    return (operand.real, operand.imag) if isinstance(operand, TracedComplex) else (np.real(operand), np.imag(operand))
