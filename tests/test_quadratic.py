"""The quadratic model: kernel ridge regression that keeps none of its rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from featurestore.errors import BundleError, PrerequisiteError
from featurestore.records import Evaluation
from models.quadratic import train as training
from models.quadratic.model import QuadraticConfig, QuadraticModel, blocks_of
from models.quadratic.train import train_quadratic
from models.serialization import read_tensors, write_tensors
from tests.face_batches import learnable_batch, split

EVERY = QuadraticConfig(directions=1000)


def fitted(batch, config=EVERY, held_out=None) -> QuadraticModel:
    return train_quadratic(batch, batch if held_out is None else held_out, config, lambda _: None)


def test_it_is_the_kernel_ridge_regression_without_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PENALTIES", np.array([0.1]))
    train, test = split(learnable_batch(150))
    centre, scale = training._standardisation(blocks_of(train), EVERY)
    seen, unseen = ((np.hstack([*blocks_of(rows).values()]) - centre) / scale for rows in (train, test))
    assert (seen**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-3)
    # sklearn's polynomial kernel is (gamma x·y + coef0)^degree
    ridge = KernelRidge(alpha=0.1, kernel="poly", degree=2, gamma=0.5, coef0=0.5)
    expected = ridge.fit(seen, train.scores - train.scores.mean()).predict(unseen) + train.scores.mean()
    np.testing.assert_allclose(fitted(train).predict(test), expected, atol=2e-3)


def test_leaving_one_out_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PENALTIES", np.array([0.3]))
    random = np.random.default_rng(0)
    rows = random.normal(size=(12, 3))
    kernel, scores = (1 + rows @ rows.T) ** 2 / 4, random.normal(size=12)
    target, errors = scores - scores.mean(), []
    for row in range(12):
        others = np.arange(12) != row
        coefficients = np.linalg.solve(kernel[np.ix_(others, others)] + 0.3 * np.eye(11), target[others])
        errors.append(target[row] - kernel[row, others] @ coefficients)
    assert training._ridge(kernel, scores)[1:] == (pytest.approx(np.mean(np.square(errors))), 0.3)


def test_it_learns_products_that_a_sum_cannot() -> None:
    batch = learnable_batch(1500)
    product = batch.embeddings[:, 0] * batch.embeddings[:, 1]
    train, test = split(replace(batch, scores=np.clip(3 + 0.5 * product.astype(np.float64), 1, 5)))
    assert Evaluation.from_scores(test.scores, fitted(train).predict(test)).pearson > 0.6
    centred = train.embeddings - train.embeddings.mean(axis=0)
    assert np.abs(np.corrcoef(centred.T, train.scores)[-1, :-1]).max() < 0.1


def test_a_photo_to_predict_need_not_say_which_network_of_the_encoder_shows_what() -> None:
    """A fit weighs each network; to predict, the columns are enough: photos come without `networks`."""
    train, test = split(learnable_batch(150))
    width = next(iter(train.region_embeddings.values())).shape[1]
    of_two = replace(train, networks=(1, width - 1))
    model = fitted(of_two)
    assert len(blocks_of(of_two)) > len(blocks_of(test))
    assert np.array_equal(model.predict(test), model.predict(replace(test, networks=of_two.networks)))


def test_a_face_has_one_score_alone_and_among_others() -> None:
    train, test = split(learnable_batch(200))
    model = fitted(train, QuadraticConfig(directions=8))
    alone = np.concatenate([model.predict(test.take(np.array([row]))) for row in range(len(test))])
    np.testing.assert_allclose(alone, model.predict(test), rtol=1e-12)


def test_what_is_saved_is_what_is_loaded_and_has_no_face(tmp_path: Path) -> None:
    train, test = split(learnable_batch(200))
    model = fitted(train, QuadraticConfig(directions=8))
    model.save(tmp_path)
    np.testing.assert_allclose(QuadraticModel.load(tmp_path).predict(test), model.predict(test), atol=1e-5)
    width = sum(values.shape[1] for values in blocks_of(train).values())
    assert {name: tensor.shape for name, tensor in read_tensors(tmp_path).items()} == {
        "centre": (width,),
        "linear": (width,),
        "directions": (width, 8),
        "curvatures": (8,),
    }


def test_networks_have_the_same_weight_however_many_channels_they_have() -> None:
    batch = replace(learnable_batch(100), networks=(5, 1))
    centre, scale = training._standardisation(blocks_of(batch), EVERY)
    lengths = {
        name: float((((values - values.mean(axis=0)) / part) ** 2).sum(axis=1).mean())
        for (name, values), part in zip(
            blocks_of(batch).items(),
            np.split(scale, np.cumsum([values.shape[1] for values in blocks_of(batch).values()])[:-1]),
            strict=True,
        )
    }
    assert len({name for name in lengths if name.startswith("windows")}) == 14
    assert {round(length, 4) for name, length in lengths.items() if name.startswith("windows")} == {
        round(11 / 16 / 14, 4)
    }
    assert len(centre) == len(scale)


def test_photos_that_stand_twice_and_numbers_that_never_vary_do_no_harm() -> None:
    batch = learnable_batch(60)
    twice = batch.take(np.r_[np.arange(60), np.arange(60)])
    constant = replace(twice, embeddings=np.ones_like(twice.embeddings))
    assert np.isfinite(fitted(constant).predict(constant)).all()


def test_more_rows_than_it_takes_are_drawn_from() -> None:
    batch = learnable_batch(100)
    few = fitted(batch, QuadraticConfig(directions=8, rows=40))
    again = fitted(batch, QuadraticConfig(directions=8, rows=40))
    np.testing.assert_array_equal(few.predict(batch), again.predict(batch))
    assert not np.allclose(few.predict(batch), fitted(batch, QuadraticConfig(directions=8)).predict(batch))


def test_other_inputs_and_damaged_files_are_refused(tmp_path: Path) -> None:
    train, test = split(learnable_batch(100))
    model = fitted(train, QuadraticConfig(directions=8))
    with pytest.raises(PrerequisiteError, match="not the features and embeddings"):
        model.predict(replace(test, embeddings=test.embeddings[:, 1:]))
    model.save(tmp_path)
    tensors = read_tensors(tmp_path)
    write_tensors(tmp_path / "model.safetensors", tensors | {"linear": tensors["linear"][1:]})
    with pytest.raises(BundleError, match="linear of another shape"):
        QuadraticModel.load(tmp_path)
