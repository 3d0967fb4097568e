"""The notebooks of docs/notebooks, executed on the drawn portraits; in git they hold no outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kallos.docs_pages.docstrings import with_lists
from kallos.docs_pages.notebooks import markdown
from tests.conftest import Workspace

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))
FILES = {
    "analyse_ratings": {"my_ratings.csv", "my_ratings.duckdb"},
    "benchmark_encoder": set(),
    "score_folder": {"overlays", "scores.csv"},
}
"""What each leaves behind."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path: Path, workspace: Workspace, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    (tmp_path / "demo").symlink_to(workspace.store.parent)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    assert any(output.output_type == "execute_result" for output in code[-1].outputs)
    assert {file.name for file in tmp_path.iterdir()} - {"demo"} >= FILES[path.stem]


def test_every_notebook_is_known():
    assert {path.stem for path in NOTEBOOKS} == set(FILES)


def test_a_page_of_the_site_has_every_cell():
    for path in NOTEBOOKS:
        page = markdown(path.read_text(encoding="utf-8"), path.stem)
        assert all(cell.source in page for cell in nbformat.read(path, as_version=4).cells)
        assert f'"{path.name}"' in page


def test_columns_of_a_docstring_become_a_list():
    text = "Options.\n\nname    what it is,\n        and more\nfold    the fold\n\nRaises X."
    assert with_lists(text) == ("Options.\n\n\n- `name`: what it is,\n  and more\n- `fold`: the fold\n\nRaises X.")
