"""Few photos and odd data, from the table of ratings to a prediction: it works, or says what would be enough."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import normalization_statistics
from featurestore.enough_rows import FEWEST_PHOTOS, FEWEST_ROWS, check_enough, check_scores_differ, no_protocol, too_few
from featurestore.errors import DataError, PrerequisiteError
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.training_sets import training_set
from models.baseline.inputs import BaselineConfig
from models.baseline.pca import Components
from models.baseline.ridge import train_ridge
from models.baseline.trees import train_baseline
from models.standardised import FURTHEST
from reports.stats.evaluated_runs import FEWEST_TESTED
from tests.command import Answer, kallos, kallos_ok
from tests.conftest import Workspace
from tests.face_batches import learnable_batch
from tests.synthetic_store import PROTOCOL, make_store


class Rated:
    """A copy of the workspace's store: the portraits are measured, and tables of ratings of them are added."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._photos, self._folder = workspace.portraits / "images", folder
        self.path, self.photo = folder / "kallos.duckdb", self._photos / "P0120.jpg"
        shutil.copy(workspace.store, self.path)
        encoders = Path("kallos.runs") / "encoders"
        shutil.copytree(workspace.store.with_suffix(".runs") / "encoders", folder / encoders)
        with open_store(self.path) as store:
            self.means = store.frame(
                "SELECT path AS image, mean AS score FROM images JOIN scores USING (image_id) ORDER BY image_id"
            )
            self.ratings = store.frame(
                "SELECT path AS image, rater_id AS rater, rating AS score FROM images JOIN ratings USING (image_id) "
                "ORDER BY image_id, rater_id"
            )

    def ingest(self, name: str, table: pl.DataFrame) -> Answer:
        file = self._folder / f"{name}.csv"
        table.write_csv(file)
        options = ("--images", self._photos, "--scale", 1, 5, "--name", name, "--store", self.path)
        return kallos_ok("ingest", "table", file, *options)

    def train(self, name: str) -> Answer:
        return kallos("train", "all", "--fast", "--protocol", f"{name}-5fold", "--store", self.path)

    def evaluation(self, name: str) -> dict:
        return kallos_ok("report", "evaluation", "--protocol", f"{name}-5fold", "--json", "--store", self.path).json()

    def predict(self, name: str) -> dict:
        options = ("--protocol", f"{name}-5fold", "--fold", 1, "--store", self.path)
        (prediction,) = kallos_ok("score", self.photo, "--json", *options).json()["predictions"]
        return prediction


