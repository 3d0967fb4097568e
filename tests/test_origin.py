"""What a prediction says of its model: where it comes from, what it is no better than, whether it saw the photo."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.bundle import FORMAT, MANIFEST, open_bundle
from ensemble.training_photos import SIZE, TrainingPhotos
from featurestore.opening import open_store
from featurestore.records import Comparison, Origin
from kallos.web.service import Service
from kallos.workflows.trained_models import trained_parts
from reports.stats.bootstrap import Estimate, means, resamples
from reports.stats.estimates import estimate_text
from reports.stats.simpler_models import comparisons, doubts
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.hostile.bundles import put, right
from tests.synthetic_store import MODEL_NOISE, PROTOCOL, content, make_store

LEARNT = "The model was trained on this photo."


def photo_of(workspace: Workspace, role: str) -> Path:
    """A portrait of that role in the fold that was trained."""
    with open_store(workspace.store, read_only=True) as store:
        path = store.value(
            "SELECT min(path) FROM predictions JOIN images USING (image_id) WHERE role = $role", role=role
        )
    return workspace.portraits / "images" / path


# beside simpler models


@pytest.fixture
def trained(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb") as store:
        yield store, {"ensemble": f"{PROTOCOL}-1-ensemble-{len(MODEL_NOISE) - 1:08x}"}


def test_a_model_is_set_beside_the_mean_of_its_training_photos(trained):
    store, run_ids = trained
    (comparison,) = comparisons(store, run_ids)
    rows = store.frame(
        "SELECT role, sha256, s.score AS truth, p.score AS predicted FROM predictions p JOIN scores s USING (image_id) "
        "JOIN images USING (image_id) "
        "WHERE run_id = $run ORDER BY image_id",
        run=run_ids["ensemble"],
    )
    learnt, tested = (rows.filter(role=role) for role in ("out_of_fold", "test"))
    truth, predicted = tested["truth"].to_numpy(), tested["predicted"].to_numpy()
    own, mean = np.abs(predicted - truth), np.abs(learnt["truth"].mean() - truth)
    interval = Estimate.from_resamples(0.0, means(resamples(tested["sha256"].to_numpy().astype(str)), own - mean))
    assert comparison == Comparison("mean", 40, own.mean(), mean.mean(), comparison.low, comparison.high)
    assert (comparison.low, comparison.high) == pytest.approx((interval.low, interval.high))
    assert comparison.better
    assert not doubts(Origin("m", ("d",), "score", (1, 5), "p", 1, (comparison,)))


def test_a_model_that_says_the_mean_is_no_better_than_that(trained):
    store, run_ids = trained
    store.execute("UPDATE predictions SET score = 3 WHERE run_id = $run", run=run_ids["ensemble"])
    (comparison,) = comparisons(store, run_ids)
    assert not comparison.better
    assert abs(comparison.mae - comparison.mae_beside) < 0.2


@pytest.mark.parametrize(("tested", "out_of_fold"), [(20, False), (19, True), (1, True), (0, True)])
def test_with_few_test_photos_it_is_compared_on_training_photos_out_of_fold(trained, tested, out_of_fold):
    store, run_ids = trained
    learnt = store.value(
        "SELECT count(*) FROM predictions WHERE role = 'out_of_fold' AND run_id = $id", id=run_ids["ensemble"]
    )
    store.execute(
        "DELETE FROM predictions WHERE role = 'test' AND image_id NOT IN (SELECT DISTINCT image_id FROM predictions "
        "WHERE role = 'test' ORDER BY image_id LIMIT $tested)",
        tested=tested,
    )
    (comparison,) = comparisons(store, run_ids)
    assert (comparison.n, comparison.out_of_fold) == (learnt if out_of_fold else tested, out_of_fold)
    store.execute("UPDATE predictions SET score = 1 WHERE run_id = $run", run=run_ids["ensemble"])
    (sentence,) = doubts(Origin("m", ("d",), "score", (1, 5), "p", 1, comparisons(store, run_ids)))
    photos = f"{learnt} training photos, out of fold," if out_of_fold else f"{tested} test photos"
    assert sentence.startswith(f"On its {photos} the model was ")


def test_where_one_photo_is_predicted_nothing_is_said(trained):
    store, run_ids = trained
    store.execute("DELETE FROM predictions WHERE role = 'test' OR image_id <> (SELECT max(image_id) FROM predictions)")
    assert comparisons(store, run_ids) == ()


@pytest.mark.parametrize(
    ("mae", "low", "high", "words"),
    [
        (0.6, -0.1, 0.3, "no better than the linear floor (ridge): mean error 0.6 against 0.5"),
        (0.5, 0.0, 0.0, "no better than"),
        (0.45, -0.15, 0.05, "not clearly better than"),
        (0.45, -0.15, -0.01, None),
    ],
)
def test_a_doubt_is_a_sentence_with_its_figures(mae, low, high, words):
    found = doubts(Origin("m", ("d",), "score", (1, 5), "p", 1, (Comparison("ridge", 1200, mae, 0.5, low, high),)))
    assert len(found) == (words is not None)
    for sentence in found:
        assert sentence.startswith("On its 1,200 test photos the model was ")
        assert words in sentence
        assert f"difference {estimate_text(Estimate(mae - 0.5, low, high), sign=True)} (95 % interval)." in sentence


@pytest.mark.parametrize(("scale", "named"), [((1, 5), "1-5"), ((1, 7), "1-7"), ((0, 100), "0-100"), (None, "1-5")])
def test_a_doubt_is_on_the_raters_own_scale(scale, named):
    (found,) = doubts(Origin("m", ("d",), "score", scale, "p", 1, (Comparison("mean", 30, 0.6, 0.5, -0.1, 0.3),)))
    points = (scale[1] - scale[0]) / 4 if scale else 1
    mae, beside, low, high = (points * error for error in (0.6, 0.5, -0.1, 0.3))
    digits = 1 if points < 10 else 0
    assert f"mean error {mae:.{digits}f} against {beside:.{digits}f} on {named}, difference" in found
    assert f"[{low:+.{digits}f}, {high:+.{digits}f}] (95 % interval)." in found


def test_the_comparison_with_ridge_is_that_of_the_report(workspace: Workspace):
    with open_store(workspace.store, read_only=True) as store:
        parts = trained_parts(store, None, None)
    beside = {comparison.beside: comparison for comparison in parts.comparisons}["ridge"]
    ids = [word for model in ("ensemble", "ridge") for word in ("--run", parts.run_ids[model])]
    best, other = kallos_ok("report", "compare", *ids, "--json", "--store", workspace.store).json()["runs"]
    sign = 1 if other["run_id"] == parts.run_ids["ensemble"] else -1
    ends = sorted(sign * other["mae"][end] for end in ("low", "high"))
    assert (beside.low, beside.high) == pytest.approx(ends)
    assert beside.mae - beside.mae_beside == pytest.approx(sign * other["mae"]["value"])
    assert {best["run_id"], other["run_id"]} == {parts.run_ids["ensemble"], parts.run_ids["ridge"]}


def test_a_bundle_carries_the_origin_of_its_store(workspace: Workspace):
    with open_store(workspace.store, read_only=True) as store:
        parts = trained_parts(store, None, None)
    assert [comparison.beside for comparison in parts.comparisons] == ["mean", "ridge"]
    assert open_bundle(workspace.bundle).origin == parts.origin
    assert open_bundle(workspace.bundle).photos == parts.photos


def test_every_form_of_a_prediction_names_the_model_and_its_doubts(workspace: Workspace, tmp_path: Path, many: int):
    options = ("--bundle", workspace.bundle, "--store", tmp_path / "none.duckdb")
    origin = open_bundle(workspace.bundle).origin
    named = f"{origin.model}, trained on demo (demo-5fold, fold 1)."
    assert doubts(origin), "two epochs on 96 portraits are worth little"
    for arguments in (("score", workspace.portrait), ("explain", workspace.portrait)):
        output = kallos_ok(*arguments, *options).out
        assert max(map(len, output.splitlines())) <= 80
        text = " ".join(output.replace("│", " ").split())
        assert all(sentence in text for sentence in (named, *doubts(origin)))
        answer = kallos_ok(*arguments, "--json", *options).json()
        prediction = answer["predictions"][0] if "predictions" in answer else answer
        assert prediction["doubts"] == doubts(origin)
        assert prediction["origin"]["protocol"] == "demo-5fold"
        assert len(prediction["origin"]["comparisons"]) == 2
    lines = kallos_ok("score", *[workspace.portrait] * many, *options).out
    assert all(lines.count(sentence) == 1 for sentence in (named, *doubts(origin)))


# photos that were learnt from


def test_training_photos_are_recognised_and_no_others():
    hashes = [content(f"photo {i}") for i in range(3000)]
    photos = TrainingPhotos.from_hashes(hashes[:2000], "some key")
    assert all(sha256 in photos for sha256 in hashes[:2000])
    assert not any(sha256 in photos for sha256 in hashes[2000:])
    assert len(photos.content) == 2000 * SIZE
    assert content("photo 0") not in TrainingPhotos.from_hashes([], "some key")
    # bundles of earlier versions hold these bytes
    assert TrainingPhotos.from_hashes(["aa", "bb"], 70 * "m").content.hex() == "7974c4f9a4d120319e14"


def test_training_photos_are_kept_and_not_named(tmp_path: Path):
    hashes = [content(f"photo {i}") for i in range(200)]
    one, other = TrainingPhotos.from_hashes(hashes, "one"), TrainingPhotos.from_hashes(hashes, "other")
    one.save(tmp_path / "photos")
    assert TrainingPhotos.load(tmp_path / "photos", "one") == one
    pieces = [{photos.content[i : i + SIZE] for i in range(0, len(photos.content), SIZE)} for photos in (one, other)]
    assert not pieces[0] & pieces[1]
    assert not any(bytes.fromhex(sha256)[:SIZE] in one.content for sha256 in hashes)


@pytest.mark.parametrize(("role", "expected"), [("out_of_fold", True), ("test", False)])
@pytest.mark.parametrize("models", ["bundle", "store"])
def test_a_photo_that_was_trained_on_is_said_to_be_one(
    workspace: Workspace, tmp_path: Path, role, expected, models, many: int
):
    photo = tmp_path / "under another name.jpg"
    shutil.copy(photo_of(workspace, role), photo)
    elsewhere = tmp_path / "none.duckdb"
    options = (
        ("--store", workspace.store) if models == "store" else ("--bundle", workspace.bundle, "--store", elsewhere)
    )
    prediction = kallos_ok("score", photo, "--json", *options).json()["predictions"][0]
    assert (prediction["in_training"], LEARNT in prediction["notes"]) == (expected, expected)
    assert (LEARNT in kallos_ok("score", photo, *options).out) == expected
    if models == "bundle":
        assert prediction["notes"][:1] == [LEARNT] * expected or not expected
        assert kallos_ok("explain", photo, "--json", *options).json()["in_training"] == expected
        assert (f"! {LEARNT}" in kallos_ok("explain", photo, *options).out) == expected
        assert kallos_ok("score", *[photo] * many, *options).out.count(LEARNT) == many * expected


def test_the_page_says_it_too(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), None, "# A card") as service:
        report, _ = service.explain(photo_of(workspace, "out_of_fold"), None)
    assert report.in_training
    assert report.notes[0] == LEARNT


def test_the_same_picture_in_another_file_is_not_recognised(workspace: Workspace, tmp_path: Path):
    with Image.open(photo_of(workspace, "out_of_fold")) as picture:
        picture.save(tmp_path / "again.png")
    answer = kallos_ok("score", tmp_path / "again.png", "--json", "--bundle", workspace.bundle).json()
    (prediction,) = answer["predictions"]
    assert not prediction["in_training"]


def test_what_is_exported_after_an_erasure_no_longer_knows_the_photo(workspace: Workspace, tmp_path: Path):
    store = tmp_path / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    with open_store(store) as opened:
        image_id, sha256 = opened.frame(
            "SELECT image_id, sha256 FROM predictions JOIN images USING (image_id) WHERE role = 'out_of_fold' LIMIT 1"
        ).row(0)
    output = kallos_ok("erase", image_id, "--store", store).out
    assert "still recognise the photo" in " ".join(output.split())
    with open_store(store, read_only=True) as opened:
        assert sha256 not in trained_parts(opened, None, None).photos
    assert sha256 in open_bundle(workspace.bundle).photos


def test_a_bundle_of_an_earlier_format_says_how_to_get_a_newer_one(workspace: Workspace, tmp_path: Path):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    put(bundle / MANIFEST, (bundle / MANIFEST).read_bytes().replace(FORMAT.encode(), b"kallos.bundle/1"))
    right(bundle)
    answer = kallos("score", workspace.portrait, "--bundle", bundle)
    assert answer.code == 9
    assert "export it again" in answer.err
    kallos_ok("export", bundle, "--no-onnx", "--store", workspace.store)
    assert open_bundle(bundle).photos == open_bundle(workspace.bundle).photos
