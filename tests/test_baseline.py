"""The baselines, their shape components, and the contract that every saved model keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import BundleError, PrerequisiteError
from featurestore.records import Epoch, Evaluation, FaceBatch
from featurestore.scale import MODEL_SCALE
from models.baseline.inputs import BaselineConfig
from models.baseline.pca import Components
from models.baseline.ridge import train_ridge
from models.baseline.trees import train_baseline
from models.cross_fitted import CrossFitted
from models.image.export import replace_by_graphs
from models.image.model import AppearanceConfig, AppearanceModel
from models.image.train import starting_backbone, train_appearance
from models.loading import load_model
from models.quadratic.model import QuadraticConfig
from models.quadratic.train import train_quadratic
from models.regions.model import SubscoreConfig
from models.regions.train import train_subscores
from models.registry import MODELS
from models.spec import Listener, Model, Options, resolve
from tests.face_batches import learnable_batch, split

SMALL = BaselineConfig(components=5, rounds=200, report_every=20, learning_rate=0.1)
PIXELS = AppearanceConfig(backbone="squeezenet1_1", weights="none", precision="float32", image_size=64, epochs=1)
QUICK = Options(backbone="squeezenet1_1", weights="none", precision="float32", image_size=32, epochs=2)
TOLERANCE = {
    "appearance": 1e-5,
    "appearance-graph": 1e-5,
    "subscores": 1e-12,
    "baseline": 1e-12,
    "quadratic": 1e-9,
    "ridge": 1e-9,
    "cross-fitted": 1e-9,
}


def nothing(*_: object) -> None:
    """A listener that does not listen."""


def graph(batch: FaceBatch, folder: Path) -> Model:
    """Model A as a bundle holds it."""
    TRAIN["appearance"](batch, folder / "checkpoint").save(folder / "model")
    replace_by_graphs(folder / "model")
    return load_model(folder / "model")


TRAIN: dict[str, Callable[[FaceBatch, Path], Model]] = {
    "appearance": lambda b, folder: train_appearance(
        starting_backbone(PIXELS), *split(b), PIXELS, nothing, nothing, folder
    ),
    "appearance-graph": graph,
    "subscores": lambda b, _: train_subscores(*split(b), SubscoreConfig(use_embedding=True, epochs=3), nothing),
    "baseline": lambda b, _: train_baseline(*split(b), SMALL, nothing),
    "quadratic": lambda b, _: train_quadratic(*split(b), QuadraticConfig(directions=8), nothing),
    "ridge": lambda b, _: train_ridge(*split(b), SMALL, nothing),
    "cross-fitted": lambda b, _: CrossFitted(
        [train_ridge(b.take(np.arange(100) % 3 != part), b, SMALL, nothing) for part in range(3)]
    ),
}


@pytest.fixture(scope="module")
def batch() -> FaceBatch:
    return learnable_batch(100, side=73)


@pytest.fixture(scope="module")
def models(batch: FaceBatch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    return {kind: train(batch, tmp_path_factory.mktemp(kind)) for kind, train in TRAIN.items()}


def test_every_registered_kind_is_held_to_the_contract() -> None:
    assert set(TRAIN) == {CrossFitted.kind, *(kind for spec in MODELS.values() for kind in spec.classes)}


@pytest.mark.parametrize("kind", TRAIN)
def test_a_loaded_model_predicts_what_the_saved_one_did(
    kind: str, models: dict[str, Model], batch: FaceBatch, tmp_path: Path
) -> None:
    models[kind].save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert np.array_equal(again.predict(batch), models[kind].predict(batch))
    assert again.kind == kind
    assert {file.suffix for file in (tmp_path / "model").rglob("*.*")} <= {".json", ".safetensors", ".txt", ".onnx"}


def test_a_graph_predicts_what_its_network_does(models: dict[str, Model], batch: FaceBatch) -> None:
    assert batch.faces is not None
    unscaled = replace(batch, faces=batch.faces[:, :72, :72])
    for faces, tolerance in ((unscaled, 1e-4), (batch, 5e-3)):  # scaled, a pixel may be rounded otherwise
        scores = models["appearance"].predict(faces)
        assert np.abs(models["appearance-graph"].predict(faces) - scores).max() < tolerance
        assert np.ptp(scores) > 0.02


@pytest.mark.parametrize("kind", TRAIN)
def test_a_row_alone_is_predicted_as_among_others(kind: str, models: dict[str, Model], batch: FaceBatch) -> None:
    together = models[kind].predict(batch)
    assert together.dtype == np.float64
    assert np.ptp(together) > 0
    for row in (0, 41, 99):
        alone = models[kind].predict(batch.take(np.array([row])))
        assert alone == pytest.approx(together[[row]], abs=TOLERANCE[kind])


@pytest.mark.parametrize("kind", TRAIN)
def test_training_twice_gives_the_same_model(
    kind: str, models: dict[str, Model], batch: FaceBatch, tmp_path: Path
) -> None:
    again = TRAIN[kind](batch, tmp_path)
    assert np.array_equal(again.predict(batch), models[kind].predict(batch))


@pytest.mark.parametrize("kind", TRAIN)
def test_test_scores_are_not_looked_at(kind: str, models: dict[str, Model], batch: FaceBatch) -> None:
    blind = replace(batch, scores=np.full(len(batch), np.nan))
    assert np.array_equal(models[kind].predict(blind), models[kind].predict(batch))


def extreme(kind: str, model: Model, batch: FaceBatch, folder: Path) -> list[tuple[Model, FaceBatch]]:
    """The model and rows that push it far up and far down; pixels cannot, so Model A's last layer is made too strong."""
    if not kind.startswith("appearance"):
        return [
            (
                model,
                replace(
                    batch,
                    features=batch.features * by,
                    shapes=batch.shapes * np.float32(by),
                    region_embeddings={r: v * np.float32(by) for r, v in batch.region_embeddings.items()},
                ),
            )
            for by in (1e6, -1e6)
        ]
    extremes = []
    for sign in (1e4, -1e4):
        strong = TRAIN["appearance"](batch, folder / "checkpoint")
        assert isinstance(strong, AppearanceModel)
        strong.network.head.weight.data *= sign
        strong.save(folder / f"{sign}")
        if kind == "appearance-graph":
            replace_by_graphs(folder / f"{sign}")
        extremes.append((load_model(folder / f"{sign}"), batch))
    return extremes


