"""The range of scores is a setting of a data set and of its runs: from the table to the card, on drawn portraits."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.opening import open_store
from featurestore.scale import MODEL_SCALE, Scale
from tests.command import Answer, kallos_ok
from tests.conftest import TRAINING, Workspace

# the map


@given(st.floats(-1000, 999), st.floats(0.1, 1000), st.floats(0, 1))
def test_a_score_comes_back_from_the_scale_of_models(low: float, width: float, share: float) -> None:
    scale = Scale(low, low + width)
    score = scale.at(share)
    assert scale.from_models(scale.to_models(score)) == pytest.approx(score, abs=1e-9 * (abs(low) + width))
    assert scale.share(score) == pytest.approx(share, abs=1e-9 * (abs(low) + width) / width)


def test_scores_on_the_scale_of_models_stay_bit_for_bit() -> None:
    scores = np.random.default_rng(0).uniform(*MODEL_SCALE, 10_000)
    assert np.array_equal(MODEL_SCALE.to_models(scores), scores)
    assert np.array_equal(MODEL_SCALE.from_models(scores), scores)


def test_the_ends_are_met_exactly() -> None:
    for scale in (Scale(1, 7), Scale(0, 100), Scale(-3, 3), Scale(0, 1)):
        assert scale.from_models(np.array(MODEL_SCALE)).tolist() == list(scale)
        assert scale.to_models(np.array(scale)).tolist() == list(MODEL_SCALE)


def test_a_scale_is_named() -> None:
    assert [str(scale) for scale in (Scale(1, 7), Scale(0, 100), Scale(-3, 3))] == ["1-7", "0-100", "-3 to 3"]
    assert Scale(1, 7).words == "1 to 7"


# the whole path


@dataclass(frozen=True)
class Rated:
    """The workspace's portraits rated on a scale, models of them, and their bundle."""

    scale: Scale
    has_histograms: bool
    store: Path
    bundle: Path
    photo: Path

    def __call__(self, *arguments: object) -> Answer:
        return kallos_ok(*arguments, "--store", self.store)

    def text(self, *arguments: object) -> str:
        """What a command prints, in one line."""
        return " ".join(self(*arguments).out.replace("│", " ").split())

    def frame(self, query: str) -> pl.DataFrame:
        with open_store(self.store, read_only=True) as store:
            return store.frame(query)


