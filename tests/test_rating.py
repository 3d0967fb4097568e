"""`kallos rate`, `kallos.rate` and `kallos.one_rater`: asked, stored, taken back, gone on with, exported, erased."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors import safe_open

import kallos
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.opening import open_store
from kallos.workflows.one_rater import CONSENT
from reports.render.terminal_photo import WIDTH, terminal_photo
from tests.command import Answer, kallos_ok
from tests.command import kallos as kallos_command
from tests.conftest import Workspace
from tests.test_documented_commands import ROOT, commands


@pytest.fixture
def store(workspace: Workspace, tmp_path: Path) -> Path:
    shutil.copytree(workspace.store.with_suffix(".runs"), tmp_path / "kallos.runs")
    return Path(shutil.copy(workspace.store, tmp_path))


def answered(store: Path, monkeypatch: pytest.MonkeyPatch, *lines: object, name: str = "anna") -> Answer:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return kallos_ok("rate", name, "--store", store)


def stored(store: Path) -> pl.DataFrame:
    with kallos.open_store(store) as opened:
        return opened.frame("SELECT * FROM personal_ratings ORDER BY rated_at")


def some_ratings(store: Path, count: int) -> dict[str, float]:
    faces = kallos.one_rater(store, "anna").faces
    rounded = (faces["pool"] + np.resize([0.8, -0.8, 0.1], len(faces))).round().clip(1, 5)
    return dict(zip(faces["image_id"][:count], rounded[:count], strict=True))


def test_a_person_agrees_rates_and_goes_on_another_day(store: Path, monkeypatch: pytest.MonkeyPatch):
    answer = answered(store, monkeypatch, "yes", 3, "soon", 6, 4, "s", 2, "q")
    text = " ".join(answer.out.split())
    assert text.startswith(CONSENT.partition("`")[0])
    assert "soon is not understood: give a number" in answer.err
    assert "6 is not on the scale: give a number from 1 to 5" in answer.err
    assert "Your model said" in answer.err
    assert "3 ratings, with which your model correlates" in answer.err
    rated = stored(store)
    assert rated["rating"].to_list() == [3, 4, 2]
    assert rated["image_id"].n_unique() == 3
    assert set(rated["rater"]) == {"anna"}
    again = answered(store, monkeypatch, 5)
    assert "data about you" not in again.out
    assert "Where you differ most from the pool" in again.out
    assert stored(store)["rating"].to_list() == [3, 4, 2, 5]


def test_a_terminal_shows_two_pixels_a_character():
    half = np.zeros((280, 280, 3), np.uint8)
    half[:140], half[140:] = (255, 0, 0), (0, 0, 255)
    lines = terminal_photo(half).split()
    assert [len(line) for line in lines] == [WIDTH] * (WIDTH // 2)
    assert [str(line.spans[0].style) for line in (lines[0], lines[-1])] == [
        "rgb(255,0,0) on rgb(255,0,0)",
        "rgb(0,0,255) on rgb(0,0,255)",
    ]


def test_who_does_not_agree_is_asked_nothing(store: Path, monkeypatch: pytest.MonkeyPatch):
    assert "nothing is stored" in answered(store, monkeypatch, "no", 3).err
    assert stored(store).is_empty()


def test_the_last_rating_can_be_taken_back(store: Path, monkeypatch: pytest.MonkeyPatch):
    answer = answered(store, monkeypatch, "yes", "u", 3, 4, "u", "u", "u")
    assert answer.err.count("is taken back") == 2
    assert answer.err.count("There is none to take back") == 2
    assert stored(store).is_empty()


def test_what_is_known_is_the_same_on_the_command_line_and_in_python(store: Path):
    report = kallos.rate(store, "anna", some_ratings(store, 30))
    as_json = kallos_ok("rate", "anna", "--store", store, "--json").json()
    assert as_json["schema"] == "kallos.report.one_rater/1"
    assert (as_json["rated"], as_json["pearson"]) == (30, pytest.approx(report.pearson))
    assert [step[0] for step in as_json["grew"]] == [5, 10, 20, 30]
    assert kallos.one_rater(store, "anna").faces.equals(report.faces)
    assert len(report.faces) == report.faces["image_id"].n_unique() > 60
    assert (
        report.faces.select((pl.col("low") <= pl.col("score")) & (pl.col("score") <= pl.col("high"))).to_series().all()
    )
    best = report.faces.filter(pl.col("rating").is_null()).sort("gain", descending=True)
    assert best["image_id"][0] == report.next_photo


def test_a_person_without_ratings_is_the_pool_and_another_answer_replaces_the_first(store: Path):
    nobody = kallos.one_rater(store, "nobody")
    assert nobody.faces["score"].to_list() == pytest.approx(nobody.faces["pool"].to_list())
    image_id = str(nobody.next_photo)
    kallos.rate(store, "anna", {image_id: 2})
    assert kallos.rate(store, "anna", {image_id: 5}).rated == 1
    assert stored(store)["rating"].to_list() == [5]


def test_no_score_and_no_report_knows_of_them(store: Path):
    with open_store(store) as opened:
        before = [opened.frame(f"FROM {table} ORDER BY ALL") for table in ("scores", "ratings")]
    kallos.rate(store, "anna", some_ratings(store, 5))
    with open_store(store) as opened:
        after = [opened.frame(f"FROM {table} ORDER BY ALL") for table in ("scores", "ratings")]
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("ratings", "name", "words"),
    [
        ({"demo/nobody.jpg": 3}, "anna", "no face 'demo/nobody.jpg'"),
        ({"demo/P0001.jpg": 0}, "anna", "0 is not on the scale"),
        ({}, "  ", "Give the name"),
    ],
)
def test_what_cannot_be_rated_is_refused(store: Path, ratings: dict[str, float], name: str, words: str):
    with pytest.raises(UsageError, match=words):
        kallos.rate(store, name, ratings)
    assert stored(store).is_empty()


def test_without_an_ensemble_the_command_to_run_is_named(store: Path):
    with open_store(store) as opened:
        opened.execute("DELETE FROM runs WHERE model = 'ensemble'")
    with pytest.raises(PrerequisiteError, match="kallos train"):
        kallos.one_rater(store, "anna")


def test_the_exported_model_says_the_same_of_a_stored_face(store: Path, tmp_path: Path):
    report = kallos.rate(store, "anna", some_ratings(store, 20))
    file = tmp_path / "eye.safetensors"
    assert "eye.safetensors" in kallos_ok("rate", "anna", "--export", file, "--store", store).err
    with safe_open(file, "numpy") as opened:
        about = json.loads(opened.metadata()["kallos"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert (about["rater"], about["rated"], about["format"]) == ("anna", 20, "kallos.one_rater/1")
    with kallos.open_store(store) as opened:
        vectors = opened.frame("SELECT image_id, vector FROM embeddings ORDER BY image_id")
    faces = report.faces.join(vectors, on="image_id", maintain_order="left")
    seen = (faces["vector"].to_numpy() - tensors["centre"]) @ tensors["axes"].T / tensors["spread"]
    design = np.column_stack([np.ones(len(faces)), faces["pool"] - 3, seen])
    scores = (faces["pool"] + design @ tensors["mean"]).clip(1, 5)
    assert scores.to_list() == pytest.approx(faces["score"].to_list(), abs=1e-4)


def test_the_commands_and_the_python_of_the_page(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(store.parent)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n3\n4\nq\n"))
    page = commands("docs/studies/one-rater.md")
    assert [command[0] for command in page] == ["rate", "rate", "rate", "sql", "erase"]
    for command in page:
        kallos_ok(*command)
    text = (ROOT / "docs/studies/one-rater.md").read_text()
    (python,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(python, {})
    assert stored(store)["rating"].to_list() == [4]


def test_a_person_is_erased_and_nobody_else(store: Path):
    kallos.rate(store, "anna schmidt-maier", some_ratings(store, 3))
    kallos.rate(store, "bob", some_ratings(store, 2))
    report = kallos_ok("erase", "--rater", "anna schmidt-maier", "--store", store, "--json").json()
    assert (report["rows"], report["found"], report["photos"]) == ({"personal_ratings": 3}, [], 0)
    assert stored(store)["rater"].to_list() == ["bob", "bob"]
    assert b"schmidt-maier" not in store.read_bytes()
    with kallos.open_store(store) as opened:
        assert opened.frame("SELECT photos, finished FROM erasures").rows() == [(0, True)]
    answer = kallos_command("erase", "--rater", "anna schmidt-maier", "--store", store)
    assert (answer.code, "Nobody called" in answer.err) == (2, True)
    assert kallos_command("erase", "--store", store).code == 2


def test_erasing_a_photo_erases_what_persons_rated_it(store: Path):
    ratings = some_ratings(store, 2)
    kallos.rate(store, "anna", ratings)
    gone, left = ratings
    kallos_ok("erase", gone, "--store", store)
    assert stored(store)["image_id"].to_list() == [left]


def test_ratings_travel_with_an_exported_store(store: Path, tmp_path: Path):
    kallos.rate(store, "anna", some_ratings(store, 2))
    kallos_ok("store", "export", tmp_path / "exported", "--store", store)
    kallos_ok("store", "import", tmp_path / "exported", "--store", tmp_path / "new.duckdb")
    assert stored(tmp_path / "new.duckdb").equals(stored(store))
