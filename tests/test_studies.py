"""docs/studies.md as a psychologist types it, from a wide Excel table of drawn portraits to the study's folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.ingest_files import write_workbook
from tests.test_documented_commands import ROOT, commands, run_all

PHOTOS, RATERS = 40, 12
SMALL = ("--encoder", "mobilenet_v3_small", "--weights", "none")


def test_six_commands_lead_from_a_wide_table_to_the_report(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    wide = pl.read_csv(workspace.portraits / "ratings.csv").pivot("rater", index="image", values="rating")
    wide = wide.select(wide.columns[: RATERS + 1]).head(PHOTOS)
    Path("photos").mkdir()
    for name in wide["image"]:
        shutil.copy(workspace.portraits / "images" / name, "photos")
    write_workbook(Path("ratings.xlsx"), {"Sheet1": [tuple(wide.columns), *wide.iter_rows()]})
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    (plan,) = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    Path("plan.toml").write_text(plan.replace("photos = 60", f"photos = {PHOTOS}"), encoding="utf-8")
    steps = commands("docs/studies.md")
    assert len(steps) <= 6
    # as in the workspace, whose encoder torch has written as a graph already
    shutil.copytree(workspace.store.with_suffix(".runs") / "encoders", Path("kallos.runs/encoders"))
    for command in steps:
        kallos_ok(*command, *(SMALL if command[0] == "extract" else ()))
    assert Path("study/study.html").is_file()
    report = kallos_ok("report", "study", "--json").json()
    assert report["deviations"] == []
    assert report["plans"][0]["ratings"] == 0
    figures = {(row["table"], row["figure"]): row["value"] for row in report["figures"]}
    assert figures["scores", "photos"] == PHOTOS
    assert figures["agreement", "ICC(2,k)"] > 0.8
    assert {row["model"] for row in report["figures"] if row["table"] == "models"} == {"baseline", "ridge"}
    assert json.loads(kallos_ok("report", "raters", "--json").out)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/studies/study.md").read_text(), flags=re.DOTALL)
    exec(code, {})
    run_all(commands("docs/studies/study.md"), {})
