"""Graphs with smaller weights, for machines that have to fetch them: arithmetic stays in float32.

Weights of convolutions become whole numbers of 11 bits with a factor for each output (Krishnamoorthi 2018, weights
alone): 8, and 3 for what is left, which lie apart, in bytes that compress well. Other weights become float16. A
runtime turns all back when it opens the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

SMALL = 1024
"""Numbers of a tensor that stays as it is: biases and scales weigh little and matter much."""

LEVELS, FINER, HALF = 127, 8, 60_000.0
CHANNELS = {"Conv": 0}
"""Operator -> the axis of its outputs in its second input."""


def compacted(model: Any) -> Any:
    """A graph like `model`, an `onnx.ModelProto`."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    axes = {node.input[1]: CHANNELS[node.op_type] for node in graph.node if node.op_type in CHANNELS}
    nodes, tensors = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            tensors.append(tensor)
        elif tensor.name in axes:
            axis, steps = axes[tensor.name], list(_levels(values, axes[tensor.name]))
            names = [f"{tensor.name}.{number}" for number in range(len(steps))]
            for name, (whole, factors) in zip(names, steps, strict=True):
                levels, factor = f"{name}.levels", f"{name}.factor"
                tensors += [numpy_helper.from_array(whole, levels), numpy_helper.from_array(factors, factor)]
                nodes.append(helper.make_node("DequantizeLinear", [levels, factor], [name], axis=axis))
            nodes.append(helper.make_node("Sum", names, [tensor.name]))
        else:
            half, wide, factor = (f"{tensor.name}.{part}" for part in ("half", "wide", "factor"))
            # the largest number near the largest of float16: small ones keep their digits, large ones are not infinite
            scale = np.float32(max(float(np.abs(values).max()), 1e-30) / HALF)
            tensors.append(numpy_helper.from_array((values / scale).astype(np.float16), half))
            tensors.append(numpy_helper.from_array(np.array(scale), factor))
            nodes.append(helper.make_node("Cast", [half], [wide], to=onnx.TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [wide, factor], [tensor.name]))
    rest = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend([*nodes, *rest])
    return small


def _levels(values: NDArray[np.float32], axis: int) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float32]]]:
    """Whole numbers up to LEVELS, and what each output's are to be multiplied with; then those of the rest."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    factor = np.maximum(np.abs(values).max(axis=others, keepdims=True) / LEVELS, 1e-30).astype(np.float32)
    whole = np.rint(values / factor)
    yield whole.astype(np.int8), factor.ravel()
    yield np.rint((values / factor - whole) * FINER).astype(np.int8), factor.ravel() / FINER
