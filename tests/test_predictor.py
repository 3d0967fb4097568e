"""The last steps of a prediction: what is refused, which notes a score has, and photos of several faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import kallos
from ensemble.bundle import open_bundle
from ensemble.intervals import EVERYONE, Intervals
from ensemble.predictor import NO_INTERVAL, Predictor
from extractors.values import face_of
from featurestore.calibration import FEWEST
from featurestore.errors import BundleError
from featurestore.scale import RATINGS
from tests.conftest import Workspace


@pytest.fixture
def predictor(workspace: Workspace):
    with kallos.load_bundle(workspace.bundle) as opened:
        yield opened


def everyone(predictor: Predictor, **changed: object) -> Intervals:
    return Intervals({EVERYONE: replace(predictor.intervals.everyone, **changed)})


class NoNumber:
    def predict(self, _: object) -> np.ndarray:
        return np.array([np.nan])


def test_a_member_without_a_number_is_refused_though_the_score_has_one(predictor: Predictor, workspace: Workspace):
    predictor.models["broken"] = NoNumber()
    with pytest.raises(BundleError, match="return no number"):
        predictor.predict(workspace.portrait)


def test_an_interval_without_a_number_is_refused(predictor: Predictor, workspace: Workspace):
    predictor.intervals = everyone(predictor, scores=(1.0, 5.0), half_widths=(np.nan, np.nan))
    with pytest.raises(BundleError, match="return no number"):
        predictor.predict(workspace.portrait)


def test_a_score_without_an_interval_says_why(predictor: Predictor, workspace: Workspace):
    with_interval = predictor.predict(workspace.portrait)
    why = NO_INTERVAL.format(fewest=FEWEST, n=12)
    predictor.intervals = everyone(predictor, n=12, half_widths=())
    without = predictor.predict(workspace.portrait)
    assert (without.low, without.high) == (None, None)
    assert why in without.notes
    assert not any("interval" in note for note in with_interval.notes)
    assert with_interval.low < with_interval.score < with_interval.high


def test_each_face_of_a_photo_has_a_score_and_one_is_said_to_be_the_largest(predictor: Predictor, workspace: Workspace):
    portrait = Image.open(workspace.portrait)
    width, height = portrait.size
    photo = Image.new("RGB", (2 * width, height))
    photo.paste(portrait, (0, 0))
    photo.paste(portrait.resize((width // 2, height // 2)), (width, 0))
    large, small = predictor.predict_faces(photo)
    assert np.ptp(large.landmarks, axis=0)[0] > np.ptp(small.landmarks, axis=0)[0]
    of_photo = predictor.predict(photo)
    assert of_photo.score == large.score != small.score
    assert any("2 faces" in note for note in of_photo.notes)
    assert not any("faces" in note for note in predictor.predict(portrait).notes)


def test_groups_come_by_name(predictor: Predictor):
    calibration = predictor.intervals.everyone
    predictor.intervals = Intervals(dict.fromkeys((EVERYONE, "f", "b", "d", "a", "e", "c"), calibration))
    assert predictor.groups == ["a", "b", "c", "d", "e", "f"]


def test_a_face_is_a_batch_of_one_row(predictor: Predictor, workspace: Workspace):
    face = face_of(np.asarray(Image.open(workspace.portrait)), predictor._finder)
    batch, raw = predictor.batch_of("p", face)
    assert batch.histograms.shape == (1, len(RATINGS))
    for values in (batch.features, batch.shapes, batch.embeddings, batch.scores, batch.faces, raw):
        assert len(values) == 1
    assert raw.shape == batch.features.shape == (1, len(predictor.normalization.features))


@pytest.mark.parametrize("place", [0, -2], ids=["first", "last"])
def test_models_that_need_an_unknown_feature_are_refused(workspace: Workspace, place: int):
    bundle = open_bundle(workspace.bundle)
    features = list(bundle.normalization.features)
    features[place] = "made_up"
    other = replace(bundle, normalization=replace(bundle.normalization, features=tuple(features)))
    with pytest.raises(BundleError, match="need the feature made_up"):
        Predictor(other)
