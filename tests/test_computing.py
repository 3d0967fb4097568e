"""How Model A computes is chosen by trying, kept by what goes on, and overruled by --precision."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from featurestore.errors import UsageError
from models.image import computing
from models.image.checkpoints import FILE
from models.image.computing import NEAR, Computing, choose, usual
from models.image.model import AppearanceConfig
from models.image.train import choose_computing, starting_backbone, train_appearance
from tests.face_batches import learnable_batch, split

TINY = AppearanceConfig(backbone="mobilenet_v3_small", weights="none", image_size=64, epochs=2, batch_size=32)
OTHER = Computing("bfloat16", "contiguous", 1)


class Machine:
    """A clock, and steps that take as long on it as a table says, the first one of each ten times as long."""

    def __init__(self, seconds: Callable[[Computing], float]) -> None:
        self._seconds, self._now, self.tried = seconds, 0.0, []

    def __call__(self) -> float:
        return self._now

    def step_of(self, setting: Computing) -> Callable[[], None]:
        def step() -> None:
            assert torch.get_num_threads() == setting.threads
            self._now += self._seconds(setting) * (1 if setting in self.tried else 10)
            self.tried.append(setting)

        return step


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "fastest",
    [c for p in ("float32", "bfloat16") for c in (Computing(p, "channels_last", 2), Computing(p, "contiguous", 1))],
)
def test_the_fastest_of_all_is_taken(fastest, two_threads, monkeypatch):
    monkeypatch.setattr(computing, "has_bfloat16", lambda: True)
    wrong = {"precision": 3.0, "layout": 1.5, "threads": 1.3}
    machine = Machine(
        lambda s: 0.02 * math.prod(c for name, c in wrong.items() if getattr(s, name) != getattr(fastest, name))
    )
    assert choose(machine.step_of, machine) == fastest
    assert machine() < 5
    assert torch.get_num_threads() == 2


def test_a_difference_within_the_noise_changes_nothing(two_threads):
    machine = Machine(lambda s: 0.1 if s == usual("float32") else 0.1 * (NEAR + 0.01))
    assert choose(machine.step_of, machine) == usual("float32")


def test_where_bfloat16_is_emulated_it_is_not_tried(monkeypatch):
    monkeypatch.setattr(computing, "has_bfloat16", lambda: False)
    machine = Machine(lambda s: 0.1)
    choose(machine.step_of, machine)
    assert {s.precision for s in machine.tried} == {"float32"}


def test_a_trial_of_a_second_or_two_on_a_real_network():
    backbone = starting_backbone(TINY)
    before = backbone.network.state_dict()
    clones = {name: tensor.clone() for name, tensor in before.items()}
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    assert choose_computing(TINY, backbone) in [replace(s, threads=t) for s in computing.settings() for t in (1, 2)]
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(clones[name], tensor) for name, tensor in before.items()), "a trial learns nothing"


def test_precision_overrules():
    assert choose_computing(replace(TINY, precision="bfloat16"), starting_backbone(TINY)) == usual("bfloat16")
    with pytest.raises(UsageError, match=r"float16.*auto, float32, bfloat16"):
        starting_backbone(replace(TINY, precision="float16"))


def test_a_training_that_goes_on_keeps_what_it_began_with(tmp_path: Path):
    parts = split(learnable_batch(40, side=73))

    def train(computing: Computing, on_epoch: Callable[[object], None]) -> None:
        train_appearance(starting_backbone(TINY), *parts, TINY, on_epoch, lambda *_: None, tmp_path, computing)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(OTHER, stop)
    recorded: list[dict] = []

    def look(_: object) -> None:
        with safe_open(tmp_path / FILE, framework="pt") as opened:
            recorded.append(json.loads(opened.metadata()["state"])["computing"])

    train(usual("float32"), look)
    assert recorded == [asdict(OTHER)] * 2
