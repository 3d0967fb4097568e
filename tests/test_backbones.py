"""Backbones by name, their weights from files and seeds, and the encoder made of one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.models import get_model

from featurestore.errors import BundleError, UsageError, WeightsError
from models.encoders.network import EncoderNetwork
from models.encoders.run import Encoder
from models.encoders.spec import EncoderSpec
from models.networks.architectures import check_size_of
from models.networks.backbones import IMAGENET_MEAN, Backbone, build_backbone
from models.networks.weights import fill

TENSORFLOW = {"input": "x/127.5-1, RGB, 224", "padding": "stride-2 convolutions pad (0,1,0,1) as TensorFlow SAME"}


CELLS = np.array([[0.1, 0.2, 0.4, 0.5], [0.5, 0.5, 0.9, 1.1], [-0.2, 0, 0.1, 0.2]], dtype=np.float32)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (19, 80, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> EncoderNetwork:
    return EncoderNetwork.build("mobilenet_v3_small", "none", size=64)


@pytest.fixture(scope="module")
def spec(network: EncoderNetwork, tmp_path_factory: pytest.TempPathFactory) -> EncoderSpec:
    folder = tmp_path_factory.mktemp("encoder")
    network.save(folder)
    return EncoderSpec.read(folder)


@pytest.fixture(scope="module")
def encoder(spec: EncoderSpec) -> Encoder:
    return spec.open()


def torchvision_file(folder: Path, name: str = "mobilenet_v3_small", **metadata: str) -> Path:
    """A full torchvision state, classifier included, of another seed than "none"."""
    torch.manual_seed(5)
    file = folder / f"{name}.safetensors"
    save_file(get_model(name).state_dict(), file, metadata=metadata)
    return file


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("mobilenet_v3_small", 576),
        ("resnet18", 512),
        ("squeezenet1_1", 512),
        ("convnext_tiny", 768),
        ("googlenet", 1024),
        ("mobilenetv4_conv_small", 1280),
    ],
)
def test_each_family_gives_pooled_features(name: str, dim: int) -> None:
    backbone = build_backbone(name, "none")
    with torch.inference_mode():
        features = backbone.network.eval()(backbone.normalise(torch.zeros(2, 3, 224, 224)))
    assert backbone.dim == dim
    assert features.shape == (2, dim)


def test_none_is_the_same_random_network_every_time_and_leaves_the_seed_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = build_backbone("mobilenet_v3_small", "none")
    assert torch.equal(torch.rand(1), expected)
    assert build_backbone("mobilenet_v3_small", "none").weights_sha256 == first.weights_sha256
    assert (first.weights, first.mean) == ("none", IMAGENET_MEAN)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="efficientnet_v2_s"):
        build_backbone("efficientnetv2s", "none")


def test_an_image_size_that_the_network_cannot_take() -> None:
    with pytest.raises(UsageError, match="64 pixels: choose 224"):
        EncoderNetwork.build("vit_b_32", "none", size=64)


@pytest.mark.parametrize(
    ("name", "size", "sizes"),
    [
        ("alexnet", 32, "64 or 96 or 128 or 160 or 192 or 224 or 256"),
    ],
)
def test_sizes_that_fit_are_named_where_one_does_not(name: str, size: int, sizes: str) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot take images of {size} pixels: choose {sizes}.$"):
        check_size_of(name, size)
    check_size_of(name, int(sizes.split()[0]))


def test_imagenet_is_offline_unless_asked_and_says_the_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(WeightsError, match=r"--download to fetch them \(10 MB\).*--weights FILE.*--weights none"):
        build_backbone("mobilenet_v3_small", "imagenet")
    with pytest.raises(WeightsError, match=r"could not be downloaded.*no route.*--weights none"):
        build_backbone("mobilenet_v3_small", "imagenet", download=True)


def unreachable(*_: object, **__: object) -> None:
    raise OSError("no route")


def test_imagenet_loads_from_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    state = get_model("mobilenet_v3_small").state_dict()
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "mobilenet_v3_small-047dcff4.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    backbone = build_backbone("mobilenet_v3_small", "imagenet")
    assert backbone.weights == "imagenet"
    assert torch.equal(backbone.network.state_dict()["features.0.0.weight"], state["features.0.0.weight"])


def test_a_file_with_the_classifier_gives_torchvisions_own_features(tmp_path: Path) -> None:
    backbone = build_backbone("mobilenet_v3_small", str(torchvision_file(tmp_path)))
    torch.manual_seed(5)
    whole = get_model("mobilenet_v3_small").eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = whole.avgpool(whole.features(images)).flatten(1)
        assert torch.allclose(backbone.network.eval()(images), expected, atol=1e-6)
    assert backbone.weights == "mobilenet_v3_small.safetensors"
    assert len(backbone.weights_sha256) == 64


def test_metadata_sets_preprocessing_and_tensorflow_padding(tmp_path: Path) -> None:
    plain = build_backbone("mobilenet_v3_small", str(torchvision_file(tmp_path)))
    padded = build_backbone("mobilenet_v3_small", str(torchvision_file(tmp_path, **TENSORFLOW)))
    assert padded.mean == padded.std == (0.5, 0.5, 0.5)
    extremes = padded.normalise(torch.tensor([0.0, 255.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2))
    assert torch.allclose(extremes[0, 0, 0], torch.tensor([-1.0, 1.0]))
    first, images = plain.network.get_submodule("features.0.0"), torch.rand(1, 3, 8, 8)
    expected = F.conv2d(F.pad(images, (0, 1, 0, 1)), first.weight, stride=2)
    assert torch.allclose(padded.network.get_submodule("features.0.0")(images), expected, atol=1e-6)
    assert not torch.allclose(first(images), expected, atol=1e-3)


def test_an_architecture_comes_back_from_its_description(tmp_path: Path) -> None:
    backbone = build_backbone("mobilenet_v3_small", str(torchvision_file(tmp_path, **TENSORFLOW)))
    again = Backbone.blank(backbone.describe())
    fill(again.network, backbone.network.state_dict(), tmp_path)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(again.network.eval()(images), backbone.network.eval()(images))
    assert again.card == backbone.card


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"features.0.0.weight": torch.zeros(8, 3, 3, 3)}, r"features\.0\.0\.weight is \(8, 3, 3, 3\)"),
        ({"blocks.0.weight": torch.zeros(1)}, r"blocks\.0\.weight is unknown"),
        ({"features.0.0.weight": None}, r"features\.0\.0\.weight is missing"),
    ],
)
def test_weights_that_do_not_fit_name_the_first_misfit(
    tmp_path: Path, change: dict[str, torch.Tensor | None], complaint: str
) -> None:
    state = get_model("mobilenet_v3_small").state_dict() | change
    save_file({k: v for k, v in state.items() if v is not None}, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=complaint):
        build_backbone("mobilenet_v3_small", str(tmp_path / "odd.safetensors"))


def test_pickles_missing_files_and_unknown_inputs_are_refused(tmp_path: Path) -> None:
    torch.save({"features.0.0.weight": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="pickled weights"):
        build_backbone("mobilenet_v3_small", str(tmp_path / "w.pth"))
    with pytest.raises(WeightsError, match="no weights file"):
        build_backbone("mobilenet_v3_small", str(tmp_path / "absent.safetensors"))
    with pytest.raises(WeightsError, match="BGR"):
        build_backbone("mobilenet_v3_small", str(torchvision_file(tmp_path, input="BGR, mean removed")))


def test_a_photo_has_the_same_bits_before_and_after_others(spec: EncoderSpec, faces: np.ndarray) -> None:
    encoder = spec.open()
    forwards = [encoder.encode(face, CELLS) for face in faces]
    backwards = [encoder.encode(face, CELLS) for face in faces[::-1]][::-1]
    for (vector, pooled), (again, pooled_again) in zip(forwards, backwards, strict=True):
        assert (vector.dtype, vector.shape) == (np.float32, (spec.dim,))
        assert (pooled.dtype, pooled.shape) == (np.float32, (sum(spec.networks), len(CELLS)))
        assert np.array_equal(vector, again)
        assert np.array_equal(pooled, pooled_again)
    assert len(np.unique([vector for vector, _ in forwards], axis=0)) == len(faces)


def test_cells_show_the_maps_where_they_lie(encoder: Encoder, faces: np.ndarray) -> None:
    face = faces[0].copy()
    face[:, :40] = 0
    changed = face.copy()
    changed[30:50, 70:] = 255 - changed[30:50, 70:]
    dark_and_bright = np.array([[0.05, 0.1, 0.25, 0.9], [0.75, 0.1, 0.95, 0.9]], dtype=np.float32)
    before, after = (encoder.encode(each, dark_and_bright)[1] for each in (face, changed))
    dark, bright = np.abs(after - before).mean(axis=0)
    assert bright > 5 * dark


def test_a_mirrored_face_is_seen_the_same_with_its_cells_mirrored(encoder: Encoder, faces: np.ndarray) -> None:
    mirrored_cells = CELLS[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (1, 0, 1, 0)
    vector, pooled = encoder.encode(faces[0], CELLS)
    mirrored, mirrored_pooled = encoder.encode(faces[0][:, ::-1].copy(), mirrored_cells.astype(np.float32))
    assert np.allclose(mirrored, vector, atol=1e-4)
    assert np.allclose(mirrored_pooled, pooled, atol=1e-3)


def test_an_encoder_is_known_by_architecture_weights_and_preprocessing(network: EncoderNetwork, tmp_path: Path) -> None:
    others = [
        EncoderNetwork.build("mobilenet_v3_small", "none"),
        EncoderNetwork.build("mobilenet_v3_small", str(torchvision_file(tmp_path)), size=64),
        EncoderNetwork.build("mobilenet_v3_small", str(torchvision_file(tmp_path, **TENSORFLOW)), size=64),
    ]
    assert EncoderNetwork.build("mobilenet_v3_small", "none", size=64).id == network.id
    assert len({each.id for each in (network, *others)}) == 4
    assert all(re.fullmatch("mobilenet_v3_small-[0-9a-f]{8}", each.id) for each in (network, *others))


def test_networks_without_maps_are_refused() -> None:
    for name, weights in (("vit_b_16", "none"), ("mobilenet_v3_small+vit_b_16", "none+none")):
        with pytest.raises(UsageError, match=r"vit_b_16 has no feature maps.*convolutional encoder"):
            EncoderNetwork.build(name, weights)


def test_several_networks_look_at_one_face_and_follow_each_other(
    network: EncoderNetwork, faces: np.ndarray, tmp_path: Path
) -> None:
    other = EncoderNetwork.build("mobilenetv1_100", "none", size=64)
    both = EncoderNetwork.build("mobilenet_v3_small+mobilenetv1_100", "none+none", size=64)
    assert re.fullmatch(r"mobilenet_v3_small\+mobilenetv1_100-[0-9a-f]{8}", both.id)
    assert (both.weights, both.dim) == ("none+none", network.dim + other.dim)
    assert both.networks == (*network.networks, *other.networks)
    both.save(tmp_path)
    read = EncoderSpec.read(tmp_path)
    assert (read.id, read.networks) == (both.id, both.networks)
    with torch.inference_mode():
        parts = [each(torch.from_numpy(faces[0]), torch.from_numpy(CELLS)) for each in (network, other)]
    for encoded, expected in zip(
        read.open().encode(faces[0], CELLS), map(torch.cat, zip(*parts, strict=True)), strict=True
    ):
        assert np.abs(encoded - expected.numpy()).max() < 1e-4 * np.abs(encoded).max()


def test_every_network_of_an_encoder_has_its_weights() -> None:
    with pytest.raises(UsageError, match=r"2 networks and 'none' is not as many weights.*vggface2\+imagenet"):
        EncoderNetwork.build("mobilenet_v3_small+mobilenetv1_100", "none")


def test_a_kept_encoder_is_the_network_that_it_was_made_of(
    network: EncoderNetwork, spec: EncoderSpec, encoder: Encoder, faces: np.ndarray, tmp_path: Path
) -> None:
    for face in (faces[0], np.repeat(np.repeat(faces[1], 4, axis=0), 4, axis=1)):
        with torch.inference_mode():
            vector, pooled = network(torch.from_numpy(face), torch.from_numpy(CELLS))
        for encoded, expected in zip(encoder.encode(face, CELLS), (vector, pooled), strict=True):
            assert np.abs(encoded - expected.numpy()).max() < 1e-4 * np.abs(encoded).max()
    for identity in ("id", "name", "weights", "weights_sha256", "dim", "networks"):
        assert getattr(spec, identity) == getattr(network, identity)
    with pytest.raises(BundleError, match="holds no encoder"):
        EncoderSpec.read(tmp_path)
    shutil.copytree(spec.folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"no readable model\.onnx"):
        EncoderSpec.read(tmp_path / "damaged").open()
