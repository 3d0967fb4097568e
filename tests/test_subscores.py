"""Model B: sub-scores see their own region only, stay on the scale, and add up to the score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.regions import PROPORTION, REGIONS
from featurestore.errors import PrerequisiteError
from featurestore.records import Evaluation, FaceBatch
from featurestore.scale import MODEL_SCALE
from models.cross_fitted import CrossFitted
from models.regions.model import SubscoreConfig, SubscoreModel
from models.regions.train import train_subscores
from tests.face_batches import learnable_batch, split

CONFIG = SubscoreConfig(epochs=25, batch_size=32)


@pytest.fixture(scope="module")
def batch() -> FaceBatch:
    return learnable_batch(300)


@pytest.fixture(scope="module", params=[False, True], ids=["features", "with embedding"])
def model(batch: FaceBatch, request: pytest.FixtureRequest) -> SubscoreModel:
    config = replace(CONFIG, use_embedding=request.param)
    return train_subscores(*split(batch), config, lambda _: None)


def test_the_score_is_the_weighted_sum_of_sub_scores(model: SubscoreModel, batch: FaceBatch) -> None:
    sub_scores, weights = model.sub_scores(batch), model.weights
    assert sub_scores.shape == (len(batch), len(REGIONS))
    assert weights.shape == (len(REGIONS),)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights > 0).all()
    assert np.array_equal(model.predict(batch), sub_scores @ weights)


@settings(max_examples=25, deadline=None)
@given(region=st.sampled_from(REGIONS), change=st.floats(-50, 50), row=st.integers(0, 299))
def test_a_sub_score_depends_on_its_own_region_only(
    model: SubscoreModel, batch: FaceBatch, region: str, change: float, row: int
) -> None:
    one = batch.take(np.array([row]))
    moved = one.features.copy()
    moved[:, one.columns_of(region)] += change
    seen = {name: values + np.float32(change) * (name == region) for name, values in one.region_embeddings.items()}
    before = model.sub_scores(one)
    after = model.sub_scores(replace(one, features=moved, region_embeddings=seen, embeddings=one.embeddings + 1))
    others = [i for i, name in enumerate(REGIONS) if name != region]
    assert np.array_equal(before[:, others], after[:, others])
    assert ((after >= MODEL_SCALE.low) & (after <= MODEL_SCALE.high)).all()


def test_the_sub_score_of_symmetry_sees_proportions(batch: FaceBatch) -> None:
    first = batch.columns_of("symmetry")[0]
    regions = tuple(PROPORTION if i == first else region for i, region in enumerate(batch.feature_regions))
    with_proportion = replace(batch, feature_regions=regions)
    for region in REGIONS:
        assert np.array_equal(with_proportion.columns_of(region), batch.columns_of(region))


def test_a_region_with_features_reacts_to_them(model: SubscoreModel, batch: FaceBatch) -> None:
    moved = batch.features.copy()
    moved[:, batch.columns_of("eyes")] += 1.0
    change = model.sub_scores(replace(batch, features=moved)) - model.sub_scores(batch)
    assert np.abs(change[:, REGIONS.index("eyes")]).max() > 0.01


def test_a_region_without_features_is_constant_unless_it_sees_the_embedding(
    model: SubscoreModel, batch: FaceBatch
) -> None:
    spread = np.ptp(model.sub_scores(batch)[:, REGIONS.index("skin")])
    assert (spread > 0.01) if model.config.use_embedding else (spread == 0)


def test_it_learns_and_stays_off_the_ends(model: SubscoreModel, batch: FaceBatch) -> None:
    held_out = split(batch)[1]
    # half of the scores' variance lies in the embedding
    floor = 0.75 if model.config.use_embedding else 0.45
    assert Evaluation.from_scores(held_out.scores, model.predict(held_out)).pearson > floor
    sub_scores = model.sub_scores(batch)
    saturated = (sub_scores < MODEL_SCALE.low + 0.05) | (sub_scores > MODEL_SCALE.high - 0.05)
    assert saturated.mean() < 0.01
    assert model.weights.max() < 0.5


def test_an_unknown_feature_counts_as_the_training_mean(model: SubscoreModel, batch: FaceBatch) -> None:
    unknown = replace(batch, features=np.full_like(batch.features, np.nan))
    mean = replace(batch, features=np.zeros_like(batch.features))
    assert np.array_equal(model.predict(unknown), model.predict(mean))


def test_the_saturation_penalty_pulls_sub_scores_inwards(batch: FaceBatch) -> None:
    def reach(penalty: float) -> float:
        config = replace(CONFIG, saturation_penalty=penalty, saturation_free=0.5)
        model = train_subscores(*split(batch), config, lambda _: None)
        return float(np.abs(model.sub_scores(batch) - 3).max())

    assert reach(5.0) < reach(0.0) - 0.2


def test_evenness_spreads_the_weights(batch: FaceBatch) -> None:
    def largest(evenness: float) -> float:
        model = train_subscores(*split(batch), replace(CONFIG, evenness=evenness), lambda _: None)
        return float(model.weights.max())

    assert largest(5.0) < largest(0.0)


def test_what_is_missing_is_named(batch: FaceBatch, model: SubscoreModel) -> None:
    bare = replace(batch, region_embeddings={})
    with pytest.raises(PrerequisiteError, match="kallos extract"):
        train_subscores(*split(bare), replace(CONFIG, use_embedding=True), lambda _: None)
    renamed = replace(batch, feature_names=batch.feature_names[::-1])
    with pytest.raises(PrerequisiteError, match="train it again"):
        model.predict(renamed)


def test_cross_fitted_sub_scores_add_up_to_the_mean_of_the_models(batch: FaceBatch) -> None:
    parts = np.arange(len(batch)) % 3
    config = replace(CONFIG, use_embedding=True, epochs=6)
    each = [
        train_subscores(batch.take(parts != part), batch.take(parts == part), config, lambda _: None)
        for part in range(3)
    ]
    fitted = CrossFitted(each)
    sub_scores = fitted.sub_scores(batch)
    assert fitted.weights.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(sub_scores @ fitted.weights, np.mean([model.predict(batch) for model in each], axis=0))
    assert np.allclose(fitted.predict(batch), sub_scores @ fitted.weights)
    assert ((sub_scores >= MODEL_SCALE.low) & (sub_scores <= MODEL_SCALE.high)).all()


def test_a_constant_input_does_not_blow_up(batch: FaceBatch) -> None:
    seen = dict(batch.region_embeddings) | {"eyes": np.zeros_like(batch.region_embeddings["eyes"])}
    model = train_subscores(
        *split(replace(batch, region_embeddings=seen)), replace(CONFIG, use_embedding=True), lambda _: None
    )
    odd = replace(batch, region_embeddings=seen | {"eyes": seen["eyes"] + np.float32(1)})
    assert np.isfinite(model.predict(odd)).all()
