"""A bundle where torch is not installed: it predicts and explains; what needs torch says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import kallos_ok
from tests.conftest import Workspace

WITHOUT = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec
missing = {"torch", "torchvision", "onnx", "onnxscript", "onnx_ir"}
PathFinder.find_spec = lambda name, *where: None if name.split(".")[0] in missing else found(name, *where)
from kallos.cli.app import main
main()
"""


def without_torch(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command line in a Python that finds no torch."""
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ | {"NO_COLOR": "1"})


@pytest.mark.parametrize("command", ["score", "explain"])
def test_a_bundle_says_the_same_without_torch(command: str, workspace: Workspace, tmp_path: Path) -> None:
    arguments = (command, workspace.portrait, "--bundle", workspace.bundle, "--json")
    answer = without_torch(*arguments, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == kallos_ok(*arguments).json()


@pytest.mark.parametrize("command", [("train", "all"), ("benchmark", "-p", "demo"), ("export", "other")])
def test_what_needs_torch_says_so(command: tuple[str, ...], workspace: Workspace, tmp_path: Path) -> None:
    answer = without_torch(*command, "--store", workspace.store, folder=tmp_path)
    assert answer.returncode == 2
    assert "pip install 'kallos[train]'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_bundle_of_networks_as_trained_says_that_it_needs_torch(workspace: Workspace, tmp_path: Path) -> None:
    kallos_ok("export", tmp_path / "trained", "--no-onnx", "--store", workspace.store)
    answer = without_torch("score", workspace.portrait, "--bundle", tmp_path / "trained", folder=tmp_path)
    assert answer.returncode == 9
    assert "needs torch" in answer.stderr
    arguments = ("score", workspace.portrait, "--json", "--bundle")
    trained, graphs = (kallos_ok(*arguments, bundle).json() for bundle in (tmp_path / "trained", workspace.bundle))
    expected, found = (output["predictions"][0]["score"] for output in (trained, graphs))
    assert found == pytest.approx(expected, abs=1e-3)
