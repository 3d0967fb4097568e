"""Rows of the role val: a training may watch them and learns nothing from them; test rows are never watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from featurestore.errors import LeakageError
from featurestore.records import Evaluation, FaceBatch
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from featurestore.training_sets import training_set
from kallos.workflows.cross_fit import FITS, CrossFit
from kallos.workflows.fold import Fold
from kallos.workflows.progress import ignore
from models.baseline.inputs import BaselineConfig
from models.baseline.ridge import RidgeModel, train_ridge
from models.loading import load_model
from models.registry import MODELS
from models.spec import Listener, Options, PlainFitter, resolve
from tests.synthetic_store import PROTOCOL, TRAIT, make_store, read_photos

VAL = tuple(f"made-up/{i:04d}.png" for i in range(1, 17, 2))


class Spy(PlainFitter):
    """Fits a ridge regression, whatever the model, and remembers the ids that it was given."""

    def __init__(self) -> None:
        super().__init__({"seed": 0})
        self.seen: list[tuple[set[str], set[str]]] = []

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, _: Mapping[str, Any]) -> RidgeModel:
        self.seen.append((set(train.image_ids), set(held_out.image_ids)))
        return train_ridge(train, held_out, BaselineConfig(), listener.on_epoch)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read_photos(monkeypatch)
    with make_store(tmp_path / "s.duckdb", trained=False) as opened:
        yield opened


def give_val_rows(store: Store) -> None:
    """Fold 1 has eight of its training rows as val."""
    store.execute("UPDATE splits SET role = 'val' WHERE fold = 1 AND list_contains($ids, image_id)", ids=list(VAL))


def cross_fit(store: Store, model: str, fold: int, protocol: str = PROTOCOL) -> tuple[Fold, Spy]:
    chosen, spy = Fold(store, protocol, fold, None, ignore), Spy()
    # a ridge regression has no sub-scores
    CrossFit(chosen, replace(MODELS[model], regions=None), spy).train()
    return chosen, spy


def test_val_rows_are_a_part_of_a_training_set_and_of_no_other(store):
    before = training_set(store, PROTOCOL, 1)
    assert len(before.val) == 0
    give_val_rows(store)
    rows = training_set(store, PROTOCOL, 1)
    assert rows.val.image_ids == VAL
    assert rows.train.image_ids == tuple(i for i in before.train.image_ids if i not in VAL)
    assert rows.test.image_ids == before.test.image_ids
    assert np.isfinite(rows.val.scores).all()


def test_nothing_that_is_learnt_from_depends_on_val_rows(store):
    give_val_rows(store)
    before = training_set(store, PROTOCOL, 1)
    table = store.value("SELECT table_name FROM extractor_versions WHERE extractor = 'geometry'")
    val = "(SELECT sha256 FROM images WHERE list_contains($ids, image_id))"
    store.execute(f'UPDATE "{table}" SET features = [9, 9, 9, 9, 9, 9, 9] WHERE sha256 IN {val}', ids=list(VAL))
    store.execute("UPDATE scores SET score = 1 WHERE list_contains($ids, image_id)", ids=list(VAL))
    store.execute("DELETE FROM normalized_values")
    after = training_set(store, PROTOCOL, 1)
    assert after.manifest_id == before.manifest_id
    assert np.array_equal(after.train.features, before.train.features, equal_nan=True)
    assert not np.array_equal(after.val.features, before.val.features, equal_nan=True)


@pytest.mark.parametrize("model", MODELS)
def test_a_fit_is_watched_on_val_rows_and_on_nothing_else(store, model):
    give_val_rows(store)
    fold, spy = cross_fit(store, model, 1)
    assert len(spy.seen) == fold.rows.part.max() + MODELS[model].refitted
    for learnt, watched in spy.seen:
        assert watched == set(VAL)
        assert learnt <= set(fold.rows.train.image_ids)
    predicted = store.frame("SELECT DISTINCT role, image_id FROM predictions")
    assert not set(predicted["image_id"]) & set(VAL)


def test_without_val_rows_a_fit_is_watched_on_the_rows_that_it_leaves_out(store):
    fold, spy = cross_fit(store, "baseline", 1)
    train = set(fold.rows.train.image_ids)
    assert all(watched == train - learnt for learnt, watched in spy.seen)
    assert len(spy.seen) == fold.rows.part.max()


@pytest.mark.parametrize("model", ["baseline", "ridge", "b-features"])
def test_the_history_of_a_model_is_its_error_on_val_rows(store, model):
    give_val_rows(store)
    fold = Fold(store, PROTOCOL, 1, None, ignore)
    CrossFit(fold, MODELS[model], resolve(MODELS[model].fitter)(Options())).train()
    recorded = store.frame("SELECT max_by(mae, epoch) AS mae FROM training_history GROUP BY part ORDER BY mae")["mae"]
    val, expected = fold.rows.val, []
    for folder in (store.runs_folder / FITS).iterdir():
        predicted = MODEL_SCALE.clip(load_model(folder).predict(val))
        expected.append(Evaluation.from_scores(val.scores, predicted).mae)
    # the fit on all rows, where there is one, is recorded nowhere
    assert all(np.isclose(expected, mae, rtol=1e-4).any() for mae in recorded)
    assert len(recorded) == fold.rows.part.max()


def test_folds_that_share_a_fit_do_not_share_what_it_is_watched_on(store):
    """The fit without folds 1 and 2 serves both; in fold 1 it is watched on what fold 2 is tested on."""
    ids = store.frame("SELECT image_id FROM images ORDER BY image_id")["image_id"]
    for fold in range(1, 6):
        roles = ["test" if i % 5 + 1 == fold else "train" for i in range(len(ids))]
        rows = {"image_id": ids, "trait": TRAIT, "protocol": "five", "fold": fold, "role": roles}
        store.append("splits", pl.DataFrame(rows))
    fits = 0
    for number in (1, 2):
        fold, spy = cross_fit(store, "a", number, "five")
        fits += len(spy.seen)
        out_of_fold = store.frame(
            "SELECT p.score, s.score AS truth FROM predictions p JOIN scores s USING (image_id) JOIN runs USING (run_id) "
            "WHERE role = 'out_of_fold' AND fold = $fold ORDER BY image_id",
            fold=number,
        )
        errors = (out_of_fold["score"] - out_of_fold["truth"]).abs().to_numpy()
        history = store.frame(
            "SELECT part, mae FROM training_history JOIN runs USING (run_id) WHERE fold = $fold ORDER BY part",
            fold=number,
        )
        assert history["part"].to_list() == [1, 2, 3, 4]
        assert history["mae"].to_numpy() == pytest.approx([errors[fold.rows.part == p].mean() for p in range(1, 5)])
    assert fits == 7


def test_a_photo_that_is_both_watched_and_learnt_from_is_refused(store):
    """Under two names: its bytes are what counts."""
    give_val_rows(store)
    store.execute(
        "INSERT INTO images BY NAME SELECT * REPLACE ('made-up/copy.png' AS image_id) FROM images WHERE image_id = $id",
        id=VAL[0],
    )
    split = {"image_id": ["made-up/copy.png"], "trait": [TRAIT], "protocol": [PROTOCOL], "fold": [1], "role": ["train"]}
    store.append("splits", pl.DataFrame(split))
    with pytest.raises(LeakageError, match=r"made-up/copy.png and made-up/0001.png.*train and val"):
        training_set(store, PROTOCOL, 1)
