"""docs/extending.md, walked through word for word on a copy of kallos and of a trained store."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Workspace

ROOT = Path(__file__).parent.parent
ROOMS = ("featurestore", "extractors", "models", "ensemble", "reports", "kallos")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / "docs/extending.md").read_text(), re.M | re.S))
EXPECTED = {
    "A feature": ("philtrum_to_mouth", "philtrum over the width of the mouth"),
    "An extractor": ("contrasts", "standard deviation of the luminance"),
    "A set of landmarks": ("with-irises@", "478"),
    "A model": ("neighbours", '"name": "neighbours"'),
    "A report": ("Harsh raters first", '"raters"', "SELECT rater_id"),
}
WRITTEN = {"A model": ("bundle/MODEL_CARD.md", "mean score of the 20 nearest shapes")}


@pytest.fixture
def copy(workspace: Workspace, tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(workspace.store, tmp_path)
    shutil.copytree(workspace.store.with_suffix(".runs"), tmp_path / "kallos.runs")
    return tmp_path


@pytest.mark.parametrize("title", EXPECTED)
def test_the_walk_through_works(title: str, copy: Path):
    said = ""
    for kind, block in re.findall(r"```(python|diff|console)\n(.*?)```", SECTIONS[title], re.S):
        if kind == "console":
            said += "".join(typed(line, copy) for line in block.splitlines())
        else:
            file, content = re.match(r"# (\S+)\n(.*)", block, re.S).groups()
            added(copy / file, content) if kind == "python" else changed(copy / file, content)
    for words in EXPECTED[title]:
        assert words in said
    if title in WRITTEN:
        file, words = WRITTEN[title]
        assert words in (copy / file).read_text(encoding="utf-8")


def typed(line: str, copy: Path) -> str:
    """What a console line prints, run by the kallos of the copy."""
    prompt, program, *arguments = shlex.split(line)
    assert (prompt, program) == ("$", "kallos")
    run = subprocess.run(
        [sys.executable, "-m", "kallos", *arguments],
        cwd=copy,
        env=os.environ | {"COLUMNS": "140"},
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, f"{line}\n{run.stderr}"
    return run.stdout


def added(file: Path, content: str) -> None:
    with file.open("a", encoding="utf-8") as end:
        end.write(content)


def changed(file: Path, diff: str) -> None:
    """Apply a diff of one hunk without line numbers."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file.name} has changed: {diff}"
    file.write_text(text.replace(before, after), encoding="utf-8")
