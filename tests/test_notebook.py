"""The Python interface in a real Jupyter kernel, where ipywidgets is installed and where it is not."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import Workspace

WITHOUT_WIDGETS = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ipywidgets":
            raise ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets")

sys.meta_path.insert(0, Blocker())
"""
CELLS = {
    "import kallos\nall(hasattr(kallos, name) for name in kallos.__all__)": "True",
    "store = kallos.open_store(path)\nlen(store.frame('FROM images'))": "120",
    "store.close()\n": None,
    "len(kallos.sql('FROM images', path))": "120",
    "report = kallos.report('evaluation', path)\nreport.name, len(report.queries) > 0": "('evaluation', True)",
    "scores = kallos.score(portrait, bundle=bundle)\n1 < scores['score'].item() < 5": "True",
    "kallos.evaluate(path, 'demo', bundle=bundle).evaluated > 0": "True",
    "fold = kallos.training_set(path, 'demo-5fold', 1, features=['eyes'])\nlen(fold.train) + len(fold.test)": "120",
    "predictor = kallos.load_bundle(bundle)\nscore = predictor.predict(portrait).score\n1 < score < 5": "True",
    "from PIL import Image\npredictor.predict(Image.open(portrait)).score == score": "True",
    "with predictor:\n    explained = predictor.explain(portrait)\nexplained.prediction.score == score": "True",
}
"""What is typed, and what the cell shows."""


@pytest.mark.parametrize("before", ["", WITHOUT_WIDGETS], ids=["with ipywidgets", "without ipywidgets"])
def test_the_python_interface(before: str, workspace: Workspace):
    names = f"path, bundle, portrait = {[str(p) for p in (workspace.store, workspace.bundle, workspace.portrait)]!r}"
    sources = [before + names, *CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    for cell, expected in zip(notebook.cells, (None, *CELLS.values()), strict=True):
        outputs = [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
        assert outputs == ([expected] if expected else []), cell
        assert not [output for output in cell.outputs if output.output_type == "error"]
