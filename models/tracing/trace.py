"""A function of NumPy arrays as an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tracing import functions  # noqa: F401  imported for what it registers
from models.tracing.array import Traced
from models.tracing.writer import Writer

Arrays = Mapping[str, NDArray[Any]]


def trace(function: Callable[..., Mapping[str, Any]], examples: Arrays) -> Any:
    """The `onnx.ModelProto` of a function that is called by name with arrays of the shapes of these examples.

    It gives name -> array; the graph has inputs and outputs of the same names, all float32. Raises
    NotImplementedError, which names it, for what no graph can do.
    """
    writer = Writer()
    inputs = {name: Traced(writer, np.asarray(value, dtype=np.float64), name) for name, value in examples.items()}
    outputs = function(**inputs)
    if constants := [name for name, array in outputs.items() if not isinstance(array, Traced)]:
        raise NotImplementedError(f"{constants[0]} does not depend on what the graph is given")
    shapes = {name: array.shape for name, array in inputs.items()}
    return writer.model(shapes, {name: (array.name, array.shape) for name, array in outputs.items()})
