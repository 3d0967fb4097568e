"""A photo of several faces says so, and which one was taken, wherever anything is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.bundle import open_bundle
from featurestore.ingest.dataset import write
from featurestore.opening import open_store
from kallos.engines.extraction import extract
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.web.service import Service
from kallos.workflows.photos import sources_in
from kallos.workflows.progress import ignore
from kallos.workflows.score import ScoreOptions, score_photos
from reports.pages.prediction import lines
from reports.render.json import to_json
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.ingest_files import read_scores

REMARK = "3 faces, the largest was taken: the 2nd from the left"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tall portrait between two of three fifths of its size, before black."""
    canvas = np.zeros((350, 1050, 3), dtype=np.uint8)
    canvas[:, 350:700] = paint(draw_parameters(1))
    for seed, left in ((2, 70), (3, 770)):
        small = Image.fromarray(paint(draw_parameters(seed))).resize((210, 210))
        canvas[140:, left : left + 210] = np.asarray(small)
    path = tmp_path_factory.mktemp("three") / "three.png"
    Image.fromarray(canvas).save(path)
    return path


def test_the_panel_and_json_say_so(three: Path, workspace: Workspace):
    arguments = (three, "--bundle", workspace.bundle)
    (prediction,) = kallos_ok("score", *arguments, "--json").json()["predictions"]
    assert prediction["notes"][0] == REMARK
    output = " ".join(kallos_ok("score", *arguments).out.replace("│", " ").split())
    assert f"! {REMARK}" in output
    assert kallos_ok("explain", *arguments, "--store", "none", "--json").json()["notes"][0] == REMARK


def test_the_line_of_a_folder_says_so(three: Path, workspace: Workspace):
    (scored,) = score_photos(open_bundle(workspace.bundle), sources_in(three), ScoreOptions())
    _, line, *_ = lines([scored.answer], [three])
    assert f"! {REMARK}" in line.plain


def test_the_web_answer_says_so(three: Path, workspace: Workspace):
    with Service(open_bundle(workspace.bundle), None, "# A card") as service:
        report, _ = service.explain(three, None)
    assert json.loads(to_json("explanation", report))["notes"][0] == REMARK


def test_the_ledger_says_so(three: Path, tmp_path: Path):
    (tmp_path / "labels.csv").write_text("image,score\nthree.png,3\n")
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_scores(tmp_path / "labels.csv", three.parent, "mine"))
        extract(store, [], ignore)
        assert store.frame("SELECT status, detail FROM extractions WHERE detail IS NOT NULL").rows() == [("ok", REMARK)]
