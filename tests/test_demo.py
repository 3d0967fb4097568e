"""`kallos demo`, the first command that anyone types."""

from __future__ import annotations

from pathlib import Path

import pytest

from kallos.commands import demo
from tests.command import done, kallos


def test_the_demo_runs_to_its_end_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "EPOCHS", 1)
    monkeypatch.chdir(tmp_path)
    folder = Path("demo")
    answer = done("demo", folder, "--count", 100)
    assert "done in" in answer.out
    for made in ("portraits/images/P0001.jpg", "kallos.duckdb", "bundle/MODEL_CARD.md", "figures", "overlays"):
        assert (folder / made).exists()
    typed = [line.removeprefix("$ kallos ") for line in answer.out.splitlines() if line.startswith("$ kallos ")]
    assert len(typed) > 8
    assert kallos(*typed[-1].split()).code == 0, "a step shown is a command that can be typed"
    assert "already trained" in done("demo", folder, "--count", 100).err
