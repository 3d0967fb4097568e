"""Model A: what it learns from, its augmentation and its learning rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sklearn.linear_model import RidgeCV
from torchvision.models import get_model

from featurestore.errors import PrerequisiteError, UsageError
from featurestore.scale import MODEL_SCALE, RATINGS
from models.image.augmentation import augment
from models.image.averaging import average
from models.image.crop import centre_of
from models.image.model import AppearanceConfig, AppearanceModel, Regressor
from models.image.optimisation import exact_depthwise, moving_average, one_cycle, settle_batch_norms
from models.image.start import PENALTIES, solve_head
from models.image.tensors import resize_faces
from models.image.train import starting_backbone, train_appearance
from models.networks.backbones import build_backbone
from tests.face_batches import learnable_batch, split

TINY = AppearanceConfig(
    backbone="mobilenet_v3_small", weights="none", precision="float32", image_size=64, epochs=4, batch_size=32, ema=0.9
)


def train(batch, config, folder, on_epoch=lambda _: None, on_step=lambda *_: None):
    return train_appearance(starting_backbone(config), *split(batch), config, on_epoch, on_step, folder / "checkpoint")


def test_it_learns_from_pixels(tmp_path: Path) -> None:
    batch, history, steps = learnable_batch(160, side=73), [], []
    model = train(batch, TINY, tmp_path, history.append, lambda done, total: steps.append((done, total)))
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    assert steps == [(i + 1, 16) for i in range(16)]
    assert history[-1].rmse < history[0].rmse / 1.3
    assert not (tmp_path / "checkpoint").exists()
    held_out = split(batch)[1]
    watched = model.predict_images(resize_faces(centre_of(held_out.faces, TINY.view), TINY.image_size), mirrored=False)
    rmse = np.sqrt(np.mean((MODEL_SCALE.clip(watched) - held_out.scores) ** 2))
    assert rmse == pytest.approx(history[-1].rmse, rel=0.1)  # watched in bfloat16 where the processor has it


def test_a_mirrored_face_has_the_same_score(tmp_path: Path) -> None:
    batch = learnable_batch(40, side=64)
    model = train(batch, replace(TINY, epochs=1), tmp_path)
    assert batch.faces is not None
    mirrored = replace(batch, faces=batch.faces[:, :, ::-1])
    assert np.allclose(model.predict(mirrored), model.predict(batch), atol=1e-5)
    assert np.ptp(model.predict(batch)) > 0.1


def test_without_histograms_the_score_alone_is_learnt_and_said(tmp_path: Path) -> None:
    batch = learnable_batch(40, side=64)
    unknown = replace(batch, histograms=np.full((40, 5), np.nan))
    model = train(unknown, replace(TINY, epochs=1), tmp_path)
    assert model.config.histogram == 0
    assert np.isfinite(model.predict(unknown)).all()


def test_early_stages_and_statistics_stay_as_they_were_trained(tmp_path: Path) -> None:
    torch.manual_seed(3)
    state = get_model("mobilenet_v3_small").state_dict()
    save_file(state, tmp_path / "w.safetensors")
    config = replace(TINY, weights=str(tmp_path / "w.safetensors"), epochs=1, ema=0.0)
    train(learnable_batch(40, side=64), config, tmp_path).save(tmp_path / "model")
    after = load_file(tmp_path / "model" / "model.safetensors")
    unchanged = {n for n, t in state.items() if f"body.{n}" in after and torch.equal(after[f"body.{n}"], t)}
    early = {n for n in state if n.split(".")[:2] in (["features", str(i)] for i in range(4))}
    assert early <= unchanged
    assert {n for n in state if "running_mean" in n} <= unchanged
    assert not any(n.endswith("conv.weight") or n == "features.8.block.0.0.weight" for n in unchanged - early)


def test_fits_from_the_same_weights_become_one_network_that_scores_as_their_mean(tmp_path: Path) -> None:
    batch = learnable_batch(240, side=73)
    learn, held_out = split(batch)
    started = train(batch, TINY, tmp_path).network.get_submodule("body")
    save_file({n: t.contiguous() for n, t in started.state_dict().items()}, tmp_path / "w.safetensors")
    config = replace(TINY, weights=str(tmp_path / "w.safetensors"))
    fits = [train(learn.take(np.arange(len(learn)) % 3 != part), config, tmp_path / str(part)) for part in range(3)]
    scores = [fit.predict(held_out) for fit in fits]
    one = average(fits, learn)
    for name, _ in started.named_parameters():
        of_fits = torch.stack([fit.network.get_parameter(f"body.{name}") for fit in fits])
        assert torch.allclose(one.network.get_parameter(f"body.{name}"), of_fits.mean(0), atol=1e-6)
    apart, difference = np.std(scores, axis=0).mean(), one.predict(held_out) - np.mean(scores, axis=0)
    assert np.abs(difference).mean() < apart / 2
    assert abs(difference.mean()) < apart / 4
    assert np.array_equal(fits[0].predict(held_out), scores[0]), "the fits stay as they are"


def test_trained_depthwise_convolutions_that_bfloat16_is_slow_for_are_exact() -> None:
    config = AppearanceConfig(backbone="tf_efficientnet_lite0", weights="none")
    backbone = build_backbone(config.backbone, "none")
    for parameter in backbone.early_parameters():
        parameter.requires_grad_(False)
    exact_depthwise(backbone.network)
    kinds = set()
    for convolution in (part for part in backbone.network.modules() if isinstance(part, torch.nn.Conv2d)):
        slow = convolution.groups > 1 and (convolution.stride == (2, 2) or convolution.kernel_size == (5, 5))
        is_exact = slow and convolution.weight.requires_grad
        assert ("Exact" in type(convolution).__name__) == is_exact
        inputs = torch.randn(2, convolution.in_channels, 9, 9).bfloat16()
        expected = convolution.forward(inputs.float())
        with torch.autocast("cpu", torch.bfloat16):
            output = convolution(inputs)
        assert output.dtype == torch.bfloat16
        if is_exact:
            assert torch.equal(output, expected.bfloat16())
        kinds.add((is_exact, convolution.weight.requires_grad))
    assert kinds == {(True, True), (False, True), (False, False)}


def test_missing_faces_and_impossible_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="face crops"):
        train(learnable_batch(20), TINY, tmp_path)
    with pytest.raises(UsageError, match="adamw, adam"):
        train(learnable_batch(20, side=73), replace(TINY, optimizer="sgd"), tmp_path)
    with pytest.raises(UsageError, match="0 or more"):
        train(learnable_batch(20, side=73), replace(TINY, histogram=-0.1), tmp_path)


def test_without_the_histogram_it_learns_from_scores_alone(tmp_path: Path) -> None:
    batch = learnable_batch(40, side=64)
    other = replace(batch, histograms=batch.histograms[::-1].copy())
    alone = replace(TINY, histogram=0.0, optimizer="adam", epochs=1)
    scores = [
        [train(rows, config, tmp_path).predict(batch) for rows in (batch, other)]
        for config in (alone, replace(alone, histogram=0.3))
    ]
    assert np.array_equal(*scores[0])
    assert not np.array_equal(*scores[1])


def test_each_face_is_varied_on_its_own_and_the_same_way_again() -> None:
    ramp = np.arange(73, dtype=np.uint8)
    faces = np.broadcast_to(ramp[None, :, None, None], (6, 73, 73, 3)).copy()
    views = augment(faces, 64, 0.875, np.random.default_rng(0))
    assert views.shape == (6, 3, 64, 64)
    assert torch.equal(views, augment(faces, 64, 0.875, np.random.default_rng(0)))
    assert len({float(view[0, 32, 32]) for view in views}) == 6
    assert views.min() >= 0
    assert views.max() <= 255
    assert np.array_equal(faces[0, :, 0, 0], ramp)


def test_on_average_a_varied_face_is_the_face() -> None:
    face = np.random.default_rng(1).integers(60, 190, (1, 8, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    views = augment(face.repeat(400, 0), 64, 0.875, np.random.default_rng(0))
    assert views.mean() == pytest.approx(face.mean(), rel=0.03)


def test_resizing_keeps_the_mean_and_leaves_the_right_size_alone() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    assert resize_faces(faces, 256) is faces
    small = resize_faces(faces, 64)
    assert small.shape == (2, 64, 64, 3)
    assert np.allclose(small.mean((1, 2)), faces.mean((1, 2)), atol=1.0)


def rates_of(steps: int) -> list[float]:
    """The learning rate of each step and of the one after the last, with a peak of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = one_cycle(optimizer, [1.0], steps)
    rates = []
    for _ in range(steps + 1):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return rates


