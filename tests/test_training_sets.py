"""Training sets: the rows are those of the fold, statistics see training rows only, and the pin is stable."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import kallos
from extractors.outputs import Field, Output
from featurestore import normalization_statistics
from featurestore.errors import LeakageError, PrerequisiteError, UsageError
from featurestore.normalization import averageness
from featurestore.opening import open_store
from featurestore.outputs import active_versions
from featurestore.planning import from_pixels_todo
from featurestore.store import Store
from featurestore.training_rows import Rows, _shares
from featurestore.training_sets import PARTS, Manifest, folds_of, training_set
from featurestore.versions import activate, register
from tests.synthetic_store import FEATURES, PROTOCOL, TRAIT, content, make_store


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        yield store


def test_rows_and_columns_are_those_of_the_store(store):
    recipe = """json_merge_patch(recipe, '{"parameters": {"networks": [3, 5]}}')"""
    store.execute(f"UPDATE extractor_versions SET recipe = {recipe} WHERE extractor = 'embedding:tiny'")
    fold = training_set(store, PROTOCOL, 1)
    assert fold.train.networks == (3, 5)
    assert fold.train.region_embeddings.keys() == {"eyes"}
    versions = json.loads(store.value("SELECT versions FROM manifests"))
    assert versions == {name: version for name, version in active_versions(store).items() if name != "fingerprint"}
    assert (len(fold.train), len(fold.test)) == (39, 40)  # the last image has no face
    assert fold.train.feature_names == (*FEATURES["geometry"], *FEATURES["skin"], "averageness")
    assert fold.train.feature_regions[-3:] == ("skin", "skin", "symmetry")
    assert fold.encoder == "tiny"
    for batch in (fold.train, fold.test):
        stored = store.frame("SELECT * FROM scores JOIN shapes USING (image_id) JOIN embeddings USING (image_id)")
        row = stored.row(by_predicate=pl.col("image_id") == batch.image_ids[3], named=True)
        assert batch.scores[3] == row["score"]
        assert np.array_equal(batch.shapes[3], np.float32(row["shape"]))
        assert np.array_equal(batch.embeddings[3], np.float32(row["vector"]))


def test_z_scores_are_of_the_training_rows_only(store):
    fold = training_set(store, PROTOCOL, 1)
    assert np.allclose(np.nanmean(fold.train.features, axis=0), 0, atol=1e-9)
    assert np.allclose(np.nanstd(fold.train.features, axis=0), 1)
    assert not np.allclose(np.nanmean(fold.test.features, axis=0), 0, atol=1e-3)
    mean_shape = fold.train.shapes.astype(np.float64).mean(axis=0).astype(np.float32)
    assert np.array_equal(fold.normalization.mean_shape, mean_shape)


def test_changing_test_rows_changes_nothing_that_is_learnt_from(store):
    before = training_set(store, PROTOCOL, 1)
    table = next(t for t in store.frame("SELECT table_name FROM extractor_versions")["table_name"] if "geometry" in t)
    store.execute(
        f"""UPDATE "{table}" SET features = list_concat([1000.0], features[2:])::DOUBLE[7] WHERE sha256 IN
            (SELECT sha256 FROM splits JOIN images USING (image_id) WHERE fold = 1 AND role = 'test')"""
    )
    store.execute(
        "UPDATE scores SET score = 1 WHERE image_id IN (SELECT image_id FROM splits WHERE fold = 1 AND role = 'test')"
    )
    after = training_set(store, PROTOCOL, 1)
    assert after.manifest_id == before.manifest_id
    assert np.array_equal(after.normalization.mean, before.normalization.mean)
    assert np.array_equal(after.train.features, before.train.features, equal_nan=True)
    assert np.array_equal(after.train.scores, before.train.scores)


def test_changing_a_training_label_changes_the_manifest(store):
    before = training_set(store, PROTOCOL, 1).manifest_id
    store.execute("UPDATE scores SET score = 1.5 WHERE image_id = 'made-up/0001.png'")
    assert training_set(store, PROTOCOL, 1).manifest_id != before


def test_what_is_pinned_has_the_same_ids_and_hashes_in_every_version_of_kallos():
    """Stores know their training sets, statistics and rows by them."""
    assert Manifest("p", 1, "SELECT", "{}", 2, "r", "v", "s", ["f"]).manifest_id == "f663d8238c1f"
    assert normalization_statistics._statistics_id(("p", 1), "v", pl.Series(["aa", "bb"])) == "006335ff5a27"
    ones = np.ones((2, 3), np.float32)
    histograms = np.array([[0.5, 0.5], [np.nan, np.nan]])
    rows = Rows(
        ("i/1", "i/2"), ("aa", "bb"), np.array([1.5, 2.0]), histograms, np.ones((2, 3)), ones, ones, {"eyes": ones}
    )
    assert rows.row_hash.startswith("94a9fe898a4f0f63")
    assert rows.value_hash.startswith("65b42434f0f6887a")


def test_normalised_table_holds_what_models_see(store):
    fold = training_set(store, PROTOCOL, 2)
    rows = store.frame(
        "SELECT * FROM normalized_features WHERE normalization = 'made-up-2fold/2' AND image_id = $image_id",
        image_id=fold.test.image_ids[0],
    )
    seen = rows.select(fold.test.feature_names).to_numpy()[0]
    assert np.array_equal(seen, fold.test.features[0], equal_nan=True)


def test_a_fold_without_usable_training_rows_is_refused(store):
    store.execute("DELETE FROM scores")
    with pytest.raises(PrerequisiteError, match="has 0 usable training rows"):
        training_set(store, PROTOCOL, 1)


def in_folds(store: Store, number: int) -> dict[str, int]:
    """Add a protocol `many` of so many folds; returns image -> the fold that it is tested in."""
    ids = store.frame("SELECT image_id FROM images ORDER BY image_id")["image_id"]
    folds = np.arange(len(ids)) % number + 1
    for fold in range(1, number + 1):
        roles = ["test" if own == fold else "train" for own in folds]
        rows = {"image_id": ids, "trait": TRAIT, "protocol": "many", "fold": fold, "role": roles}
        store.append("splits", pl.DataFrame(rows))
    return dict(zip(ids, folds, strict=True))


@pytest.mark.parametrize("others", [[1, 3, 4, 5], [1, 3, 4]])
def test_parts_are_the_other_folds_where_their_test_rows_make_up_the_training_rows(store, others):
    fold_of = in_folds(store, 1 + len(others))
    fold = training_set(store, "many", 2)
    assert [others[part - 1] for part in fold.part] == [fold_of[image_id] for image_id in fold.train.image_ids]
    # unless one of them is tested nowhere
    store.execute("DELETE FROM splits WHERE protocol = 'many' AND role = 'test' AND image_id = 'made-up/0000.png'")
    again = training_set(store, "many", 2)
    assert not np.array_equal(again.part, fold.part)
    assert again.part.max() == PARTS


def test_two_other_folds_are_too_few_for_parts(store):
    in_folds(store, 3)
    assert training_set(store, "many", 2).part.max() == PARTS
    assert folds_of(store, "many") == [1, 2, 3]
    store.execute("DELETE FROM splits WHERE protocol = 'many' AND fold > 1")
    assert folds_of(store, "many") == [1]


def test_parts_are_drawn_by_a_hash_of_the_id_otherwise(store):
    fold = training_set(store, PROTOCOL, 1)
    assert set(fold.part) == set(range(1, PARTS + 1))
    assert fold.part[:6].tolist() == [3, 3, 1, 2, 4, 4]
    store.execute("DELETE FROM splits WHERE image_id = $id", id=fold.train.image_ids[0])
    assert np.array_equal(training_set(store, PROTOCOL, 1).part, fold.part[1:])


def test_histograms_of_any_scale_are_shares_on_one_to_five(store):
    batch = training_set(store, PROTOCOL, 1).train
    assert batch.histograms @ np.arange(1, 6) == pytest.approx(batch.scores)
    ten = "UPDATE scores SET histogram = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0] WHERE image_id = $id"
    store.execute(ten, id=batch.image_ids[0])
    store.execute("UPDATE scores SET histogram = NULL WHERE image_id = $id", id=batch.image_ids[1])
    again = training_set(store, PROTOCOL, 1).train.histograms
    assert again[0] == pytest.approx([0, 2 / 3, 1 / 3, 0, 0])
    assert np.isnan(again[1]).all()


def test_answers_between_two_ratings_are_shared_by_them():
    counts = [[1, 1, 1, 1], [1, 0, 0, 0, 1], [0, 3], [0, 0, 0], None]
    expected = [[3, 2, 2, 2, 3], [6, 0, 0, 0, 6], [0, 0, 0, 0, 12]]
    shares = _shares(pl.Series(counts))
    assert shares[:3] == pytest.approx(np.array(expected) / 12)
    assert np.isnan(shares[3:]).all()


def test_rows_have_the_chosen_features_in_their_order_and_no_embedding_where_there_is_none():
    keys = {"image_id": ["i/1", "i/2"], "sha256": ["aa", "bb"], "score": [1.5, 2.0], "histogram": [None, None]}
    arrays = {"geometry": np.array([[1.0, 2], [3, 4]]), "skin": np.array([[5.0], [6]]), "shape": np.ones((2, 4))}
    rows = Rows.gathered(pl.DataFrame(keys), arrays)
    assert (rows.raw.tolist(), rows.embeddings.shape) == ([[1, 2, 5], [3, 4, 6]], (2, 0))
    measured = ["a", "b", "c"]
    assert rows.with_features(["c", "a", "averageness"], measured).raw.tolist() == [[5, 1], [6, 3]]
    assert rows.with_features([*measured, "averageness"], measured) is rows


def test_averageness_is_zero_for_the_mean_face():
    mean = np.linspace(-1, 1, 936, dtype=np.float32)
    assert averageness(mean[None], mean)[0] == 0
    assert averageness(mean[None] + np.float32(0.5), mean)[0] == pytest.approx(0.5 * np.sqrt(936))


@pytest.mark.parametrize(
    ("protocol", "fold", "encoder", "phrase"),
    [("scut", 1, None, PROTOCOL), (PROTOCOL, 9, None, "from 1 to 2"), (PROTOCOL, 1, "huge", "--encoder huge")],
)
def test_what_does_not_exist_is_named(store, protocol, fold, encoder, phrase):
    with pytest.raises(UsageError, match=phrase):
        training_set(store, protocol, fold, encoder)


def test_before_ingest_and_before_extract(tmp_path):
    with open_store(tmp_path / "s.duckdb") as store:
        with pytest.raises(PrerequisiteError, match="kallos ingest"):
            training_set(store, PROTOCOL, 1)
        rows = {"image_id": ["m/1"], "protocol": [PROTOCOL], "fold": [1], "role": ["train"]}
        store.append("splits", pl.DataFrame(rows))
        store.append("images", pl.DataFrame({"image_id": ["m/1"], "data_set": ["m"]}))
        with pytest.raises(PrerequisiteError, match="kallos extract"):
            training_set(store, PROTOCOL, 1)


def test_a_new_version_is_planned_again_and_shown_once_activated(store):
    columns = (Field("jaw_width", "float64", "made up"), Field("eye_width", "float64", "made up"))
    newer = Output("geometry", "geometric_features", "made up", columns, code_version=2)
    older = active_versions(store)["geometry"]
    register(store, [newer])
    assert active_versions(store)["geometry"] == older
    assert len(from_pixels_todo(store, [newer])) == 80
    activate(store, [("geometry", newer.version)])
    assert active_versions(store)["geometry"] == newer.version
    assert store.value("SELECT count(*) FROM geometric_features") == 0


def test_images_without_a_face_are_not_planned_again(store):
    landmarks = Output("landmarks", "landmarks", "made up", (Field("x", "float32[468]", "x"),), code_version=2)
    later = Output(
        "late", "late", "made up", (Field("v", "float64", "v"),), code_version=1, inputs=(landmarks.version,)
    )
    assert len(from_pixels_todo(store, [landmarks, later])) == 80
    ledger = {"extractor": "landmarks", "version": landmarks.version, "status": "no_face", "milliseconds": 1.0}
    store.append("attempts", pl.DataFrame([{"sha256": content("made-up/0000.png"), **ledger}]))
    planned = from_pixels_todo(store, [landmarks, later])
    assert len(planned) == 79
    assert content("made-up/0000.png") not in planned["sha256"].to_list()


@pytest.mark.parametrize(
    "change",
    [{"code_version": 2}, {"parameters": {"a": 1}}, {"inputs": ("x",)}, {"fields": (Field("c", "float64", "", 2),)}],
)
def test_everything_that_decides_the_values_is_in_the_version(change):
    recipe = {"extractor": "e", "view": "v", "comment": "", "fields": (Field("c", "float64", ""),), "code_version": 1}
    assert Output(**recipe).version == Output(**recipe).version
    assert Output(**recipe).version != Output(**recipe | change).version


def test_features_can_be_chosen_by_name_and_by_region(store):
    fold = training_set(store, PROTOCOL, 1, features=["jaw_width", "skin"])
    assert fold.train.feature_names == ("jaw_width", "skin_sharpness", "skin_evenness", "averageness")
    every = training_set(store, PROTOCOL, 1)
    column = every.train.feature_names.index("jaw_width")
    assert np.array_equal(fold.train.features[:, 0], every.train.features[:, column])
    assert fold.manifest_id != every.manifest_id
    with pytest.raises(UsageError, match="kallos features"):
        training_set(store, PROTOCOL, 1, features=["ears"])


def test_statistics_of_other_rows_are_refused(store):
    training_set(store, PROTOCOL, 2)
    with pytest.raises(LeakageError, match="outside the training rows"):
        training_set(store, PROTOCOL, 1, normalized_by=f"{PROTOCOL}/2")
    own = training_set(store, PROTOCOL, 1)
    again = training_set(store, PROTOCOL, 1, normalized_by=f"{PROTOCOL}/1")
    assert np.array_equal(own.train.features, again.train.features, equal_nan=True)


@pytest.mark.parametrize("as_copy", [False, True])
def test_a_photo_in_both_roles_is_refused(store, as_copy):
    """Under one name or, byte for byte the same, under two."""
    split = {"trait": [TRAIT], "protocol": [PROTOCOL], "fold": [1], "role": ["train"]}
    if as_copy:
        store.execute(
            "INSERT INTO images BY NAME SELECT * REPLACE ('made-up/copy.png' AS image_id) FROM images "
            "WHERE image_id = 'made-up/0000.png'"
        )
    store.append("splits", pl.DataFrame({"image_id": ["made-up/copy.png" if as_copy else "made-up/0000.png"], **split}))
    with pytest.raises(LeakageError, match="two roles"):
        training_set(store, PROTOCOL, 1)


def test_the_sql_of_a_manifest_gives_its_rows_also_when_another_version_is_shown(store):
    fold = training_set(store, PROTOCOL, 1)
    sql, row_hash, value_hash = store.frame("SELECT sql, row_hash, value_hash FROM manifests").row(0)
    columns = (Field("jaw_width", "float64", "made up"),)
    newer = Output("geometry", "geometric_features", "made up", columns, code_version=2)
    register(store, [newer])
    activate(store, [("geometry", newer.version)])
    rows = Rows.from_sql(store, sql)
    assert rows.image_ids == fold.train.image_ids
    assert (rows.row_hash, rows.value_hash) == (row_hash, value_hash)


def test_the_facade_gives_the_same_fold_and_pins_it(store):
    fold = training_set(store, PROTOCOL, 1, features=["eyes"])
    path = store.path
    store.close()
    again = kallos.training_set(path, PROTOCOL, 1, features=["eyes"])
    assert again.manifest_id == fold.manifest_id
    assert np.array_equal(again.train.features, fold.train.features, equal_nan=True)
    assert again.train.image_ids == fold.train.image_ids