def rate(scale: Scale, decimals: int, workspace: Workspace, folder: Path) -> Rated:
    """A copy of the workspace's store in which three raters gave, in so many decimals, what they see: the drawn truth."""
    store = folder / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    with (workspace.portraits / "parameters.csv").open() as file:
        true_scores = [(row["image"], float(row["true_score"])) for row in csv.DictReader(file)]
    with (folder / "table.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "rater1", "rater2", "rater3"])
        for image, score in true_scores:
            opinions = scale.from_models(score) + 0.1 * scale.width * np.array((-1, 0, 1))
            lines.writerow([image, *(round(opinion, decimals) for opinion in opinions.clip(*scale).tolist())])
    rated = Rated(scale, not decimals, store, folder / "bundle", workspace.portrait)
    options = ("--images", workspace.portraits / "images", "--name", "rated", "--scale", *scale)
    rated("ingest", "table", folder / "table.csv", *options)
    rated("extract", "--encoder", "mobilenet_v3_small", "--weights", "none")
    return rated


WHOLE_STEPS, SLIDER = (Scale(1, 7), 0), (Scale(0, 100), 1)


@pytest.fixture(
    scope="module",
    params=[pytest.param(SLIDER, id="0-100", marks=pytest.mark.long), pytest.param(WHOLE_STEPS, id="1-7")],
)
def rated(request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Rated:
    """In whole steps on 1-7, and with a slider that has a decimal from 0 to 100."""
    rated = rate(*request.param, workspace, tmp_path_factory.mktemp("rated"))
    rated("train", "all", "--protocol", "rated-5fold", *TRAINING)
    rated("evaluate", "--data-set", "demo", "--protocol", "rated-5fold")
    rated("export", rated.bundle, "--protocol", "rated-5fold")
    return rated


def test_ratings_of_a_slider_are_stored_as_given_and_have_no_histogram_to_learn_from(
    workspace: Workspace, tmp_path: Path
) -> None:
    """The shortest way through a scale of three digits and decimals; the whole one is that of `rated`."""
    sliding = rate(*SLIDER, workspace, tmp_path)
    test_ratings_are_stored_as_given_and_scores_on_the_scale_of_models(sliding)
    assert "score, 0-100" in sliding.text("report", "dataset", "--data-set", "rated")
    sliding("train", "a", "--protocol", "rated-5fold", *TRAINING)
    test_runs_have_the_scale_and_their_predictions_that_of_models(sliding)
    test_model_a_learns_from_histograms_where_there_are_any(sliding)


def test_ratings_are_stored_as_given_and_scores_on_the_scale_of_models(rated: Rated) -> None:
    rows = rated.frame(
        "SELECT mean, score, histogram, scale_low, scale_high FROM scores JOIN images USING (image_id) "
        "JOIN traits USING (data_set, trait) WHERE data_set = 'rated' ORDER BY image_id"
    )
    assert len(rows) == 120
    assert rows.select("scale_low", "scale_high").unique().row(0) == rated.scale
    assert np.allclose(rated.scale.from_models(rows["score"].to_numpy()), rows["mean"].to_numpy())
    assert rows["score"].is_between(*MODEL_SCALE).all()
    assert rows["histogram"].null_count() == (0 if rated.has_histograms else len(rows))


def test_runs_have_the_scale_and_their_predictions_that_of_models(rated: Rated) -> None:
    runs = rated.frame("SELECT DISTINCT scale_low, scale_high FROM runs WHERE protocol = 'rated-5fold'")
    assert runs.rows() == [rated.scale]
    predicted = rated.frame("SELECT score FROM predictions JOIN runs USING (run_id) WHERE protocol = 'rated-5fold'")
    assert predicted["score"].is_between(*MODEL_SCALE).all()


def test_the_bundle_has_the_scale(rated: Rated) -> None:
    assert json.loads((rated.bundle / "manifest.json").read_text())["scale"] == list(rated.scale)


def test_model_a_learns_from_histograms_where_there_are_any(rated: Rated) -> None:
    (folder,) = rated.frame("SELECT folder FROM runs WHERE protocol = 'rated-5fold' AND model = 'a'")["folder"]
    described = json.loads((rated.store.with_suffix(".runs") / folder / "part-1" / "model.json").read_text())
    assert (described["config"]["histogram"] > 0) == rated.has_histograms


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("dataset", ("score, {scale}", "from {words}", "on {scale} (")),
        ("evaluation", ("Raters used {scale}; figures are on 1-5", "on {scale}, tenths by prediction")),
        ("subscores", ("from {words}",)),
        ("lineage", ("on {scale} (", "on {scale}")),
    ],
)
def test_pages_show_the_data_sets_own_scale(rated: Rated, page: str, words: tuple[str, ...]) -> None:
    chosen = ("--data-set", "rated") if page == "dataset" else ("--protocol", "rated-5fold")
    text = rated.text("report", page, *chosen)
    for each in words:
        assert each.format(scale=rated.scale, words=rated.scale.words) in text
    # an interval such as 3.01 to 5.99 is none
    assert not re.search(r"(?<![\d.])1 to 5(?!\.?\d)", text.replace("on the scale of 1 to 5", ""))


def test_scores_on_pages_are_the_raters(rated: Rated) -> None:
    mean = rated.frame("SELECT avg(mean) FROM scores JOIN images USING (image_id) WHERE data_set = 'rated'").item()
    assert f"mean {mean:.2f} on {rated.scale}" in rated.text("report", "dataset", "--data-set", "rated")
    (worst, *_) = rated("report", "evaluation", "--protocol", "rated-5fold", "--json").json()["runs"][0]["worst"]
    truth = rated.frame(f"SELECT mean FROM scores WHERE image_id = '{worst['image_id']}'").item()
    assert rated.scale.from_models(worst["truth"]) == pytest.approx(truth)
    assert f"{truth:.2f}" in rated.text("report", "evaluation", "--protocol", "rated-5fold")


def test_pictures_are_drawn(rated: Rated, tmp_path: Path) -> None:
    for page in ("dataset", "evaluation", "subscores", "lineage"):
        rated("report", page, "--figures", tmp_path / page)
        assert list((tmp_path / page).iterdir())