@given(steps=st.integers(1, 500))
def test_the_learning_rate_rises_to_its_peak_and_falls(steps: int) -> None:
    rates = rates_of(steps)
    peak = int(np.argmax(rates))
    assert min(rates) > 0
    assert max(rates) <= 1
    assert (np.diff(rates[: peak + 1]) >= 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] == pytest.approx(1 / 25e4)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10, 1000])
def test_the_learning_rate_follows_two_cosines(steps: int) -> None:
    turns = np.interp(range(steps + 1), [0, 0.3 * steps, steps], [-np.pi, 0, np.pi])
    lowest = np.where(turns < 0, 1 / 25, 1 / 25e4)
    assert rates_of(steps) == pytest.approx(lowest + (1 - lowest) * (1 + np.cos(turns)) / 2, abs=1e-12)


def test_the_moving_average_takes_in_weights_and_buffers() -> None:
    network = torch.nn.BatchNorm1d(1)
    average = moving_average(network, 0.998)
    with torch.no_grad():
        network.weight.fill_(11.0)
        network.running_mean.fill_(20.0)
    average.update_parameters(network)  # decay 1 / (9 + 1) = 0.1
    assert average.module.weight.item() == pytest.approx(0.1 * 1 + 0.9 * 11)
    assert average.module.running_mean.item() == pytest.approx(18.0)
    average.n_averaged.fill_(10**6)
    average.update_parameters(network)  # decay 0.998
    assert average.module.weight.item() == pytest.approx(0.998 * 10 + 0.002 * 11)


