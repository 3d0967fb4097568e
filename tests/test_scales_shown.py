"""Every report and command that shows a score or an error says which scale it is on: the raters' own, or 1-5."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from featurestore.duplicates import find_near_duplicates
from featurestore.opening import open_store
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.store import Store
from featurestore.traits import scale_of_scores
from reports.pages import evaluation
from reports.registry import PAGES
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import estimate_text
from reports.stats.selection import Selection
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.crossed import crossed
from tests.synthetic_store import DATA_SET, TRAIT, make_store, stretch, train_fold
from tests.test_duplicates import plant

SCALES = (Scale(-3, 3), MODEL_SCALE, Scale(1, 7))
ERRORS = "MAE and RMSE are on the scale of 1 to 5"

IN_REPORTS = {
    "overview": (ERRORS,),
    "dataset": ("on {own}{beside}, sd", "score, {own}", "sd in an image, on {own}"),
    "features": (),
    "training": (ERRORS, "MAE on 1-5, held out"),
    "evaluation": (
        ERRORS,
        "Bias is the mean of predicted - true; it and MAE are on the scale of 1 to 5",
        "Predicted against true {model}, on {own}",
        "true score, {own}",
        "Errors {model}, on {own}",
        "predicted - true, {own}",
        "Calibration {model}, on {own}",
        "Largest errors {model}, on {own}",
    ),
    "benchmark": (
        ERRORS,
        "it and MAE are on the scale of 1 to 5",
        "the mean width is {score} on {own}{beside}",
        "mean, on 1-5.",
    ),
    "subscores": ("on {own}", "from {words}"),
    "compare": (ERRORS,),
    "lineage": ("on {own}{beside} on average", "Scores of the models on {own}"),
    "raters": ("Whose taste of ratings on {own}", "bias on {own}"),
    "study": ("raters' score, 1-5",),
    "shape": (),  # correlations and shares alone
}
"""What each shows on a store of made-up runs."""

IN_COMMANDS = {
    "duplicates": ("Nearest pairs scores on {own}",),
    "similar made-up/0002.png --by landmarks": ("; scores on {own} rank",),
}
"""The same of commands."""

IN_PREDICTIONS = {
    "score PHOTO": ("score on {own} ", " on {own}, difference "),
    "explain PHOTO": (
        "score {score} on {own}{beside}, 90 % interval",
        " on {own}, difference ",
        "How the score is made on 1-5",
        "Among the photos of the store on {own}",
        "Region by region on 1-5; points",
        "What moved the regions points on 1-5",
        "measured features points on 1-5",
        "image score on {own} subset distance",
    ),
    "similar PHOTO": ("; scores on {own} rank",),
}
"""What commands with models show on drawn portraits."""

AnswerOf = Callable[..., str]


def missing(text: str, labels: tuple[str, ...], own: Scale) -> list[str]:
    """The labels that a text lacks."""
    figure = r"-?\d+\.\d+"
    beside = "" if own == MODEL_SCALE else rf" \({figure} on 1-5\)"
    model = r"[^,]+(, which scores new photos)?"
    places = {"own": re.escape(str(own)), "words": own.words, "beside": beside, "score": figure, "model": model}
    patterns = (re.sub(r"\\\{(\w+)\\\}", lambda place: places[place[1]], re.escape(label)) for label in labels)
    return [pattern for pattern in patterns if not re.search(pattern, text)]


def in_one_line(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest) -> Scale:
    return request.param


@pytest.fixture(scope="module")
def answer_of(own: Scale, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> AnswerOf:
    """What a command prints on a store whose raters used that scale: made-up runs, or portraits with real models."""
    folder = tmp_path_factory.mktemp("scales")
    synthetic, portraits = folder / "s.duckdb", folder / "kallos.duckdb"
    # so many that every group has enough people in a test fold
    with make_store(synthetic, 180) as store:
        train_fold(store, 2, np.random.default_rng(5))
        plant(store, 7, like=3)
        find_near_duplicates(store)
        stretch(store, own)
    shutil.copy(workspace.store, portraits)
    shutil.copytree(workspace.store.with_suffix(".runs"), portraits.with_suffix(".runs"))
    with open_store(portraits) as store:
        stretch(store, own)

    @cache
    def answered(line: str) -> str:
        words = [str(workspace.portrait) if word == "PHOTO" else word for word in line.split()]
        return kallos_ok(*words, "--store", portraits if "PHOTO" in line else synthetic).out

    return answered


def test_no_report_is_left_out():
    assert set(IN_REPORTS) == set(PAGES)


LABELS = {f"report {name}": labels for name, labels in IN_REPORTS.items()} | IN_COMMANDS | IN_PREDICTIONS


@pytest.mark.parametrize(("line", "own"), crossed(LABELS, SCALES, every=4), indirect=["own"])
def test_it_names_the_scale(answer_of: AnswerOf, own: Scale, line: str):
    text = in_one_line(answer_of(line))
    assert not missing(text, LABELS[line], own)
    assert not re.search(r"on 1-5 \([^)]*on 1-5\)", text)


# the figures


@pytest.fixture
def seven(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 48) as store:
        plant(store, 7, like=3)
        find_near_duplicates(store)
        stretch(store, Scale(1, 7))
        yield store


def means(store: Store) -> dict[str, str]:
    """image_id -> the raters' mean on their own scale."""
    return {image_id: f"{mean:.2f}" for image_id, mean in store.frame("SELECT image_id, mean FROM scores").iter_rows()}