def test_a_prediction_is_on_both_scales(rated: Rated, tmp_path: Path) -> None:
    (prediction,) = rated("score", rated.photo, "--bundle", rated.bundle, "--json").json()["predictions"]
    own = prediction["own_scale"]
    assert (own["lowest"], own["highest"]) == rated.scale
    assert own["score"] == pytest.approx(rated.scale.from_models(prediction["score"]))
    assert f"on {rated.scale} {own['score']:.2f}" in rated.text("score", rated.photo, "--bundle", rated.bundle)
    rated("score", rated.photo, "--bundle", rated.bundle, "--csv", tmp_path / "p.csv")
    (row,) = pl.read_csv(tmp_path / "p.csv").to_dicts()
    assert row["own_score"] == pytest.approx(own["score"])
    assert row["own_scale"] == rated.scale.words
    explained = rated.text("explain", rated.photo, "--bundle", rated.bundle)
    assert f"score {own['score']:.2f} on {rated.scale} ({prediction['score']:.2f} on {MODEL_SCALE})" in explained


def test_several_photos_are_scored_on_both_scales(rated: Rated) -> None:
    two = rated.text("score", rated.photo, rated.photo.with_name("P0002.jpg"), "--bundle", rated.bundle)
    assert two.count(f"score on {rated.scale} ") == two.count(f" on {MODEL_SCALE} ") == 2


def test_cards_are_on_the_data_sets_own_scale(rated: Rated) -> None:
    model, data = (" ".join((rated.bundle / f"{card}_CARD.md").read_text().split()) for card in ("MODEL", "DATA"))
    assert f"on a scale of {rated.scale.words}" in model
    assert f"from {rated.scale.words}" in data
    assert f"mapped linearly from {rated.scale} to {MODEL_SCALE}" in data
    assert f"The sd is on {rated.scale}, averaged" in data
    half_widths = rated.frame(
        "SELECT unnest(half_widths) AS w FROM intervals JOIN runs USING (run_id) "
        "WHERE protocol = 'rated-5fold' AND subset IS NULL ORDER BY w"
    )["w"]
    own = rated.scale.errors_from_models(half_widths[0])
    assert f"the score ± {own:.2f} on {rated.scale} ({half_widths[0]:.2f} on {MODEL_SCALE})" in model
    quarters = [f"{rated.scale.at(i / 4):g} to {rated.scale.at((i + 1) / 4):g}" for i in range(4)]
    assert " | ".join(quarters) in data


def test_models_of_one_scale_are_evaluated_on_another(rated: Rated) -> None:
    text = rated.text("evaluate", "--data-set", "rated", "--protocol", "demo-5fold")
    assert (
        f"These raters scored from {rated.scale.words}, which is stretched to {MODEL_SCALE}. Errors and widths are on {MODEL_SCALE}."
        in text
    )
    assert f"raters' score, on {rated.scale}" in text


# the one place


OTHER_SCALE = """
import sys
from pathlib import Path

import featurestore.scale as scale

scale.MODEL_SCALE = scale.Scale(0.0, 10.0)
scale.RATINGS = scale.np.arange(0.0, 11.0)

from featurestore.training_sets import training_set
from models.baseline.ridge import train_ridge
from models.cross_fitted import CrossFitted
from models.regions.model import SubscoreConfig
from models.regions.train import train_subscores
from tests.synthetic_store import add_trait, make_store

with make_store(Path(sys.argv[1]), trained=False) as store:
    made = training_set(store, add_trait(store, "kind"), 1, "tiny")
    means = store.frame("SELECT mean FROM scores WHERE trait = 'kind'")["mean"]
assert made.train.histograms.shape == (len(made.train), 11)
assert made.train.scores.max() > 5, "scores of 1-7 on 0-10"
subscores = train_subscores(made.train, made.test, SubscoreConfig(epochs=30), lambda _: None)
assert subscores.sub_scores(made.test).max() > 5
assert abs(subscores.predict(made.test).mean() - made.train.scores.mean()) < 1
assert CrossFitted([subscores]).predict(made.test).max() <= 10
"""


def test_no_other_file_knows_the_scale_of_models(tmp_path: Path) -> None:
    """Changed in its one place, training and predictions follow."""
    command = [sys.executable, "-c", OTHER_SCALE, str(tmp_path / "s.duckdb")]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert finished.returncode == 0, finished.stderr
