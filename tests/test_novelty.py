"""A photo unlike those that were learnt from is named, and an ordinary one seldom is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ensemble.novelty import Novelty, pose
from ensemble.parts import parts_of_store
from ensemble.predictor import Predictor
from extractors.errors import NoFaceError
from extractors.topologies.facemesh_468 import TOPOLOGY
from extractors.values import face_of
from featurestore.opening import open_store
from featurestore.training_sets import TrainingSet, training_set
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.workflows.stored_faces import load_landmarks

MESH = TOPOLOGY.mesh

Image = NDArray[np.uint8]


def turn(axis: int, degrees: float) -> NDArray[np.float64]:
    """Rotation about x (0), y (1) or z (2)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    matrix[i, i] = matrix[j, j] = cos
    matrix[i, j], matrix[j, i] = -sin, sin
    return matrix


@settings(max_examples=50, deadline=None)
@given(axis=st.sampled_from([0, 1, 2]), degrees=st.floats(-60, 60), scale=st.floats(5, 500))
def test_a_turned_face_has_the_angle_it_was_turned_by(axis: int, degrees: float, scale: float) -> None:
    face = (scale * MESH @ turn(axis, degrees).T + (200, 150, 30)).astype(np.float32)
    yaw, pitch, roll = pose(face[None])[0]
    measured = {0: pitch, 1: yaw, 2: roll}
    assert abs(measured.pop(axis)) == pytest.approx(abs(degrees), abs=0.05)
    assert max(map(abs, measured.values())) < 0.05


@pytest.mark.parametrize("degrees", [-20, 20])
def test_angles_have_the_signs_that_are_documented(degrees: int) -> None:
    """In a photo x runs to where the subject's left is, and y down; landmark 1 is the tip of the nose, 263 an eye."""

    def moved(axis: int, landmark: int) -> NDArray[np.float64]:
        return (MESH @ turn(axis, degrees).T - MESH)[landmark]

    pitch, yaw, roll = (pose((MESH @ turn(axis, degrees).T)[None].astype(np.float32))[0] for axis in range(3))
    assert np.sign(yaw[0]) == -np.sign(moved(1, 1)[0]), "positive towards the subject's right"
    assert np.sign(pitch[1]) == np.sign(moved(0, 1)[1]), "positive when the head is lowered"
    assert np.sign(roll[2]) == np.sign(moved(2, 263)[1]), "positive when it is tilted clockwise"


@pytest.fixture(scope="module")
def fold(workspace) -> tuple[TrainingSet, NDArray[np.float32], NDArray[np.float32]]:
    with open_store(workspace.store) as store:
        rows = training_set(store, "demo-5fold", 1)
        return rows, load_landmarks(store, rows.train.image_ids), load_landmarks(store, rows.test.image_ids)


@pytest.fixture(scope="module")
def novelty(fold) -> Novelty:
    return Novelty.fit(fold[0].train, fold[1], fold[0].train.image_ids)


def test_what_is_saved_says_the_same(novelty, fold, tmp_path):
    novelty.save(tmp_path)
    again = Novelty.load(tmp_path)
    rows, _, landmarks = fold
    before, after = novelty.measure(rows.test, landmarks), again.measure(rows.test, landmarks)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert (again.limits, again.shares, again.photos) == (novelty.limits, novelty.shares, novelty.photos)


def test_labels_are_not_looked_at(novelty, fold):
    rows, landmarks, _ = fold
    scrambled = rows.train.take(np.arange(len(rows.train)))
    scrambled.scores[:] = np.nan
    assert Novelty.fit(scrambled, landmarks, scrambled.image_ids).limits == novelty.limits


@pytest.fixture(scope="module")
def predictor(workspace):
    with open_store(workspace.store, read_only=True) as store:
        parts = parts_of_store(store)
    with Predictor(parts) as opened:
        yield opened


def warned(predictor: Predictor, image: Image) -> tuple[str, ...]:
    face = face_of(image, predictor._finder)
    batch, _ = predictor.batch_of("photo", face)
    return predictor.novelty.warnings(batch, face.landmarks)


def rolled(image: Image) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 35, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def covered(image: Image, landmarks: NDArray[np.float32]) -> Image:
    """A patch over the mouth."""
    image, (x, y) = image.copy(), landmarks[[13, 14], :2].mean(axis=0).astype(int)
    cv2.rectangle(image, (x - 45, y - 30), (x + 45, y + 30), (90, 110, 160), -1)
    return image


SPOILT: dict[str, tuple[Callable[[Image], Image], str]] = {
    "rolled": (rolled, "tilted"),
    "blurred": (lambda image: cv2.GaussianBlur(image, (0, 0), 5), "less sharp"),
    "shrunk": (lambda image: cv2.resize(image, (70, 70), interpolation=cv2.INTER_AREA), "pixels wide"),
    "darkened": (lambda image: (image * 0.25).astype(np.uint8), "darker"),
}


@pytest.fixture(scope="module")
def portraits() -> list[Image]:
    return [paint(draw_parameters(seed)) for seed in range(9000, 9012)]


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_portraits_are_named_for_what_spoils_them(how, predictor, portraits):
    spoil, phrase = SPOILT[how]
    named = seen = 0
    for image in portraits:
        try:
            warnings = warned(predictor, spoil(image))
        except NoFaceError:
            continue
        seen += 1
        named += any(phrase in warning for warning in warnings)
    assert seen >= 6
    assert named >= 0.8 * seen


def test_a_covered_mouth_is_noticed(predictor, portraits):
    named = 0
    for image in portraits:
        landmarks = face_of(image, predictor._finder).landmarks
        plain = set(warned(predictor, image))
        named += bool(set(warned(predictor, covered(image, landmarks))) - plain)
    assert named >= 9


def test_ordinary_portraits_are_seldom_named(predictor, portraits):
    assert sum(bool(warned(predictor, image)) for image in portraits) <= 6
