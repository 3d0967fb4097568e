"""Networks as ONNX graphs: written with torch, run by ONNX Runtime, which is faster here and needs no torch."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from featurestore.errors import BundleError
from models.serialization import GRAPH

if TYPE_CHECKING:
    from torch import nn
    from torch.onnx import ONNXProgram

SILENT = 4
"""Of ONNX Runtime's levels: what goes wrong is raised, and need not be printed as well."""

SAME_AS_REQUESTED = 1
"""How an arena grows: by the requested size, not by powers of two."""

MEMORY, SECONDS = 1 << 30, 60.0
"""What running graphs may hold at once, bytes beside their weights, and how long one may run: they may be anyone's."""


class Graph:
    """A graph that is ready to run."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Raises BundleError when the folder holds no graph that can be run."""
        options = onnxruntime.SessionOptions()
        _limit_memory()
        _limit_time()
        options.intra_op_num_threads = threads
        # threads that wait busily would take a core from whatever comes next
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = SILENT
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        self._folder = folder
        try:
            self._session = onnxruntime.InferenceSession(
                # from bytes: a graph that names other files as its tensors finds none
                (folder / GRAPH).read_bytes(),
                options,
                providers=["CPUExecutionProvider"],
                # it would run parts of the graph beyond the limits; `write_graph` has done it already
                disabled_optimizers=["ConstantFolding"],
            )
        except Exception as problem:
            raise BundleError(f"{folder} holds no readable {GRAPH}: train or export the model again.") from problem

    def run(self, **inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Outputs in the order in which they were named. Raises BundleError when the graph fails or meets a limit."""
        options = onnxruntime.RunOptions()
        options.log_severity_level = SILENT
        _RUNNING[id(options)] = time.monotonic(), options
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, inputs, options)
        except Exception as problem:
            reason = str(problem).partition("\n")[0]
            raise BundleError(
                f"{self._folder / GRAPH} cannot be run ({reason}): train or export it again."
            ) from problem
        finally:
            del _RUNNING[id(options)]
        return outputs


_RUNNING: dict[int, tuple[float, Any]] = {}
"""When each run began, and its options."""


@cache
def _limit_time() -> None:
    """One thread stops whatever runs for too long: a timer for each run would cost a photo two milliseconds."""

    def watch() -> None:
        while True:
            time.sleep(1)
            for began, options in list(_RUNNING.values()):
                options.terminate = time.monotonic() - began > SECONDS

    Thread(target=watch, daemon=True).start()


@cache
def _limit_memory() -> None:
    """One arena for what all graphs of this process compute."""
    arena = onnxruntime.OrtArenaCfg({"max_mem": MEMORY, "arena_extend_strategy": SAME_AS_REQUESTED})
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(place, arena)


def export(
    network: nn.Module,
    inputs: Mapping[str, NDArray[Any]],
    outputs: Sequence[str],
    any_size: Mapping[str, Sequence[int]],
) -> ONNXProgram:
    """A network as a graph; `inputs` are examples of what it will be run with.

    `any_size` is input -> its dimensions that may be of another size than the example's.
    """
    import torch

    sizes = {name: dict.fromkeys(any_size.get(name, ()), torch.export.Dim.DYNAMIC) for name in inputs}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            tuple(torch.from_numpy(example) for example in inputs.values()),
            dynamo=True,
            optimize=False,  # `write_graph` does so, with the weights in place
            verbose=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple(sizes.values()),
        )
    assert program is not None
    return program


def write_graph(program: ONNXProgram, network: nn.Module, folder: Path) -> None:
    """Write an exported graph with the weights of `network`, which has the architecture that was exported."""
    import onnx_ir
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass
    from onnxscript.optimizer import fold_constants, inline, remove_unused_nodes

    model = program.model.clone()
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):  # which only training uses
            model.graph.initializers[name].const_value = onnx_ir.tensor(tensor.numpy())
    with _quiet():
        inline(model)
        # the exporter's other rules change nothing in such networks and take seconds to find that out
        fold_constants(model)
        remove_unused_nodes(model)
    # the exporter notes the lines of code behind every node, by the paths of this machine
    ClearMetadataAndDocStringPass()(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / GRAPH).write_bytes(onnx_ir.to_proto(model).SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's log, and its warnings of its own calls."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
