"""The graph that is being written: nodes and constants, each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 18, 10


class Writer:
    """Nodes and constants of a graph. Numbers are float32, whatever NumPy computes in."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._known: dict[tuple[object, ...], str] = {}
        self._constants: dict[str, NDArray[Any]] = {}

    def indices(self, numbers: Any) -> str:
        """Name of a tensor of whole numbers."""
        return self._constant(np.asarray(numbers, dtype=np.int64))

    def constant(self, value: Any) -> str:
        """Name of a tensor of numbers or truth values."""
        tensor = np.asarray(value)
        return self._constant(tensor if tensor.dtype == bool else tensor.astype(np.float32))

    def _constant(self, tensor: NDArray[Any]) -> str:
        key = (tensor.dtype.str, tensor.shape, tensor.tobytes())
        if key not in self._known:
            self._known[key] = f"c{len(self._constants)}"
            self._constants[self._known[key]] = tensor
        return self._known[key]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Name of what a node gives."""
        key = (operator, inputs, repr(sorted(attributes.items())))
        if key not in self._known:
            name = self._known[key] = f"n{len(self._nodes)}"
            self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return self._known[key]

    def model(self, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[str, tuple[int, ...]]]) -> Any:
        """The graph of what the outputs need: name -> its shape, and name -> what gives it and its shape."""
        ends = [helper.make_node("Identity", [source], [name]) for name, (source, _) in outputs.items()]
        needed = {source for source, _ in outputs.values()}
        nodes = []
        for node in reversed(self._nodes):
            if node.output[0] in needed:
                nodes.append(node)
                needed |= set(node.input)
        shapes = {name: shape for name, (_, shape) in outputs.items()}
        graph = helper.make_graph(
            [*reversed(nodes), *ends],
            "numpy",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items() if name in needed],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
