"""Faces without what is around them: what is painted, and `kallos evaluate --face-alone` on drawn portraits."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from extractors.alignment import align_face
from extractors.background import GREY, background_alone, face_alone
from extractors.decode import decode
from extractors.topologies.registry import topology_of
from featurestore.opening import open_store
from featurestore.upkeep.erasure import erase
from kallos.workflows.open import load_bundle
from kallos.workflows.stored_faces import aligned_faces
from models.registry import ENSEMBLE
from reports.cards.write import cards
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import estimate_text
from tests.command import kallos, kallos_ok
from tests.test_cli import refused

TITLE = "## How much of a score is not the face"


@pytest.fixture(scope="module")
def crop(workspace):
    with load_bundle(workspace.bundle) as predictor:
        landmarks = predictor.predict(workspace.portrait).landmarks
    return align_face(decode(workspace.portrait), landmarks)


@pytest.fixture(scope="module")
def evaluated(workspace, tmp_path_factory):
    """A copy of the store whose models were evaluated twice on faces alone, and the report as JSON."""
    store = tmp_path_factory.mktemp("faces") / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    kallos_ok("evaluate", "--face-alone", "--store", store)
    return store, kallos_ok("evaluate", "--face-alone", "--json", "--store", store).json()


def test_each_pixel_is_in_one_of_the_two_pictures(crop):
    face, around = face_alone(crop).image, background_alone(crop).image
    in_face, in_background = (np.any(image != GREY, axis=2) for image in (face, around))
    assert not (in_face & in_background).any()
    assert np.array_equal(np.where(in_face[..., None], face, around), crop.image)
    assert 0.2 < in_face.mean() < 0.5


def test_the_eyes_are_the_face_and_the_corners_are_not(crop):
    topology = topology_of(crop.landmarks)
    for contour in ("right_eye", "left_eye", "lips_outer", "nose"):
        x, y = np.rint(crop.landmarks[list(topology.contours[contour])].mean(axis=0)).astype(int)
        assert (face_alone(crop).image[y, x] == crop.image[y, x]).all()
        assert (background_alone(crop).image[y, x] == GREY).all()
    assert (face_alone(crop).image[[0, 0, -1, -1], [0, -1, 0, -1]] == GREY).all()


def test_a_face_alone_does_not_depend_on_what_was_around_it(crop):
    around = np.all(face_alone(crop).image == GREY, axis=2)
    noise = np.random.default_rng(0).integers(0, 256, crop.image.shape, dtype=np.uint8)
    elsewhere = replace(crop, image=np.where(around[..., None], noise, crop.image))
    assert np.array_equal(face_alone(elsewhere).image, face_alone(crop).image)


def test_scores_are_those_of_the_models_on_photos_in_grey(evaluated, workspace):
    path, _ = evaluated
    with open_store(path, read_only=True) as store, load_bundle(workspace.bundle) as predictor:
        stored = store.frame(
            "SELECT image_id, model, score FROM predictions JOIN runs USING (run_id) "
            "WHERE role = 'face_alone' ORDER BY image_id"
        )
        image_id = stored["image_id"][0]
        (face,) = aligned_faces(store, (image_id,))
        batch, _ = predictor.batch_of(image_id, replace(face, aligned=face_alone(face.aligned)))
        expected = predictor.scores(batch)
    found = dict(stored.filter(image_id=image_id).select("model", "score").iter_rows())
    assert found == pytest.approx({model: score.item() for model, score in expected.items()}, abs=1e-3)


def test_figures_are_those_of_the_stored_predictions(evaluated):
    path, report = evaluated
    first = report["models"][0]
    assert first["name"] == ENSEMBLE
    with open_store(path, read_only=True) as store:
        tested = store.value("SELECT count(*) FROM splits WHERE protocol = 'demo-5fold' AND fold = 1 AND role = 'test'")
        for model in report["models"]:
            n, change, size, correlation, before, after = store.frame(
                "SELECT count(*), avg(g.score - t.score), avg(abs(g.score - t.score)), corr(g.score, t.score), "
                "corr(t.score, s.score), corr(g.score, s.score) FROM predictions g "
                "JOIN predictions t USING (run_id, image_id) JOIN runs USING (run_id) JOIN scores s USING (image_id, trait) "
                "WHERE run_id = $run AND g.role = 'face_alone' AND t.role = 'test'",
                run=model["run_id"],
            ).row(0)
            assert model["n"] == n == tested
            found = [model[name]["value"] for name in ("change", "size", "correlation", "before", "after")]
            assert found == pytest.approx([change, size, correlation, before, after])
    # hair and background are drawn, so models that see pixels cannot say the very same
    assert max(model["size"]["value"] for model in report["models"]) > 0.001


def test_cards_tell_of_it_when_it_was_measured(evaluated, workspace):
    path, report = evaluated
    first = report["models"][0]
    with open_store(path, read_only=True) as store:
        card = cards(store, first["run_id"])["MODEL_CARD.md"].partition(TITLE)[2]
    change, size = (Estimate(**first[name]) for name in ("change", "size"))
    assert f"| {ENSEMBLE} | {first['n']} | {estimate_text(change, sign=True)} | {estimate_text(size)} |" in card
    with open_store(workspace.store, read_only=True) as store:
        before = cards(store, first["run_id"])["MODEL_CARD.md"].partition(TITLE)[2]
    assert before.strip().startswith("It was not measured: `kallos evaluate --face-alone` does it.")


def test_a_photo_is_erased_from_it_and_was_not_trained_on(evaluated, tmp_path):
    path, _ = evaluated
    copy = tmp_path / "kallos.duckdb"
    shutil.copy(path, copy)
    with open_store(copy, read_only=True) as store:
        image_id = store.value("SELECT min(image_id) FROM predictions WHERE role = 'face_alone'")
        learnt = store.frame("SELECT DISTINCT run_id FROM predictions WHERE role = 'out_of_fold'")["run_id"]
    erased = erase(copy, [image_id], lambda _: None).receipt
    assert not set(learnt) & set(erased.trained)
    with open_store(copy, read_only=True) as store:
        assert not store.value("SELECT count(*) FROM predictions WHERE image_id = $id", id=image_id)
        assert store.value("SELECT count(*) FROM predictions WHERE role = 'face_alone'")


def test_what_cannot_be_evaluated_is_named(workspace):
    options = ("--store", workspace.store)
    refused(kallos("evaluate", *options), 2, "--data-set NAME", "--face-alone")
    refused(kallos("evaluate", "--face-alone", "--data-set", "demo", *options), 2, "one of")
    refused(kallos("evaluate", "--face-alone", "--bundle", workspace.bundle, *options), 2, "leave out --bundle")
    refused(kallos("evaluate", "--face-alone", "--protocol", "other", *options), 2, "demo-5fold")