def test_neighbours_and_near_duplicates_have_the_raters_mean(seven: Store):
    known, options = means(seven), ("--store", seven.path)
    seven.close()
    similar = ("similar", f"{DATA_SET}/0002.png", "--by", "landmarks", *options)
    report = kallos_ok(*similar, "--json").json()
    assert report["scale"] == [1, 7]
    text = kallos_ok(*similar).out
    for near in report["neighbours"]:
        assert re.search(rf"{near['image_id']} +[\d.]+ +{known[near['image_id']]} ", text)
    (pair,) = kallos_ok("duplicates", *options, "--json").json()["pairs"]
    scores = [known[pair[name]] for name in ("image_id", "other_id")]
    difference = 1.5 * abs(pair["score"] - pair["other_score"])
    assert re.search(rf"{scores[0]} +{scores[1]} +{difference:.2f}", kallos_ok("duplicates", *options).out)


def test_scores_of_several_scales_are_on_that_of_models(seven: Store):
    ids = [f"{DATA_SET}/{i:04d}.png" for i in range(48)]
    assert scale_of_scores(seven, ids) == scale_of_scores(seven, ids[:1]) == (1, 7)
    seven.execute("INSERT INTO data_sets VALUES ('other', NULL)")
    seven.execute("INSERT INTO traits VALUES ('other', $t, 0, 100)", t=TRAIT)
    seven.execute("INSERT INTO locations SELECT 'other', root, files FROM locations")
    seven.execute("UPDATE images SET data_set = 'other' WHERE image_id > 'made-up/0024'")
    assert scale_of_scores(seven, ids) is None
    assert scale_of_scores(seven, ids[-1:]) == (0, 100)
    assert scale_of_scores(seven, []) is None
    options = ("--store", seven.path)
    seven.close()
    mixed = in_one_line(kallos_ok("similar", ids[2], "--by", "landmarks", "-k", 40, *options).out)
    assert "; scores on 1-5 rank" in mixed
    alone = in_one_line(kallos_ok("similar", ids[2], "--by", "landmarks", "--data-set", "other", *options).out)
    assert "; scores on 0-100 rank" in alone


def test_pictures_of_errors_are_on_the_raters_own_scale(seven: Store):
    report = evaluation.data(seven, Selection())
    agreement, errors = evaluation.figures(report)
    for run, (title, plot) in zip(report.runs, errors.panels, strict=True):
        mae = run.figures["mae"]
        own = Estimate(1.5 * mae.value, 1.5 * mae.low, 1.5 * mae.high)
        assert title == f"{run.name}   MAE {estimate_text(own)}"
        assert plot.x_label == "predicted - true, 1-7"
    assert {plot.x_label for _, plot in agreement.panels} == {"true score, 1-7"}
