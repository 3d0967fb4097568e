"""docs/extending.md, walked through word for word on a copy of kallos and of a trained store."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from featurestore.opening import open_store
from tests.conftest import Workspace

ROOT = Path(__file__).parent.parent
ROOMS = ("featurestore", "extractors", "models", "ensemble", "reports", "kallos")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / "docs/extending.md").read_text(), re.M | re.S))
EXPECTED = {
    "A feature": ("philtrum_to_mouth", "philtrum over the width of the mouth"),
    "An extractor": ("contrasts", "standard deviation of the luminance"),
    "A set of landmarks": ("with-hairline", "479"),
    "A model": ("neighbours", '"name": "neighbours"'),
    "A report": ("Harsh raters first", '"raters"', "SELECT rater_id"),
    "An importer": ("Photos that were sorted into folders", "Ingested sorted", "20 images, 20 mean scores"),
    "A check": ("constant raters", '"constant_raters"'),
    "A plot": ("━━━", "share of images with a score"),
}
LAST = {"An extractor": "demo/P0024.jpg"}
"""The last of the photos, where each of them would be looked at."""
WRITTEN = {
    "A model": ("bundle/MODEL_CARD.md", "mean score of the 20 nearest shapes"),
    "A plot": ("report.html", ">share of images with a score</text>"),
}
TYPED = """
import json, sys
from kallos.cli.app import main

for line in json.load(sys.stdin):
    print("$", *line, file=sys.stderr)
    sys.argv = line
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise
"""
"""Runs commands one after the other: starting a process for each would take most of the time."""


@pytest.fixture
def copy(workspace: Workspace, tmp_path: Path) -> Path:
    """kallos with its compiled files, a trained store, and photos sorted by score."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room)
    shutil.copy(workspace.store, tmp_path)
    shutil.copytree(workspace.store.with_suffix(".runs"), tmp_path / "kallos.runs")
    for number, photo in enumerate(sorted((workspace.portraits / "images").iterdir())[:20]):
        folder = tmp_path / "sorted" / str(1 + number % 5)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder)
    return tmp_path


def test_every_walk_through_is_tested():
    assert set(SECTIONS) == set(EXPECTED)


@pytest.mark.parametrize("title", EXPECTED)
def test_the_walk_through_works(title: str, copy: Path):
    if title in LAST:
        with open_store(copy / "kallos.duckdb") as store:
            for table in ("images", "scores", "ratings", "splits"):
                store.execute(f"DELETE FROM {table} WHERE image_id > $last", last=LAST[title])
    answer = ""
    for kind, block in re.findall(r"```(python|diff|console)\n(.*?)```", SECTIONS[title], re.S):
        if kind == "console":
            answer += run_shell(block.splitlines(), copy)
        else:
            file, content = re.match(r"# (\S+)\n(.*)", block, re.S).groups()
            added(copy / file, content) if kind == "python" else changed(copy / file, content)
    for words in EXPECTED[title]:
        assert words in answer
    if title in WRITTEN:
        file, words = WRITTEN[title]
        assert words in (copy / file).read_text(encoding="utf-8")


def run_shell(lines: list[str], copy: Path) -> str:
    """What console lines print, run by the kallos of the copy."""
    commands = [shlex.split(line.removeprefix("$ ")) for line in lines]
    assert all(line.startswith("$ kallos ") for line in lines)
    run = subprocess.run(
        [sys.executable, "-c", TYPED],
        cwd=copy,
        env=os.environ | {"COLUMNS": "140"},
        input=json.dumps(commands),
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr
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