@pytest.mark.parametrize("kind", TRAIN)
def test_no_model_says_more_than_5_or_less_than_1(
    kind: str, models: dict[str, Model], batch: FaceBatch, tmp_path: Path
) -> None:
    scores = np.concatenate(
        [CrossFitted([model]).predict(rows) for model, rows in extreme(kind, models[kind], batch, tmp_path)]
    )
    assert np.isfinite(scores).all()
    assert 1 <= scores.min() < scores.max() <= 5
    assert np.ptp(scores) > 2


def test_what_is_no_number_stays_none() -> None:
    assert np.isnan(MODEL_SCALE.clip(np.array([np.nan]))).all()
    assert MODEL_SCALE.clip(np.array([np.inf, -np.inf, 7.0, -7.0])).tolist() == [np.inf, -np.inf, 5, 1]


def test_a_folder_without_a_known_model_is_refused(tmp_path: Path, models: dict[str, Model]) -> None:
    with pytest.raises(BundleError, match=r"no readable model\.json"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text('{"kind": "oracle"}')
    with pytest.raises(BundleError, match="oracle"):
        load_model(tmp_path)
    models["ridge"].save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"no readable model\.safetensors"):
        load_model(tmp_path)


@pytest.mark.parametrize("train", [train_baseline, train_ridge])
def test_baselines_learn_and_tell_their_history(train: Callable[..., Model]) -> None:
    batch, history = learnable_batch(400), list[Epoch]()
    learned, held_out = split(batch)
    model = train(learned, held_out, SMALL, history.append)
    reached = Evaluation.from_scores(held_out.scores, MODEL_SCALE.clip(model.predict(held_out)))
    assert reached.pearson > 0.8
    assert history[-1].rmse == pytest.approx(reached.rmse)
    assert [epoch.epoch for epoch in history] == sorted(epoch.epoch for epoch in history)


def test_features_of_other_names_are_refused(models: dict[str, Model], batch: FaceBatch) -> None:
    renamed = replace(batch, feature_names=batch.feature_names[::-1])
    for kind in ("baseline", "ridge"):
        with pytest.raises(PrerequisiteError, match="train it again"):
            models[kind].predict(renamed)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 12))
def test_components_are_orthonormal_and_scaled_to_unit_variance(seed: int, count: int) -> None:
    rows = np.random.default_rng(seed).normal(3, 2, size=(40, 8)).astype(np.float32)
    components = Components.fit(rows, count)
    assert np.allclose(components.axes @ components.axes.T, np.eye(min(count, 8)), atol=1e-5)
    coordinates = components.transform(rows)
    assert np.allclose(coordinates.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(coordinates.std(axis=0), 1, atol=1e-4)
    assert (np.diff(components.scale) <= 0).all()


def test_components_of_constant_shapes_are_none() -> None:
    assert Components.fit(np.ones((10, 6), dtype=np.float32), 3).axes.shape == (0, 6)


@pytest.mark.parametrize("name", MODELS)
def test_labels_of_held_out_rows_decide_nothing(name: str, tmp_path: Path) -> None:
    learned, held_out = split(learnable_batch(40, side=64))
    scrambled = replace(held_out, scores=held_out.scores[::-1].copy(), histograms=held_out.histograms[::-1].copy())
    fitter = resolve(MODELS[name].fitter)(QUICK)
    one, other = (
        fitter.fit(learned, rows, Listener(nothing, nothing, tmp_path / part), fitter.computing())
        for part, rows in (("as they are", held_out), ("scrambled", scrambled))
    )
    assert np.array_equal(one.predict(held_out), other.predict(held_out))
