"""Nothing that comes from a file is ever run: no module reads pickles, and a pickle in a bundle is refused unread."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from tests.command import kallos
from tests.conftest import Workspace

ROOT = Path(__file__).parent.parent
ROOMS = ("featurestore", "extractors", "models", "ensemble", "reports", "kallos")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
CALLS = {"torch.load", "torch.jit.load", "np.load", "numpy.load", "pd.read_pickle", "eval", "exec"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_reads_pickles_or_runs_text(file: Path):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not MODULES & {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MODULES
        elif isinstance(node, ast.Call):
            # torch reads tensors alone then, and refuses everything else
            is_safe = ast.unparse(node.func) == "torch.load" and "weights_only=True" in map(ast.unparse, node.keywords)
            assert is_safe or ast.unparse(node.func) not in CALLS


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    "file",
    [
        "a/part-1/model.onnx",
        "b/part-1/model.safetensors",
        "b/part-1/model.json",
        "normalization.json",
        "baseline/part-1/model.txt",
    ],
)
def test_a_pickle_in_a_bundle_is_refused_unread(file: str, workspace: Workspace, tmp_path: Path):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    (bundle / file).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    # whoever swaps a file can write its hash as well
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][file] = hashlib.sha256((bundle / file).read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    answer = kallos("score", workspace.portrait, "--bundle", bundle)
    assert answer.code == 9, answer.err
    assert answer.err.startswith("kallos: ")
    assert not (tmp_path / "exploded").exists()
