"""Graphs whose hashes are right and whose operators are hostile: refused within the limits of time and memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from featurestore.errors import BundleError
from models.networks import onnx_graphs
from models.networks.onnx_graphs import Graph
from models.serialization import GRAPH

INPUTS = {"faces": np.zeros((1, 8, 8, 3), dtype=np.uint8)}


def written(folder: Path, *nodes: onnx.NodeProto, **constants: onnx.TensorProto) -> Graph:
    """A graph from faces to scores."""
    graph = helper.make_graph(
        list(nodes),
        "hostile",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", 8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
        list(constants.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    return Graph(folder)


def test_one_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx_graphs, "SECONDS", 0.2)
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"]), helper.make_node("Identity", ["was"], ["is"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("is", TensorProto.FLOAT, None),
        ],
    )
    endless = written(
        tmp_path,
        helper.make_node("Cast", ["faces"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Loop", ["", "true", "pixels"], ["scores"], body=body),
        true=helper.make_tensor("true", TensorProto.BOOL, [], [True]),
    )
    with pytest.raises(BundleError, match=r"model.onnx cannot be run \(.*terminate flag"):
        endless.run(**INPUTS)


@pytest.mark.parametrize("numbers", [10**9, 10**14])
def test_one_that_wants_all_memory_gets_none(tmp_path: Path, numbers: int):
    greedy = written(
        tmp_path,
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["scores"]),
        size=helper.make_tensor("size", TensorProto.INT64, [1], [numbers]),
    )
    with pytest.raises(BundleError, match="cannot be run"):
        greedy.run(**INPUTS)


def test_one_within_the_limits_runs(tmp_path: Path):
    modest = written(
        tmp_path,
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["scores"]),
        size=helper.make_tensor("size", TensorProto.INT64, [1], [10**7]),
    )
    assert modest.run(**INPUTS)[0] == 0
