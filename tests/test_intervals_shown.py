"""Prediction intervals in the store, on the command line, on the page and on the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from ensemble.bundle import open_bundle
from ensemble.combiner_fit import CombinerConfig, combine_out_of_fold
from ensemble.intervals import Intervals
from featurestore import runs
from featurestore.calibration import FEWEST, LEVEL
from featurestore.opening import open_store
from featurestore.training_sets import _parts
from kallos.web.api import application
from kallos.web.service import Service
from reports.cards.write import cards
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.hostile.bundles import copy_of, right, set_json
from tests.synthetic_store import make_store


def test_the_store_has_the_ensembles_out_of_fold_scores_by_combiners_without_the_row(workspace: Workspace):
    with open_store(workspace.store, read_only=True) as store:
        protocol, fold = store.frame("SELECT protocol, fold FROM runs WHERE model = 'ensemble'").row(0)
        run = runs.load(store, runs.latest(store, protocol, fold)["ensemble"])
        members = {
            model: runs.predictions(store, run_id, "out_of_fold")["score"].to_numpy()
            for model, run_id in run.config["members"].items()
        }
        stored = runs.predictions(store, run.run_id, "out_of_fold")
        truth = dict(store.frame("SELECT image_id, score FROM scores").iter_rows())
        truth = np.array([truth[image_id] for image_id in stored["image_id"]])
        part = _parts(store, protocol, fold, tuple(stored["image_id"]))
        calibrations = runs.calibrations(store, run.run_id)
    out_of_fold = combine_out_of_fold(members, truth, part, CombinerConfig())
    assert stored["score"].to_numpy() == pytest.approx(out_of_fold, abs=1e-6)
    assert calibrations == Intervals.load(run.folder).by_subset()
    scores = np.array(calibrations[None].scores)
    inside = np.abs(out_of_fold - truth) <= np.interp(out_of_fold, scores, calibrations[None].half_widths)
    assert inside.mean() == pytest.approx(LEVEL, abs=0.06)


@pytest.fixture(scope="module")
def without(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace's bundle as if it had been trained on 24 photos."""
    bundle = copy_of(workspace.bundle, tmp_path_factory.mktemp("few") / "bundle")
    few = {"": {"n": 24, "bias": 0.0, "scores": [], "half_widths": []}}
    set_json("ensemble/intervals.json", "calibrations", value=few)(bundle)
    right(bundle)
    return bundle


REMARK = f"The score has no interval: that takes {FEWEST} training photos, and there are 24."


def test_a_prediction_without_an_interval_says_why(workspace: Workspace, without: Path, tmp_path: Path):
    command = ("score", workspace.portrait, "--bundle", without, "--overlay", tmp_path / "drawn")
    text = " ".join(kallos_ok(*command).out.replace("│", " ").split())
    assert "90 % interval –, for" in text
    assert f"! {REMARK}" in text
    (predicted,) = kallos_ok(*command, "--json").json()["predictions"]
    assert (predicted["low"], predicted["high"], predicted["own_scale"]["low"]) == (None, None, None)
    assert REMARK in predicted["notes"]
    kallos_ok("score", workspace.portrait, "--bundle", without, "--csv", tmp_path / "p.csv")
    (row,) = pl.read_csv(tmp_path / "p.csv").to_dicts()
    assert (row["low"], row["own_high"]) == (None, None)
    assert REMARK in row["remarks"]


def test_an_explanation_and_the_page_without_an_interval_say_so(workspace: Workspace, without: Path):
    text = " ".join(
        kallos_ok("explain", workspace.portrait, "--bundle", without, "--store", workspace.store).out.split()
    )
    assert ", no 90 % interval" in text
    assert REMARK in text
    assert "orange" not in text
    photo = {"photo": workspace.portrait.read_bytes()}
    with Service(open_bundle(without), None, "# A card") as service, TestClient(application(service)) as client:
        shown = client.post("/answer", files=photo).text
        (answer,) = client.post("/predict", files=photo).json()["answers"]
    assert REMARK in shown
    assert 'class="interval"' not in shown
    assert "in nine cases of ten" not in shown
    assert (answer["low"], answer["high"]) == (None, None)
    assert REMARK in answer["notes"]


def test_the_card_of_a_run_without_intervals_says_how_many_rows_they_take(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 48) as store:
        run_id = store.value("SELECT min(run_id) FROM intervals")
        store.execute("UPDATE intervals SET n = 24, scores = [], half_widths = [] WHERE subset IS NULL")
        store.execute("UPDATE predictions SET low = NULL, high = NULL")
        card = cards(store, run_id)["MODEL_CARD.md"]
    section = card.split("## How sure a score is")[1].split("\n## ")[0]
    assert f"Not known: intervals take {FEWEST} training rows, and there are 24." in section