@pytest.fixture(scope="module")
def rated(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Rated:
    return Rated(workspace, tmp_path_factory.mktemp("small"))


def is_sound(prediction: dict) -> bool:
    """A score within its interval, if photos were enough for one, on the scale, and numbers throughout."""
    low, score, high = (prediction[name] for name in ("low", "score", "high"))
    is_within = 1 <= score <= 5 if low is high is None else 1 <= low < score < high <= 5
    return is_within and all(1 <= s <= 5 for s in prediction["members"].values())


# how many photos


@pytest.mark.parametrize("photos", [4, 12, 20])
def test_too_few_photos_are_refused_with_a_number_that_is_enough(rated: Rated, photos: int) -> None:
    output = " ".join(rated.ingest(f"few{photos}", rated.means[:photos]).out.split())
    assert f"{photos} photos with a score are too few to train on: {FEWEST_PHOTOS} would be enough" in output
    if photos < 5:  # not one for each fold
        assert "no protocol" in output
        return
    refused = rated.train(f"few{photos}")
    assert refused.code == 7
    enough = int(re.search(r" (\d+) photos with a score would be enough", " ".join(refused.err.split()))[1])
    assert FEWEST_PHOTOS <= enough <= FEWEST_PHOTOS + 2
    rated.ingest(f"few{photos}-enough", rated.means[:enough])
    with open_store(rated.path) as store:
        for fold in range(1, 6):
            assert len(training_set(store, f"few{photos}-enough-5fold", fold).train) >= FEWEST_ROWS


def test_a_store_of_a_few_rated_photos_says_how_many_would_be_enough(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        store.execute("DELETE FROM splits")
        store.execute("DELETE FROM scores WHERE image_id > 'made-up/0003.png'")
    refused = kallos("train", "all", "--store", tmp_path / "s.duckdb")
    assert refused.code == 7
    assert f"4 photos have a score, {FEWEST_PHOTOS} would be enough;" in " ".join(refused.err.split())


def test_the_photos_that_would_be_enough_are_counted(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        # of 80 photos with a score 40 are training rows
        assert "40 photos with a score would be enough" in str(too_few(store, PROTOCOL, 1, 40))
        assert "run `kallos extract`" in str(too_few(store, PROTOCOL, 1, 39))
        assert "kallos duplicates" in str(no_protocol(store))
        store.execute("DELETE FROM scores WHERE image_id >= 'made-up/0025.png'")
        # of 25 photos 12 are: 20 would be of 41.7
        assert "42 photos with a score would be enough" in str(too_few(store, PROTOCOL, 1, 12))
        assert "kallos duplicates" in str(no_protocol(store))
        store.execute("DELETE FROM scores WHERE image_id = 'made-up/0024.png'")
        assert f"24 photos have a score, {FEWEST_PHOTOS} would be enough" in str(no_protocol(store))
        store.execute("DELETE FROM scores")
        assert f"{FEWEST_PHOTOS} photos with a score would be enough" in str(too_few(store, PROTOCOL, 1, 0))
        assert "photos have a score" not in str(no_protocol(store))


def test_rows_without_an_embedding_and_too_few_rows_are_refused(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        # 79 photos have features
        check_enough(store, {"train": [0] * FEWEST_ROWS, "test": [0] * 59}, PROTOCOL, 1, "tiny")
        check_enough(store, {"train": [0] * FEWEST_ROWS, "test": []}, PROTOCOL, 1, None)
        with pytest.raises(PrerequisiteError, match="19 usable training rows"):
            check_enough(store, {"train": [0] * (FEWEST_ROWS - 1), "test": [0] * 60}, PROTOCOL, 1, "tiny")
        with pytest.raises(PrerequisiteError, match="1 rows have no embedding of tiny"):
            check_enough(store, {"train": [0] * FEWEST_ROWS, "test": [0] * 58}, PROTOCOL, 1, "tiny")


def test_scores_must_differ_whichever_part_is_left_out() -> None:
    part = np.array([1, 1, 2, 2])
    check_scores_differ(np.array([3.0, 4.0, 3.0, 4.0]), part, "p", 1)
    check_scores_differ(np.array([3.0, 3.0, 4.0, 4.0, 5.0, 5.0]), np.array([1, 1, 2, 2, 3, 3]), "p", 1)
    same = np.array([0.3, 0.1 + 0.2, 0.3, 1.0])
    with pytest.raises(
        DataError, match=r"3 of the 4 training rows of fold 1 of p have the score 0\.3 on 1-5.*: 1 have "
    ):
        check_scores_differ(same, part, "p", 1)
    with pytest.raises(DataError, match="3 would be enough"):
        check_scores_differ(same, part, "p", 1)


@pytest.mark.parametrize("photos", [25, 96])
def test_with_few_photos_the_best_member_carries_the_score(rated: Rated, photos: int) -> None:
    name = f"n{photos}"
    rated.ingest(name, rated.means[:photos])
    assert "combines b, quadratic, ridge" in done_training(rated, name)
    report = rated.evaluation(name)
    tested = report["runs"][0]["overall"]["n"]
    assert bool(report["out_of_fold"]) == (tested < FEWEST_TESTED)
    with open_store(rated.path, read_only=True) as store:
        trained = dict(
            store.frame(
                "SELECT model, struct_pack(mae, n, distinct_scores) FROM runs JOIN evaluations USING (run_id) JOIN ("
                "SELECT run_id, role, count(DISTINCT score) AS distinct_scores FROM predictions GROUP BY ALL) "
                "USING (run_id, role) WHERE protocol = $protocol AND role = 'out_of_fold'",
                protocol=f"{name}-5fold",
            ).iter_rows()
        )
        weights = dict(
            store.frame(
                "SELECT c.model, weight FROM combined_members c JOIN runs USING (run_id) WHERE protocol = $protocol",
                protocol=f"{name}-5fold",
            ).iter_rows()
        )
    # a constant has one score in each part
    assert all(figures["distinct_scores"] > 0.9 * figures["n"] for figures in trained.values())
    assert max(weights, key=weights.get) == min(weights, key=lambda model: trained[model]["mae"])
    if report["out_of_fold"]:
        best = report["out_of_fold"][0]
        assert [run["name"] for run in report["runs"]] == [run["name"] for run in report["out_of_fold"]]
        assert best["n"] == photos - tested
        assert best["figures"]["mae"]["low"] < best["figures"]["mae"]["value"] < best["figures"]["mae"]["high"]
        output = kallos_ok("report", "evaluation", "--protocol", f"{name}-5fold", "--store", rated.path).out
        text = " ".join(output.split())
        assert f"Fewer than {FEWEST_TESTED} test images ({tested}) are too few to go by" in text
        assert f"found on these: {max(weights, key=weights.get)} " in text
    prediction = rated.predict(name)
    assert is_sound(prediction)
    assert all(
        comparison["out_of_fold"] == (tested < FEWEST_TESTED) for comparison in prediction["origin"]["comparisons"]
    )


def test_a_bundle_of_few_photos_predicts_and_says_what_its_figures_are_of(rated: Rated, tmp_path: Path) -> None:
    rated.ingest("n25", rated.means[:25])
    done_training(rated, "n25")
    bundle = tmp_path / "bundle"
    kallos_ok("export", bundle, "--no-onnx", "--protocol", "n25-5fold", "--fold", 1, "--store", rated.path)
    (prediction,) = kallos_ok("score", rated.photo, "--json", "--bundle", bundle).json()["predictions"]
    of_store = rated.predict("n25")
    assert prediction["score"] == pytest.approx(of_store["score"])
    assert prediction["origin"] == of_store["origin"]
    assert (
        "Fewer than 20 test rows are too few: go by the training rows, out of fold."
        in (bundle / "MODEL_CARD.md").read_text()
    )


def done_training(rated: Rated, name: str) -> str:
    answer = rated.train(name)
    assert answer.code == 0, answer.err
    return answer.err


# which scores


def test_one_rater_of_one_group_is_enough(rated: Rated) -> None:
    alone = rated.ratings.filter(rater=rated.ratings["rater"][0])[:65]
    rated.ingest("alone", alone.with_columns(group=pl.lit("students")))
    done_training(rated, "alone")
    assert is_sound(rated.predict("alone"))
    assert not rated.evaluation("alone")["runs"][0]["groups"]["gaps"]


@pytest.mark.parametrize("score", [1.0, 3.3, 5.0])
def test_one_score_for_all_leaves_nothing_to_learn(rated: Rated, score: float) -> None:
    name = f"all{score:.0f}"
    # the mean of three times 3.3 is not quite 3.3
    scores = [score if i % 2 else (score + score + score) / 3 for i in range(40)]
    rated.ingest(name, rated.means[:40].with_columns(score=pl.Series(scores)))
    refused = rated.train(name)
    assert refused.code == 4
    text = " ".join(refused.err.split())
    assert f"32 of the 32 training rows of fold 1 of {name}-5fold have the score {score:g} on 1-5" in text
    assert "which leaves nothing to learn: 0 have another, 9 would be enough." in text


def test_scores_that_hardly_differ_are_refused_with_a_number_that_is_enough(rated: Rated) -> None:
    def at_the_end(others: int) -> pl.DataFrame:
        spread = [4.0 - 0.1 * i if i < others else 5.0 for i in range(40)]
        return rated.means[:40].with_columns(score=pl.Series(spread))

    rated.ingest("end", at_the_end(1))
    with open_store(rated.path) as store:
        refused = [refusal(store, "end-5fold", fold) for fold in range(1, 6)]
    assert all("which leaves nothing to learn" in text for text in refused)
    enough = max(int(re.search(r"(\d+) would be enough", text)[1]) for text in refused)
    # so many training photos: the eight test photos of a fold may be among those that differ
    rated.ingest("end-enough", at_the_end(enough + 8))
    with open_store(rated.path) as store:
        for fold in range(1, 6):
            rows = training_set(store, "end-enough-5fold", fold)
            assert all(np.ptp(rows.train.scores[rows.part != part]) > 0 for part in rows.part)


def refusal(store: Store, protocol: str, fold: int) -> str:
    with pytest.raises(DataError) as refused:
        training_set(store, protocol, fold)
    return str(refused.value)


# which features


@pytest.fixture(scope="module")
def odd(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rated, list[str]]:
    """Features of which the first is constant up to rounding, the second never measured, the third half of the time."""
    rated = Rated(workspace, tmp_path_factory.mktemp("odd"))
    with open_store(rated.path) as store:
        table = store.value("SELECT table_name FROM extractor_versions WHERE extractor = 'geometry' AND active")
        store.execute(
            f"UPDATE \"{table}\" SET features = list_concat([0.1 + 1e-17 * (hash(sha256) % 9)::DOUBLE, 'nan', "
            "CASE WHEN hash(sha256) % 2 = 0 THEN features[3] ELSE 'nan' END]::DOUBLE[], features[4:])"
        )
        names = store.frame("SELECT * EXCLUDE image_id FROM geometric_features LIMIT 0").columns[:3]
    rated.ingest("odd", rated.means[:40])
    return rated, names


def test_features_that_say_nothing_do_no_harm(odd: tuple[Rated, list[str]]) -> None:
    rated, names = odd
    done_training(rated, "odd")
    with open_store(rated.path) as store:
        rows = training_set(store, "odd-5fold", 1)
    assert rows.normalization.sd[[rows.normalization.features.index(name) for name in names[:2]]].tolist() == [1, 1]
    assert np.nanmax(np.abs(rows.train.features)) < 12
    prediction = rated.predict("odd")
    assert is_sound(prediction)
    # the photo itself is measured anew: its value of the constant feature is another
    assert abs(prediction["features"][names[0]] - 0.1) > 1e-3
    assert all(float(x) < 100 for note in prediction["notes"] for x in re.findall(r"lies? ([\d.]+) x", note))


@given(st.floats(-1000, 1000), st.floats(1e-4, 10))
def test_a_feature_is_constant_up_to_rounding_or_it_varies(mean: float, spread: float) -> None:
    jitter = np.random.default_rng(0).normal(size=50)
    for sd, expected in ((1e-16 * max(abs(mean), 1), 1.0), (spread * max(abs(mean), 1), None)):
        values = mean + sd * jitter
        row = normalization_statistics._row(
            ["x", "averageness"], np.array([values.mean()]), np.array([values.std()]), np.zeros(2)
        )
        assert row["sd"].to_list()[0] == [expected or values.std()]


# what models make of few rows


@pytest.mark.parametrize("rows", [10, 15, 24])
def test_trees_split_few_rows(rows: int) -> None:
    batch = learnable_batch(rows)
    model = train_baseline(batch, batch, BaselineConfig(rounds=20), lambda _: None)
    assert len(np.unique(model.predict(batch))) > rows / 3
    assert model.config.min_rows_in_leaf == rows // 5


def test_many_rows_have_leaves_of_20() -> None:
    batch = learnable_batch(150)
    assert train_baseline(batch, batch, BaselineConfig(rounds=2), lambda _: None).config.min_rows_in_leaf == 20


def test_no_single_odd_number_decides_the_ridge() -> None:
    batch = learnable_batch(40)
    model = train_ridge(batch, batch, BaselineConfig(components=5), lambda _: None)
    far, further = (model.predict(replace(batch, features=batch.features + by)) for by in (2 * FURTHEST, 1e9))
    assert np.array_equal(far, further)


def test_shapes_that_are_equal_up_to_rounding_have_no_components() -> None:
    rows = np.full((30, 6), 0.3, dtype=np.float32)
    rows[::2] = np.nextafter(rows[::2], np.float32(1))
    assert Components.fit(rows, 3).axes.shape == (0, 6)


def test_parts_are_numbered_without_gaps(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        trained = store.frame("SELECT image_id FROM splits WHERE fold = 1 AND role = 'train'")["image_id"]
        second = [i for i in trained if hashlib.sha256(f"part {i}".encode()).digest()[7] % 4 == 1]
        assert second
        store.execute("DELETE FROM splits WHERE list_contains($second, image_id)", second=second)
        assert set(training_set(store, PROTOCOL, 1).part.tolist()) == {1, 2, 3}
