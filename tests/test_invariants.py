"""`kallos doctor --deep`: a sound store passes, and every invariant notices the one thing that breaks it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from featurestore.opening import open_store
from featurestore.upkeep import invariants
from featurestore.upkeep.invariants import INVARIANTS, examine_deeply
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace

AGAIN = "INSERT INTO {0} FROM {0} LIMIT 1"
ORPHAN = "UPDATE {} SET {} = 'nobody' WHERE rowid = (SELECT min(rowid) FROM {})"
BREAKING = {
    "an image has one row": AGAIN.format("images"),
    "an image is of a data set": "DELETE FROM data_sets",
    "a data set lies somewhere": "DELETE FROM locations",
    "an image has one score at most on a trait": AGAIN.format("scores"),
    "a data set has one scale of a trait": "INSERT INTO traits VALUES ('demo', 'score', 1, 7)",
    "a trait is of a data set": "INSERT INTO traits VALUES ('nobody', 'score', 1, 7)",
    "an attribute is of an image": "INSERT INTO image_attributes VALUES ('demo/nobody', 'age', '30')",
    "a rater has one value of an attribute": "INSERT INTO rater_attributes SELECT 'demo', 'r', 'age', n FROM range(2) t(n)",
    "ratings are on the scale of their trait": "UPDATE ratings SET rating = 6 WHERE rowid = 0",
    "a protocol is about one trait": "UPDATE splits SET trait = 'other' WHERE rowid = 0",
    "a finished run names its trait": "UPDATE runs SET trait = NULL WHERE model = 'b'",
    "a score is of an image": ORPHAN.format("scores", "image_id", "scores"),
    "scores are on the scale": "UPDATE scores SET score = 5.5 WHERE rowid = (SELECT min(rowid) FROM scores)",
    "a rater rates an image on a trait once in a session": AGAIN.format("ratings"),
    "a person rates an image on a trait once": (
        "INSERT INTO personal_ratings SELECT 'demo/P0001.jpg', 'anna', 'score', 3, now() FROM range(2)"
    ),
    "ratings of persons are on the scale of their trait": (
        "INSERT INTO personal_ratings SELECT image_id, 'anna', trait, 99, now() FROM scores LIMIT 1"
    ),
    "a rating is of an image": ORPHAN.format("ratings", "image_id", "ratings"),
    "an image has one role in a fold": AGAIN.format("splits"),
    "scale_maps are of a run": "INSERT INTO scale_maps (run_id) VALUES ('nobody')",
    "a role is of an image": ORPHAN.format("splits", "image_id", "splits"),
    "the ledger has one line a try": AGAIN.format("attempts"),
    "an extractor has one active version": "UPDATE extractor_versions SET active = false WHERE extractor = 'skin'",
    "a run has one row": AGAIN.format("runs"),
    "a run names its training set": "DELETE FROM manifests",
    "a training set names its statistics": "DELETE FROM statistics",
    "a run has one verdict for the raters of a data set": "INSERT INTO validations (run_id) SELECT 'r' FROM range(2)",
    "a run has one prediction of an image and role": AGAIN.format("predictions"),
    "a finished run has its figures": "DELETE FROM evaluations",
    "figures are those of the predictions": "UPDATE evaluations SET mae = mae + 0.001 WHERE role = 'test'",
    "a photo is normalised once by a fold's statistics": AGAIN.format("normalized_values"),
    "photos are normalised by current statistics": ORPHAN.format(
        "normalized_values", "statistics_id", "normalized_values"
    ),
    "weights sum to one": "UPDATE sub_score_weights SET weight = 0.9 WHERE region = 'nose'",
} | {
    f"{table} are of a run": ORPHAN.format(table, "run_id", table)
    for table in (
        "training_history", "predictions", "evaluations", "sub_scores", "sub_score_weights", "combiners",
        "combined_members", "intervals", "selections"
    )
} | {
    f"{table} are on traits of their data set": f"UPDATE {table} SET trait = 'other' WHERE rowid = 0"
    for table in ("scores", "ratings", "splits")
}  # fmt: skip


@pytest.fixture
def copy(workspace: Workspace, tmp_path: Path) -> Path:
    shutil.copytree(workspace.store.with_suffix(".runs"), tmp_path / "kallos.runs")
    return Path(shutil.copy(workspace.store, tmp_path))


def test_a_sound_store_is_well_in_depth(workspace: Workspace):
    parts = kallos_ok("doctor", "--deep", "--json", "--store", workspace.store).json()["parts"]
    assert {symptom["state"] for symptom in parts["Store, in depth"] + parts["Trained models"]} == {"ok"}


def test_every_invariant_is_broken_below():
    assert set(BREAKING) == {invariant.what for invariant in INVARIANTS}


@pytest.mark.parametrize("what", BREAKING)
def test_what_is_broken_is_noticed(what: str, copy: Path, monkeypatch: pytest.MonkeyPatch):
    with open_store(copy) as store:
        store.execute(BREAKING[what])
    # what else is broken by it does not matter
    monkeypatch.setattr(invariants, "INVARIANTS", [invariant for invariant in INVARIANTS if invariant.what == what])
    assert what in {symptom.what for symptom in examine_deeply(copy) if symptom.state != "ok"}


@pytest.mark.parametrize(
    ("change", "state"),
    [("UPDATE {} SET z_scores = z_scores[2:] || [0.0] WHERE {}", "fail"), ("DELETE FROM {} WHERE {}", "warn")],
)
def test_normalised_features_that_raw_ones_do_not_give_or_that_are_missing_are_noticed(copy: Path, change, state):
    with open_store(copy) as store:
        store.execute(change.format("normalized_values", "rowid = (SELECT min(rowid) FROM normalized_values)"))
    (found,) = [symptom for symptom in examine_deeply(copy) if symptom.what == "normalised features"]
    assert (found.state, found.message.partition(" ")[0]) == (state, "1")


def test_photos_that_moved_or_changed_and_models_that_are_damaged_are_noticed(copy: Path, workspace: Workspace):
    photos = copy.parent / "photos"
    shutil.copytree(workspace.portraits / "images", photos)
    first, second = sorted(photos.iterdir())[:2]
    first.unlink()
    second.write_bytes(b"another")
    with open_store(copy) as store:
        store.execute("UPDATE locations SET root = $root", root=str(photos))
        run = store.value("SELECT folder FROM runs WHERE model = 'ensemble'")
    for damaged in (copy.with_suffix(".runs") / run).glob("*.json"):
        damaged.write_text("{")
    answer = kallos("doctor", "--deep", "--store", copy)
    assert answer.code == 11
    assert "1 of 120 are not where they were, 1 have changed" in " ".join(answer.out.split())
    assert run in answer.err
