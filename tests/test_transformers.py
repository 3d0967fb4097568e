"""Landmarks, geometry, shapes and embeddings in pipelines of scikit-learn, by scikit-learn's own checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

import kallos
from extractors.errors import NoFaceError
from featurestore.errors import UsageError
from kallos.engines import pool
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.workflows import transformers
from tests.conftest import Workspace
from tests.golden.rebuild import distorted

REASON = "it fits some other number of columns than landmarks have"
OTHER_COLUMNS = {
    "check_dict_unchanged", "check_dont_overwrite_parameters", "check_dtype_object", "check_estimators_dtypes",
    "check_estimators_fit_returns_self", "check_estimators_nan_inf", "check_estimators_overwrite_params",
    "check_estimators_pickle", "check_f_contiguous_array_estimator", "check_fit2d_1feature", "check_fit2d_1sample",
    "check_fit2d_predict1d", "check_fit_check_is_fitted", "check_fit_idempotent", "check_fit_score_takes_y",
    "check_methods_sample_order_invariance", "check_methods_subset_invariance", "check_n_features_in",
    "check_n_features_in_after_fitting", "check_pipeline_consistency", "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input", "check_transformer_data_not_an_array", "check_transformer_general",
    "check_transformer_preserve_dtypes", "check_transformers_unfitted_stateless",
}  # fmt: skip
"""Checks that `FaceGeometry` and `FaceShapes` cannot pass; below they pass them where any numbers make a face."""
WITHOUT_DATA = (
    "check_estimator_cloneable", "check_estimator_repr", "check_estimator_tags_renamed", "check_get_params_invariance",
    "check_do_not_raise_errors_in_init_or_set_params", "check_mixin_order", "check_no_attributes_set_in_init",
    "check_parameters_default_constructible", "check_set_params", "check_valid_tag_types",
)  # fmt: skip


class _AnyNumbers:
    """Takes any columns: a row becomes a face that is larger the larger its numbers are."""

    def _faces(self, columns):
        return FACE * (1.5 + np.tanh(columns.mean(axis=1)))[:, None, None]


class GeometryOfAny(_AnyNumbers, kallos.FaceGeometry):
    pass


class ShapesOfAny(_AnyNumbers, kallos.FaceShapes):
    pass


FACE = distorted(0.0)


@pytest.mark.parametrize("kind", [kallos.FaceGeometry, kallos.FaceShapes])
def test_checks_of_scikit_learn_fail_by_the_number_of_columns_alone(kind):
    found = check_estimator(kind(), on_skip=None, expected_failed_checks=dict.fromkeys(OTHER_COLUMNS, REASON))
    failed = {each["check_name"]: str(each["exception"]) for each in found if each["status"] == "xfail"}
    assert failed.keys() == OTHER_COLUMNS
    wording = {"check_fit2d_1feature", "check_fit2d_1sample", "check_positive_only_tag_during_fit"}
    assert all(name in wording or "and landmarks have" in text for name, text in failed.items())


@pytest.mark.parametrize("kind", [GeometryOfAny, ShapesOfAny])
def test_all_checks_of_scikit_learn_pass_where_any_numbers_make_a_face(kind):
    found = check_estimator(kind(), on_skip=None)
    assert {each["check_name"] for each in found if each["status"] == "skipped"} <= {"check_array_api_input"}
    assert {each["check_name"] for each in found if each["status"] == "passed"} >= OTHER_COLUMNS


@pytest.mark.parametrize("kind", [kallos.FaceLandmarks, kallos.FaceEmbeddings])
def test_transformers_of_photos_pass_the_checks_that_feed_no_numbers(kind):
    """scikit-learn has none for what is no table of numbers, and says so."""
    with pytest.warns(estimator_checks.SkipTestWarning, match="requires input"):
        assert {each["status"] for each in check_estimator(kind())} == {"passed"}
    for check in WITHOUT_DATA:
        getattr(estimator_checks, check)(kind.__name__, kind())


def test_a_pipeline_from_photos_to_scores(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    photos = sorted((workspace.portraits / "images").iterdir())[:4]
    with kallos.open_store(workspace.store) as store:
        stored = store.frame(
            "FROM images JOIN scores USING (image_id) JOIN geometric_features USING (image_id) "
            "JOIN shapes USING (image_id) JOIN embeddings USING (image_id) ORDER BY path LIMIT 4"
        )
    landmarks = kallos.FaceLandmarks().fit_transform(pl.DataFrame({"photo": [str(photo) for photo in photos]}))
    geometry = kallos.FaceGeometry().set_output(transform="polars").fit_transform(landmarks)
    assert np.allclose(geometry, stored.select(geometry.columns), rtol=1e-5, atol=1e-5, equal_nan=True)
    shapes = kallos.FaceShapes().fit_transform(landmarks)
    assert np.allclose(shapes, np.stack(stored["shape"].to_list()), atol=1e-6)
    embedding = kallos.FaceEmbeddings(workspace.bundle)
    embedded = embedding.fit_transform(photos)
    assert np.allclose(embedded, np.stack(stored["vector"].to_list()), atol=1e-5)
    assert len(embedding.get_feature_names_out()) == embedded.shape[1]
    monkeypatch.setattr(transformers, "MIN_PARALLEL", 4)
    monkeypatch.setattr(pool, "WORKERS", 1)
    assert np.array_equal(embedding.transform(photos), embedded)
    monkeypatch.setattr(transformers, "MIN_PARALLEL", 5)
    model = make_pipeline(kallos.FaceLandmarks(), kallos.FaceShapes(), Ridge(1e-6)).fit(photos, stored["score"])
    assert np.allclose(model.predict(photos), stored["score"], atol=0.05)


def test_photos_that_cannot_be_used_are_named(tmp_path: Path):
    good = paint(draw_parameters(0), 200)
    with pytest.raises(NoFaceError, match=r"X\[1\]: The photo: No face was found.*`kallos.score` names every photo"):
        kallos.FaceLandmarks().transform([good, np.zeros_like(good)])
    for wrong in ("photo.jpg", 3):
        with pytest.raises(UsageError, match="list of photos"):
            kallos.FaceLandmarks().transform(wrong)
    with pytest.raises(ValueError, match="X has 7 features, and landmarks have"):
        kallos.FaceGeometry().fit(np.zeros((2, 7)))
