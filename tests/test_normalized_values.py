"""Stored normalised features: by each fold's training rows alone, never out of date, and gone with the photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from extractors.outputs import Field, Output
from featurestore import normalization, normalization_statistics, normalized_values
from featurestore.ingest.dataset import DataSet
from featurestore.opening import open_store
from featurestore.outputs import active_versions, feature_versions
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.upkeep.compacting import compact
from featurestore.versions import activate, forget, register
from kallos.importers.registry import IMPORTERS
from kallos.workflows import ingest
from tests.synthetic_store import DATA_SET, PROTOCOL, content, make_store

IMAGES = 79
"""With features: the last image of 80 has no face."""


def test_statistics_of_some_features_have_their_numbers_in_the_order_of_the_store():
    numbers = np.arange(4.0)
    whole = normalization.Normalization(
        name="p/1",
        features=("a", "b", "averageness", "c"),
        regions=("eyes", "nose", "symmetry", "lips"),
        mean=numbers,
        sd=numbers + 1,
        mean_shape=np.zeros(6, dtype=np.float32),
    )
    some = whole.only(("c", "a"))
    assert some.features == ("a", "averageness", "c")
    assert some.regions == ("eyes", "symmetry", "lips")
    assert some.mean.tolist() == [0, 2, 3]
    assert some.sd.tolist() == [1, 3, 4]


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", trained=False) as opened:
        normalization_statistics.fit(opened)
        yield opened


def rows(store: Store) -> pl.DataFrame:
    return store.frame("FROM normalized_values ORDER BY statistics_id, sha256")


def by_hand(store: Store, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Raw features and averageness of every image less the mean of the training rows, by their sd; and what is seen."""
    role = "SELECT image_id FROM splits SEMI JOIN scores USING (image_id, trait) WHERE fold = $fold AND role = 'train'"
    raw = store.frame("FROM geometric_features JOIN shapes USING (image_id) ORDER BY image_id")
    trained = raw["image_id"].is_in(store.frame(role, fold=fold)["image_id"].implode()).to_numpy()
    shapes = raw["shape"].to_numpy().astype(np.float64)
    distance = np.linalg.norm(shapes - np.float32(shapes[trained].mean(axis=0)), axis=1)
    values = np.column_stack([raw.drop("image_id", "shape").to_numpy(), distance])
    expected = (values - np.nanmean(values[trained], axis=0)) / np.nanstd(values[trained], axis=0)
    seen = store.frame(
        "SELECT * EXCLUDE (normalization, image_id) FROM normalized_features WHERE normalization = $name ORDER BY image_id",
        name=f"{PROTOCOL}/{fold}",
    )
    return expected, seen.to_numpy()


@pytest.mark.parametrize("fold", [1, 2])
def test_every_value_is_by_the_statistics_of_the_folds_training_rows(store, fold):
    expected, seen = by_hand(store, fold)
    assert seen.shape == (IMAGES, 10)
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)


def test_a_stored_row_is_bit_for_bit_what_one_photo_alone_gives(store):
    fold = training_set(store, PROTOCOL, 1)
    for row in (0, 7, 38):
        raw = store.frame("FROM geometric_features WHERE image_id = $id", id=fold.train.image_ids[row]).drop("image_id")
        alone = fold.normalization.transform(raw.to_numpy(), fold.train.shapes[[row]])
        assert np.array_equal(alone[0], fold.train.features[row], equal_nan=True)


def test_fitting_again_writes_nothing(store):
    before = store.frame("SELECT rowid, * FROM normalized_values")
    assert len(before) == 2 * IMAGES
    normalization_statistics.fit(store)
    assert store.frame("SELECT rowid, * FROM normalized_values").equals(before, null_equal=True)


def test_rows_that_are_missing_are_added_alone_and_the_fold_is_not_fresh_meanwhile(store):
    before, versions = rows(store), feature_versions(active_versions(store))
    last = store.value("SELECT max(rowid) FROM normalized_values")
    assert normalization_statistics.fresh(store, versions) == {(PROTOCOL, 1), (PROTOCOL, 2)}
    store.execute("DELETE FROM normalized_values WHERE sha256 = $s", s=content("made-up/0000.png"))
    assert normalization_statistics.fresh(store, versions) == set()
    normalization_statistics.fit(store)
    assert rows(store).equals(before)
    assert store.value("SELECT count(*) FROM normalized_values WHERE rowid > $last", last=last) == 2


