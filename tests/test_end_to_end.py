"""Photos to features to models to predictions, on drawn portraits, through the command line."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ensemble.bundle import open_bundle
from ensemble.parts import parts_of_store
from ensemble.predictor import Predictor
from extractors.decode import decode
from extractors.landmarker import Landmarker
from extractors.values import face_of
from featurestore.opening import open_store
from featurestore.training_sets import training_set
from kallos.engines import pool
from kallos.workflows.stored_faces import load_faces
from models.registry import SUMMARIES
from tests.command import kallos, kallos_ok
from tests.conftest import TRAINING


def test_every_portrait_has_landmarks_features_and_embeddings(workspace):
    with open_store(workspace.store, read_only=True) as store:
        for view in ("landmarks", "geometric_features", "shapes", "embeddings"):
            assert store.value(f"SELECT count(*) FROM {view}") >= 119
        features = store.frame("SELECT * EXCLUDE image_id FROM geometric_features")
        assert features.width >= 60
        assert features.null_count().sum_horizontal().item() == 0
        assert store.value("SELECT count(DISTINCT normalization) FROM normalized_features") == 5


def test_every_run_left_its_trace_in_the_store(workspace):
    with open_store(workspace.store, read_only=True) as store:
        runs = store.frame("SELECT * FROM runs")
        assert sorted(runs["model"]) == sorted(SUMMARIES)
        assert set(runs["status"]) == {"done"}
        tested = store.frame("SELECT run_id, count(*) AS n FROM predictions WHERE role = 'test' GROUP BY run_id")
        expected = store.value(
            "SELECT count(*) FROM splits JOIN geometric_features USING (image_id) WHERE fold = 1 AND role = 'test'"
        )
        assert tested["n"].to_list() == [expected] * len(SUMMARIES)
        epochs = store.frame(
            "SELECT model, count(*) AS n FROM training_history JOIN runs USING (run_id) GROUP BY model"
        )
        parts = store.value("SELECT count(DISTINCT part) FROM training_history")
        assert dict(epochs.iter_rows())["a"] == 2 * parts
        learned = store.frame(
            "SELECT model, count(*) AS n, count(DISTINCT image_id) AS images FROM predictions JOIN runs USING (run_id) "
            "WHERE role = 'out_of_fold' GROUP BY model"
        )
        rows = store.value(
            "SELECT count(*) FROM splits JOIN geometric_features USING (image_id) WHERE fold = 1 AND role = 'train'"
        )
        assert learned.select("n", "images").unique().rows() == [(rows, rows)]
        leaks = store.value(
            "SELECT count(*) FROM predictions JOIN runs USING (run_id) JOIN splits USING (image_id, protocol, fold) "
            "WHERE (predictions.role = 'test') <> (splits.role = 'test')"
        )
        assert leaks == 0


def test_sub_scores_are_in_range_and_add_up_to_b(workspace):
    with open_store(workspace.store, read_only=True) as store:
        low, high = store.frame("SELECT min(sub_score), max(sub_score) FROM sub_scores").row(0)
        assert 1 <= low <= high <= 5
        weights = store.frame(
            "SELECT run_id, part, sum(weight) AS total, count(*) AS n FROM sub_score_weights GROUP BY ALL"
        )
        assert np.allclose(weights["total"], 1)
        assert set(weights["n"]) == {8}
        off = store.frame(
            "WITH w AS (SELECT run_id, region, avg(weight) AS weight FROM sub_score_weights GROUP BY ALL) "
            "SELECT sum(sub_score * weight) - any_value(p.score) AS off FROM sub_scores "
            "JOIN w USING (run_id, region) JOIN predictions p USING (run_id, image_id) GROUP BY run_id, image_id"
        )
        assert len(off) > 40
        assert np.abs(off["off"]).max() < 1e-5


def test_the_batch_from_the_store_is_the_batch_from_the_photo(workspace):
    """Training meets inference at this seam: not one bit may differ."""
    with open_store(workspace.store, read_only=True) as store, Predictor(parts_of_store(store)) as predictor:
        test = training_set_of(workspace)
        row = test.take(np.array([2]))
        photo = workspace.portraits / "images" / Path(row.image_ids[0]).name
        with Landmarker() as mesh:
            face = face_of(decode(photo), mesh)
        batch, _ = predictor.batch_of(row.image_ids[0], face)
        assert batch.feature_names == row.feature_names
        assert np.array_equal(batch.shapes, row.shapes)
        assert np.array_equal(batch.features, row.features, equal_nan=True)
        assert np.array_equal(batch.embeddings, row.embeddings)
        assert batch.networks == row.networks
        assert batch.region_embeddings.keys() == row.region_embeddings.keys() != set()
        for region, windows in row.region_embeddings.items():
            assert np.array_equal(batch.region_embeddings[region], windows), region
        assert np.array_equal(batch.faces, load_faces(store, row.image_ids))


def training_set_of(workspace):
    """The test batch of fold 1, from a copy of the store: deriving a training set writes its manifest."""
    copy = workspace.store.with_name("copy.duckdb")
    shutil.copy(workspace.store, copy)
    with open_store(copy) as store:
        return training_set(store, "demo-5fold", 1).test


def test_stored_predictions_store_and_bundle_agree(workspace, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(workspace.bundle, moved)
    with open_store(workspace.store, read_only=True) as store:
        stored = store.frame(
            "SELECT image_id, path, model, score FROM predictions JOIN runs USING (run_id) JOIN images USING (image_id) "
            "WHERE role = 'test' AND image_id = (SELECT min(image_id) FROM predictions WHERE role = 'test')"
        )
    photo = workspace.portraits / "images" / stored["path"][0]
    from_store = kallos_ok("score", photo, "--json", "--store", workspace.store).json()
    from_bundle = kallos_ok("score", photo, "--json", "--bundle", moved, "--store", tmp_path / "no.duckdb").json()
    exported, trained = from_bundle["predictions"][0], from_store["predictions"][0]
    # in the bundle Model A is a graph
    for name in ("score", "low", "high"):
        assert exported[name] == pytest.approx(trained.pop(name), abs=1e-4)
    for name in ("members", "own_scale", "correction"):
        assert exported[name] == pytest.approx(trained.pop(name), abs=1e-4)
    assert exported | trained == exported
    by_model = dict(stored.select("model", "score").iter_rows())
    assert exported["score"] == pytest.approx(by_model.pop("ensemble"), abs=0.02)
    for model, score in by_model.items():
        assert exported["members"][model] == pytest.approx(score, abs=0.02 if model == "a" else 1e-5)


def test_predict_writes_overlays_and_goes_on_after_a_bad_photo(workspace, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(workspace.portrait, photos / "face.jpg")
    (photos / "letter.jpg").write_text("dear reader")
    answer = kallos("score", photos, "--bundle", workspace.bundle, "--overlay", tmp_path / "overlays")
    assert answer.code == 5
    assert "letter.jpg" in answer.err
    assert "not a person's worth" in " ".join(answer.out.replace("│", "").split())
    assert decode(tmp_path / "overlays" / "face_overlay.png").shape[0] >= 350


def test_many_photos_are_shared_among_workers_and_get_a_line_each(workspace, tmp_path, many, monkeypatch):
    monkeypatch.setattr(pool, "WORKERS", 2)
    photos = tmp_path / "photos"
    photos.mkdir()
    for portrait in sorted((workspace.portraits / "images").iterdir())[:many]:
        shutil.copy(portrait, photos)
    letter = photos / "letter.jpg"
    letter.write_text("dear reader")
    arguments = ("score", photos, "--bundle", workspace.bundle)
    answer = kallos(*arguments, "--overlay", tmp_path / "overlays")
    assert answer.code == 5
    assert "letter.jpg is not a photo" in " ".join(answer.err.split())
    heading, *lines, meaning = answer.out.splitlines()
    lines = lines[:many]
    assert heading.split()[:2] == ["photo", "score"]
    assert "not a person's worth" in meaning
    names = sorted(photo.name for photo in photos.iterdir() if photo != letter)
    assert [line.split()[0] for line in lines] == names
    assert len(list((tmp_path / "overlays").iterdir())) == many

    json_answer = kallos(*arguments, "--json")
    assert json_answer.code == 5
    each = [one for one in json_answer.json()["predictions"] if one["photo"] != str(letter)]
    assert len(each) + 1 == len(json_answer.json()["predictions"])
    assert [f"{one['score']:.2f}".lstrip("0") for one in each] == [line.split()[1] for line in lines]
    alone = kallos_ok("score", photos / names[7], "--bundle", workspace.bundle, "--json").json()["predictions"]
    assert alone == [each[7]]


def test_photos_of_one_name_get_an_overlay_each(workspace, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(workspace.portrait, tmp_path / folder / "face.jpg")
    kallos_ok("score", tmp_path / "one", tmp_path / "two", "--bundle", workspace.bundle, "--overlay", tmp_path / "seen")
    assert len(list((tmp_path / "seen").iterdir())) == 2


def test_an_export_killed_as_it_removes_the_earlier_bundle_leaves_a_whole_one(workspace, tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, folder)

    def killed(path, **options):
        if Path(path).exists():
            (Path(path) / "manifest.json").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    assert kallos("export", folder, "--store", workspace.store).code == 130
    monkeypatch.undo()
    assert open_bundle(folder).folders.keys() >= {"a", "b", "ensemble"}
    kallos_ok("export", folder, "--store", workspace.store)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_tells_nothing_of_the_machine(workspace):
    folder = str(workspace.portraits.parent)
    assert not [p for p in workspace.bundle.rglob("*") if p.is_file() and folder.encode() in p.read_bytes()]


def test_everything_again_does_nothing(workspace):
    options = ("--store", workspace.store)
    before = counts(workspace.store)
    kallos_ok("ingest", "demo", workspace.portraits, "--count", 120, *options)
    assert "Nothing to do" in kallos_ok("extract", "--encoder", "mobilenet_v3_small", "--weights", "none", *options).err
    assert kallos_ok("train", "all", *TRAINING, *options).err.count("already trained") == len(SUMMARIES)
    assert counts(workspace.store) == before


def test_a_combiner_of_another_version_is_fitted_again_on_the_same_members(workspace, tmp_path, monkeypatch):
    store = tmp_path / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    monkeypatch.setattr("kallos.workflows.combine.CODE_VERSION", 1_000)
    before = kallos_ok("score", workspace.portrait, "--json", "--store", store).json()
    assert kallos_ok("train", "ensemble", *TRAINING, "--store", store).err.count(": training ") == 1
    with open_store(store, read_only=True) as opened:
        assert opened.value("SELECT count(*) FROM runs WHERE model = 'ensemble'") == 2
    after = kallos_ok("score", workspace.portrait, "--json", "--store", store).json()
    assert after["predictions"][0]["score"] == pytest.approx(before["predictions"][0]["score"])


def counts(path: Path) -> dict[str, int]:
    with open_store(path, read_only=True) as store:
        tables = store.frame("SELECT table_name FROM duckdb_tables()")["table_name"]
        return {table: store.value(f'SELECT count(*) FROM "{table}"') for table in tables}


def test_photos_without_use_go_to_the_ledger_and_the_run_goes_on(workspace, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(workspace.portraits / "images", photos)
    remaining = sorted(photos.iterdir())[:24]
    for path in set(photos.iterdir()) - set(remaining):
        path.unlink()
    import cv2

    cv2.imwrite(str(remaining[0]), np.full((200, 200, 3), 128, np.uint8))
    remaining[1].write_bytes(remaining[1].read_bytes()[:5000])
    faces = [cv2.imread(str(remaining[2])), cv2.resize(cv2.imread(str(remaining[3])), None, fx=0.6, fy=0.6)]
    both = np.full((350, 560, 3), 200, np.uint8)
    both[:, :350] = faces[0]
    both[140:, 350:] = faces[1]
    cv2.imwrite(str(remaining[2]), both)
    labels = tmp_path / "labels.csv"
    pl.DataFrame({"image": [p.name for p in remaining], "score": [3.0] * 24}).write_csv(labels)
    options = ("--store", tmp_path / "s.duckdb")
    kallos_ok("ingest", "table", labels, "--images", photos, "--scale", 1, 5, "--name", "mine", *options)
    kallos_ok("extract", "--encoder", "mobilenet_v3_small", "--weights", "none", *options)
    rows = kallos_ok(
        "sql",
        "SELECT image_id, status, detail FROM extractions WHERE extractor = 'landmarks' AND (status <> 'ok' OR detail IS NOT NULL) ORDER BY ALL",
        "--json",
        *options,
    ).json()
    assert [row["status"] for row in rows] == ["no_face", "decode_error", "ok"]
    assert "2 faces" in rows[2]["detail"]
    assert kallos_ok("sql", "SELECT count(*) AS n FROM geometric_features", "--json", *options).json() == [{"n": 22}]
    assert "Nothing to do" in kallos_ok("extract", *options).err
    assert "2 photos" in kallos_ok("extract", "--retry-failed", *options).err
    plan = {line["extractor"]: line for line in kallos_ok("plan", "--json", *options).json()["lines"]}
    assert (plan["skin"]["fresh"], plan["skin"]["failed"]) == (22, 2)


def test_fast_leaves_out_what_sees_pixels_and_still_predicts(workspace, tmp_path):
    store = tmp_path / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    options = ("--store", store, "--fold", 2, "--protocol", "demo-5fold")
    assert (
        "ensemble: combines b, quadratic, ridge; not trained on these rows and features: a"
        in kallos_ok("train", "all", "--fast", *options).err
    )
    with open_store(store, read_only=True) as opened:
        trained = opened.frame("SELECT model FROM runs WHERE fold = 2 AND status = 'done'")["model"].to_list()
    assert sorted(trained) == sorted(SUMMARIES.keys() - {"a"})
    photo = next((workspace.portraits / "images").iterdir())
    (prediction,) = kallos_ok("score", photo, "--json", *options).json()["predictions"]
    assert {"b", "quadratic"} <= prediction["members"].keys()
    assert "a" not in prediction["members"]
