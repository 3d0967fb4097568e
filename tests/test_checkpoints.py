"""An interrupted training ends as if it had never been interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.records import Epoch
from models.image import checkpoints
from models.image.checkpoints import FILE
from models.image.model import AppearanceConfig
from models.image.train import starting_backbone, train_appearance
from tests.face_batches import learnable_batch, split

TINY = AppearanceConfig(
    backbone="mobilenet_v3_small", weights="none", precision="float32", image_size=64, epochs=4, batch_size=16, ema=0.9
)


class PowerCutError(Exception):
    """Stands for Ctrl-C, a full disk or a power cut."""


def metrics(history: list[Epoch]) -> list[Epoch]:
    """The history without what a clock decides."""
    return [replace(epoch, seconds=0.0) for epoch in history]


def test_resumed_training_equals_uninterrupted_training(tmp_path: Path) -> None:
    batch, whole, resumed = learnable_batch(50, side=73), [], []
    parts, folder = split(batch), tmp_path / "checkpoint"
    expected = train_appearance(
        starting_backbone(TINY), *parts, TINY, whole.append, lambda *_: None, tmp_path / "other"
    )

    def stop_at_two(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train_appearance(starting_backbone(TINY), *parts, TINY, stop_at_two, lambda *_: None, folder)
    assert (folder / FILE).is_file()
    steps: list[int] = []
    model = train_appearance(
        starting_backbone(TINY), *parts, TINY, resumed.append, lambda done, _: steps.append(done), folder
    )
    assert steps == [7, 8, 9, 10, 11, 12]
    assert metrics(resumed) == metrics(whole)
    assert np.array_equal(model.predict(batch), expected.predict(batch))
    assert not folder.exists()


def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    batch = learnable_batch(30, side=73)
    config = replace(TINY, epochs=2)

    def stop(_: Epoch) -> None:
        raise PowerCutError

    def steps_of(batch, config) -> list[int]:
        with pytest.raises(PowerCutError):
            train_appearance(starting_backbone(TINY), *split(batch), TINY, stop, lambda *_: None, tmp_path)
        steps: list[int] = []
        train_appearance(
            starting_backbone(config),
            *split(batch),
            config,
            lambda _: None,
            lambda done, _: steps.append(done),
            tmp_path,
        )
        return steps

    assert steps_of(batch, replace(config, seed=1)) == [1, 2, 3, 4]
    assert steps_of(replace(batch, scores=batch.scores[::-1].copy()), config) == [1, 2, 3, 4]


def test_a_checkpoint_is_replaced_whole_and_a_damaged_one_ignored(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path, "f") is None
    checkpoints.save(tmp_path, "f", {"a": torch.ones(2)}, {"epoch": 1})
    checkpoints.save(tmp_path, "f", {"a": torch.zeros(2)}, {"epoch": 2})
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    checkpoint = checkpoints.load(tmp_path, "f")
    assert checkpoint is not None
    assert torch.equal(checkpoint[0]["a"], torch.zeros(2))
    assert checkpoint[1] == {"epoch": 2}
    assert checkpoints.load(tmp_path, "g") is None
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:20])
    assert checkpoints.load(tmp_path, "f") is None


def test_removing_a_checkpoint_spares_what_else_is_there(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, "f", {"a": torch.ones(1)}, {})
    (tmp_path / "notes.txt").write_text("mine")
    checkpoints.remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
