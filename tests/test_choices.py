"""Choices made by looking at rows: recorded by every run, found again where its test photos were among the rows."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ensemble.combiner_fit import CombinerConfig
from featurestore import runs, selections
from featurestore.opening import open_store
from featurestore.runs import Run
from featurestore.selections import Choice, Rows, seen_by_choices
from featurestore.store import Store
from kallos.workflows.chosen_defaults import DEFAULTS, choices_behind
from models.registry import ENSEMBLE, MODELS
from models.spec import Options, resolve
from reports.cards.write import cards
from reports.pages import benchmark, compare, evaluation
from reports.stats.choices import caveat
from reports.stats.selection import Selection
from tests.synthetic_store import PROTOCOL, make_store, train_fold

ROOT = Path(__file__).parent.parent
EXPERIMENTS = (ROOT / "docs" / "lab" / "experiments.md").read_text()
ACCURACY = (ROOT / "docs" / "lab" / "accuracy.md").read_text()
ENCODERS = ["mobilenet_v2-12345678", "mobilenetv1_100+tf_efficientnet_lite0-12345678"]
DAY = datetime(2026, 1, 2)


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 48) as opened:
        yield opened


def run_of(model: str, **config: object) -> Run:
    return Run(f"x-1-{model}", model, "x", 1, "none", ENCODERS[1], "m", config, Path("x"))


def default_config(model: str) -> dict[str, object]:
    """The settings that a run of a model has, as its fitter has them for default options."""
    if model == ENSEMBLE:
        return vars(CombinerConfig())
    spec = MODELS[model]
    marks = {"refitted": bool(spec.refitted), "averaged": bool(spec.averaged)}
    return {**resolve(spec.fitter)(Options()).identity, **{name: True for name, holds in marks.items() if holds}}


@pytest.mark.parametrize("default", DEFAULTS, ids=lambda default: f"{default.choice[:40]}, {default.rows}")
def test_what_kallos_says_it_chose_is_what_it_does_and_stands_in_the_log(default):
    for model in default.models:
        assert default_config(model).items() >= dict(default.settings).items(), "the default is another now"
    assert f"## {default.made_on}" in EXPERIMENTS
    figures = re.findall(r"\.\d{3,}", default.effect)
    assert [figure for figure in figures if figure not in EXPERIMENTS + ACCURACY] == []
    assert default.rows.protocol in ("scut-5fold", "demo-5fold")


def test_a_run_with_another_setting_has_not_seen_what_a_default_was_chosen_by():
    def chosen(**config: object) -> set[str]:
        return {choice.choice for choice in choices_behind(run_of("a", **default_config("a") | config), 50)}

    assert {"dropout before the last layer", "a margin of 16 % around the landmarks"} <= chosen()
    assert chosen() - chosen(dropout=0.4) == {"dropout before the last layer"}
    of_another = replace(run_of("quadratic", **default_config("quadratic")), encoder="resnet18-12345678")
    assert not {c.choice for c in choices_behind(of_another, 9)} & {"both networks of the encoder instead of one"}


@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if spec.chosen_by_fit])
def test_what_fits_choose_is_chosen_by_their_own_training_rows(model):
    *_, own = choices_behind(run_of(model), 50)
    assert (own.made_by, own.rows) == ("fit", Rows("x", 1, "train", 50))


def test_a_choice_counts_the_test_photos_that_it_looked_at(store):
    # rows of fold 2's training are those that fold 1 tests; one photo has no face, and 30 were looked at of 24
    (of_a,) = seen_by_choices(store, [f"{PROTOCOL}-1-a-00000001"])
    assert (of_a.models, of_a.seen, of_a.made_on) == (("a",), 24, "2026-01-02")
    (of_b,) = seen_by_choices(store, [f"{PROTOCOL}-1-b-00000003"])
    assert of_b.seen is None, "the store has no other-5fold"
    assert seen_by_choices(store, [f"{PROTOCOL}-1-baseline-00000000"]) == ()


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        (Rows(PROTOCOL, 1, "test", 24), 24),
        (Rows(PROTOCOL, 1, "train", 24), 0),
        (Rows(PROTOCOL, 2, "train", 5), 5),
        (Rows(PROTOCOL, None, "test", 48), 24),
        (Rows("elsewhere", 1, "test", 24), None),
    ],
)
def test_rows_are_told_apart_by_protocol_fold_and_role(store, rows, seen):
    run = runs.load(store, f"{PROTOCOL}-1-baseline-00000000")
    selections.record(store, run, [Choice("x", "kallos", "decided", rows, "PC", None, DAY)])
    assert [choice.seen for choice in seen_by_choices(store, [run.run_id])] == [seen]


def test_a_photo_under_another_name_was_looked_at_too(store):
    store.execute(
        "INSERT INTO images SELECT * REPLACE ('copy/' || image_id AS image_id, 'copy' AS data_set) FROM images"
    )
    store.execute(
        "INSERT INTO splits SELECT 'copy/' || image_id, 'copies', 7, 'train', trait FROM splits WHERE role = 'test'"
    )
    run = runs.load(store, f"{PROTOCOL}-1-baseline-00000000")
    selections.record(store, run, [Choice("x", "kallos", "decided", Rows("copies", 7, "train", 99), "PC", None, DAY)])
    assert [choice.seen for choice in seen_by_choices(store, [run.run_id])] == [24]


def again(store: Store, model: str, name: str) -> Run:
    """One more finished run of a model on fold 1, whose predictions are worse."""
    old = runs.load(
        store,
        next(
            iter(store.frame("SELECT run_id FROM runs WHERE model = $model ORDER BY started_at", model=model)["run_id"])
        ),
    )
    run = replace(old, run_id=name, folder=store.runs_folder / name)
    runs.begin(store, run)
    frame = runs.predictions(store, old.run_id, "test")
    truth = store.frame("SELECT image_id, score AS truth FROM scores").join(frame, on="image_id").sort("image_id")
    noisy = truth["score"].to_numpy() + np.random.default_rng(0).normal(0, 0.5, len(truth))
    runs.record_predictions(store, run, "test", tuple(truth["image_id"]), noisy, truth["truth"].to_numpy())
    runs.finish(store, run, 1.0)
    selections.record(store, run, [])
    return run


def test_several_runs_with_figures_on_the_same_test_photos_are_a_choice_of_each(store):
    run_ids = [f"{PROTOCOL}-1-baseline-00000000"]
    for number, name in enumerate(("second", "third"), start=2):
        run_ids.append(again(store, "baseline", name).run_id)
        for run_id in run_ids:
            (choice,) = seen_by_choices(store, [run_id])
            assert (choice.choice, choice.made_by) == (f"which of {number} runs of baseline to keep", "runs")
            assert choice.seen == choice.row_count == 24
    pearson = store.frame(
        "SELECT min(pearson), max(pearson) FROM runs JOIN evaluations USING (run_id) WHERE model = 'baseline' AND role = 'test'"
    ).row(0)
    assert choice.effect == "{:.2f} to {:.2f}".format(*pearson)
    runs.begin(store, runs.load(store, "third"))
    assert store.value("SELECT count(*) FROM selections WHERE run_id = 'third'") == 0, "a run that is made again"


def test_cards_and_reports_say_what_was_looked_at(store):
    train_fold(store, 2, np.random.default_rng(1))
    of_a, of_b = (cards(store, f"{PROTOCOL}-1-{run}")["MODEL_CARD.md"] for run in ("a-00000001", "b-00000003"))
    assert "looked at up to 24 of its 24 test photos" in of_a
    assert (
        "| epochs | a | 30 of made-up-2fold, fold 2, train | 2026-01-02 | PC | .80 to .81 | decided | up to 24 |"
        in of_a
    )
    assert "No choice on record is known to have looked at one of its 24 test photos." in of_b
    assert "1 choice behind this model, the last of 2026-01-03, looked at photos of other-5fold" in of_b
    store.execute("DELETE FROM selections")
    assert "No choice is on record" in cards(store, f"{PROTOCOL}-1-a-00000001")["MODEL_CARD.md"]


def test_reports_count_test_photos_that_choices_looked_at(store):
    train_fold(store, 2, np.random.default_rng(1))
    assert evaluation.data(store, Selection(protocol=PROTOCOL, fold=1)).seen == 24
    assert compare.data(store, Selection(protocol=PROTOCOL, fold=1)).seen == 24
    # of fold 2's test photos none was looked at
    assert evaluation.data(store, Selection(protocol=PROTOCOL, fold=2)).seen == 0
    assert benchmark.data(store, Selection(protocol=PROTOCOL)).seen == 24
    assert caveat(0, 24) is None
    assert "up to 24 of the 48 test photos" in caveat(24, 48)


def test_every_trained_run_records_the_choices_behind_it(workspace):
    with open_store(workspace.store, read_only=True) as opened:
        finished = opened.frame("SELECT run_id, model FROM runs WHERE status = 'done'").rows()
        for run_id, model in finished:
            run = runs.load(opened, run_id)
            rows = opened.value("SELECT row_count FROM manifests WHERE manifest_id = $id", id=run.manifest_id)
            expected = {(c.choice, c.rows, c.made_by, c.basis) for c in choices_behind(run, rows)}
            recorded = opened.frame(
                "SELECT choice, protocol, fold, role, row_count, made_by, basis FROM selections "
                "WHERE run_id = $id AND made_by <> 'runs'",
                id=run_id,
            )
            assert {(c, Rows(p, f, r, n), m, b) for c, p, f, r, n, m, b in recorded.iter_rows()} == expected
            assert len(recorded) == len(expected), model