def test_a_photo_that_changes_role_is_normalised_by_the_new_training_rows_alone(store):
    old = set(store.frame("SELECT statistics_id FROM statistics WHERE current")["statistics_id"])
    store.execute("UPDATE splits SET role = if(role = 'test', 'train', 'test') WHERE image_id < 'made-up/0011'")
    normalization_statistics.fit(store)
    assert not old & set(rows(store)["statistics_id"])
    for fold in (1, 2):
        expected, seen = by_hand(store, fold)
        np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)


def test_ingesting_other_roles_leaves_no_value_by_what_is_a_test_row_now(store):
    frames = {name: store.frame(f"FROM {name}") for name in ("images", "scores", "ratings")}
    role = pl.when(pl.col("image_id") < "made-up/0011").then(pl.lit("test")).otherwise(pl.lit("train"))
    splits = store.frame("FROM splits WHERE fold = 1").with_columns(role=role)
    root = store.path.with_suffix(".photos")
    read = DataSet(
        DATA_SET, root, {"score": (1, 5)}, "", findings=store.frame("FROM findings"), splits=splits, **frames
    )
    store.close()
    ingest._stored(IMPORTERS["table"], read, store.path)
    with open_store(store.path, read_only=True) as again:
        expected, seen = by_hand(again, 1)
        np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)
        assert again.frame("SELECT DISTINCT normalization FROM normalized_features").rows() == [(f"{PROTOCOL}/1",)]


def test_another_version_of_the_features_replaces_the_rows_and_going_back_brings_them_back(store):
    before = rows(store)
    older = store.value("SELECT table_name FROM extractor_versions WHERE extractor = 'geometry'")
    newer = Output("geometry", "geometric_features", "made up", (Field("jaw_width", "float64", "made up"),), 2)
    with store.transaction():
        register(store, [newer])
        store.execute(f'INSERT INTO "{newer.table_name}" SELECT sha256, features[5:5]::DOUBLE[1] FROM "{older}"')
        activate(store, [("geometry", newer.version)])
    assert store.value("SELECT count(*) FROM normalized_features") == 0, "of other versions"
    normalization_statistics.fit(store)
    assert len(store.frame("FROM normalized_features").columns) == 2 + 4
    assert set(rows(store)["z_scores"].list.len()) == {4}
    with store.transaction():
        activate(store, [("geometry", before_version(store, newer.version))])
    normalization_statistics.fit(store)
    assert rows(store).equals(before)


def before_version(store: Store, newer: str) -> str:
    return str(
        store.value("SELECT version FROM extractor_versions WHERE extractor = 'geometry' AND version <> $v", v=newer)
    )


def test_values_go_with_those_that_they_were_made_of(store):
    photo = content("made-up/0001.png")
    with store.transaction():
        forget(store, pl.Series([photo]))
    assert photo not in rows(store)["sha256"].to_list()
    store.execute("DELETE FROM images WHERE image_id = 'made-up/0002.png'")
    store.close()
    compact(store.path)
    with open_store(store.path, read_only=True) as again:
        assert len(rows(again)) == 2 * (IMAGES - 2)
        assert content("made-up/0002.png") not in rows(again)["sha256"].to_list()


def test_what_was_fitted_on_a_fold_that_is_no_more_is_not_current(store):
    store.execute("DELETE FROM splits WHERE fold = 2")
    normalization_statistics.fit(store)
    assert [name for name, *_ in store.frame("SELECT normalization FROM statistics WHERE current").rows()] == [
        f"{PROTOCOL}/1"
    ]
    assert len(rows(store)) == IMAGES


def test_a_value_that_its_raw_features_do_not_give_is_counted(store):
    (first, second) = normalized_values.shown(store)
    store.execute("UPDATE normalized_values SET z_scores = z_scores[2:] || [0.0] WHERE rowid < 3")
    assert normalized_values.differing(store, first) + normalized_values.differing(store, second) == 3
    fitted = normalization.read(store, first)
    assert normalized_values.read(store, first, len(fitted.features))[1].shape == (IMAGES, 10)


@pytest.mark.parametrize("wrong", ["z_scores[1] + 1", "'NaN'::DOUBLE"])
def test_one_wrong_value_of_a_row_is_enough_to_be_counted(store, wrong):
    first, _ = normalized_values.shown(store)
    store.execute(
        f"UPDATE normalized_values SET z_scores = [{wrong}] || z_scores[2:] "
        "WHERE statistics_id = $id AND sha256 = $photo",
        id=first,
        photo=content("made-up/0000.png"),
    )
    assert normalized_values.differing(store, first) == 1