def test_settled_batch_norms_have_the_statistics_of_the_data() -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5)).eval()
    images = 5 + 2 * torch.randn(40, 3, 4, 4)
    settle_batch_norms(network, images.split(10))
    assert torch.allclose(network[0].running_mean, images.mean((0, 2, 3)), atol=1e-5)
    assert network[0].momentum == 0.1
    assert not any(part.training for part in network)
    assert network(images).mean().abs() < 0.01


@pytest.mark.parametrize("size", [64, 96, 224])
def test_the_head_sees_the_whole_face_and_a_map_in_cells(size: int) -> None:
    backbone = build_backbone(TINY.backbone, "none")
    network = Regressor(backbone, TINY).eval()
    images, maps = torch.rand(2, 3, size, size), []
    (stage,) = list(backbone.card.maps)[1:]
    backbone.network.get_submodule(stage).register_forward_hook(lambda *seen: maps.append(seen[2]))
    with torch.inference_mode():
        whole, features = backbone.network(images), network.features(images)
    assert maps[0].shape[-1] == size // 16
    expected = torch.cat([whole, F.adaptive_avg_pool2d(maps[0], TINY.cells).flatten(1)], dim=1)
    assert torch.allclose(features, expected, atol=1e-5)


def test_a_training_starts_from_the_ridge_regression_on_what_the_head_sees() -> None:
    random = np.random.default_rng(0)
    network = Regressor(build_backbone(TINY.backbone, "none"), TINY).eval()
    features = random.normal(3, 2, (60, len(network.centre))).astype(np.float32)
    scores = 3 + features[:, 0] / 4 + random.normal(0, 0.2, 60)
    histograms = random.dirichlet(np.ones(len(RATINGS)), 60)
    histograms[:20] = np.nan
    solve_head(network, features, scores, histograms)
    inputs = (features - features.mean(0)) / features.std(0)
    expected = RidgeCV(alphas=PENALTIES).fit(inputs, scores).predict(inputs)
    with torch.inference_mode():
        found = network.head((torch.from_numpy(features) - network.centre) / network.spread)
    assert np.allclose(found[:, 0], expected, atol=1e-3)
    # what is known of no rating is the mean of what is known
    known = np.log(histograms[20:] + 0.01)
    assert np.allclose(found[20:, 1:].mean(0), known.mean(0), atol=0.05)


def test_a_saved_model_names_its_weights_without_their_path(tmp_path: Path) -> None:
    backbone = build_backbone(TINY.backbone, "none")
    config = replace(TINY, weights="/home/somebody/weights.safetensors")
    AppearanceModel(config, backbone, Regressor(backbone, config)).save(tmp_path)
    assert "somebody" not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
    assert AppearanceModel.load(tmp_path).config.weights == "none"
