"""The recipes of docs/sql.md in R, where R and the packages that they name are installed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import kallos_ok
from tests.conftest import Workspace

PAGE = (Path(__file__).parent.parent / "docs" / "sql.md").read_text(encoding="utf-8")
(TYPED,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
RECIPES = {re.search(r"library\((\w+)\)", text)[1]: text for text in re.findall(r"```r\n(.*?)```", PAGE, re.DOTALL)}
PRINTED = {"lme4": ("rater_id", "image_id", "jaw", "Fixed effects"), "haven": ("Width of the jaw at its angles.",)}


def r(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["Rscript", "--vanilla", "-e", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", RECIPES)
def test_a_recipe_runs_in_r(package: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if shutil.which("Rscript") is None or r(f"library({package})").returncode:
        pytest.skip(f"R with {package} is not installed")
    monkeypatch.chdir(tmp_path)
    for line in TYPED.splitlines():
        kallos_ok(*shlex.split(line)[1:], "--store", workspace.store)
    answer = r(RECIPES[package])
    assert answer.returncode == 0, answer.stderr
    assert all(words in answer.stdout for words in PRINTED[package])
