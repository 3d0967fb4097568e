"""Model A: a torchvision backbone with a regression head, from face crops to the raters' mean score."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.errors import OrderError, UsageError
from featurestore.records import Epoch, Evaluation, FaceBatch
from models.backbones import Backbone, build_backbone
from models.checkpoints import (
    fingerprint,
    load_checkpoint,
    optimizer_tensors,
    prefixed,
    remove_checkpoint,
    restore_optimizer,
    save_checkpoint,
    unprefixed,
)
from models.optimisation import MovingAverage, has_bfloat16, one_cycle, settle_batch_norms
from models.pixels import augment, centre, resize_faces, side_for
from models.saved import read_description, read_tensors, write_model

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
PREDICTED_AT_ONCE = 32
SETTLED_ON = 320
"""Training faces on which the batch statistics of the averaged weights are measured."""


@dataclass(frozen=True)
class AppearanceConfig:
    """How Model A is trained.

    weights     of the backbone: "imagenet", a safetensors file or "none"
    image_size  side of the square that the network sees, in pixels
    lr_body     peak learning rate of the backbone; one without weights learns at lr_head instead
    dropout     before the last layer
    ema         decay of the moving average of the weights, which is what predicts
    patience    epochs without a better RMSE on the validation slice before training stops
    """

    backbone: str = "efficientnet_v2_s"
    weights: str = "imagenet"
    download: bool = False
    image_size: int = 224
    epochs: int = 10
    batch_size: int = 32
    optimizer: str = "adamw"
    lr_body: float = 5e-4
    lr_head: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.3
    ema: float = 0.998
    patience: int = 4
    seed: int = 0


class Regressor(nn.Module):
    """(n, 3, h, w) normalised images to (n,) scores."""

    def __init__(self, backbone: Backbone, dropout: float) -> None:
        super().__init__()
        self.body = backbone.network
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.dim, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.dropout(self.body(images))
        with torch.autocast("cpu", enabled=False):  # bfloat16 knows scores around 3 only to 1/64
            score: torch.Tensor = self.head(features.float())
        return score.squeeze(1)


class AppearanceModel:
    """A trained Model A. `weights` and `weights_sha256` tell what its backbone started from."""

    kind = "appearance"
    needs_faces = True
    needs_embeddings = False

    def __init__(self, config: AppearanceConfig, backbone: Backbone, network: nn.Module) -> None:
        self.config, self._backbone, self._network = config, backbone, network.eval()
        self.weights, self.weights_sha256 = backbone.weights, backbone.weights_sha256

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores, the mean over each face and its mirror image. Raises OrderError without faces."""
        size = self.config.image_size
        return self.predict_views(centre(resize_faces(_faces_of(batch), side_for(size)), size))

    def predict_views(self, views: torch.Tensor) -> NDArray[np.float64]:
        """(n, 3, size, size) RGB in [0, 255] to (n,) scores, in float32 on every processor."""
        scores = np.empty(len(views))
        with torch.inference_mode():
            for start in range(0, len(views), PREDICTED_AT_ONCE):
                images = self._backbone.normalise(views[start : start + PREDICTED_AT_ONCE])
                both = self._network(images) + self._network(images.flip(3))
                scores[start : start + PREDICTED_AT_ONCE] = both.double().numpy() / 2
        return scores

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""
        # the weights by name: a path would tell of the machine that it was trained on
        config = asdict(self.config) | {"weights": self.weights}
        described = {"kind": self.kind, "config": config, "backbone": self._backbone.describe()}
        write_model(folder, described, self._network.state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described = read_description(folder, cls.kind)
        config = AppearanceConfig(**described["config"])
        backbone = Backbone.blank(described["backbone"])
        network = Regressor(backbone, config.dropout)
        network.load_state_dict(read_tensors(folder))
        return cls(config, backbone, network.requires_grad_(False))


def train_appearance(
    batch: FaceBatch,
    validation: NDArray[np.bool_],
    config: AppearanceConfig,
    on_epoch: Callable[[Epoch], None],
    on_step: Callable[[int, int], None],
    checkpoint: Path,
) -> AppearanceModel:
    """Train on the rows outside the (n,) `validation` mask; the best epoch on the rows inside it is returned.

    After each epoch the folder `checkpoint` holds all that is needed to go on; called again after an
    interruption, training tells `on_epoch` the epochs already done and ends as if never interrupted. A
    checkpoint of another configuration or other data is not used. `on_step` gets steps done and in all.
    Raises OrderError without faces, UsageError and WeightsError as `build_backbone`.
    """
    if config.optimizer not in OPTIMIZERS:
        raise UsageError(f"There is no optimizer {config.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}.")
    backbone = build_backbone(config.backbone, config.weights, download=config.download)
    backbone.check_size(config.image_size)
    training = _Training(batch, validation, config, backbone)
    training.resume(checkpoint, on_epoch)
    while not training.is_over():
        epoch = training.run_epoch(on_step)
        training.keep(checkpoint)
        on_epoch(epoch)
    remove_checkpoint(checkpoint)
    return training.best_model()


class _Training:
    """The state of a training between two epochs.

    All that is random in an epoch is drawn from (seed, epoch), so no generator's state needs keeping.
    """

    def __init__(
        self, batch: FaceBatch, validation: NDArray[np.bool_], config: AppearanceConfig, backbone: Backbone
    ) -> None:
        self._config, self._backbone = config, backbone
        self._faces = resize_faces(_faces_of(batch), side_for(config.image_size))
        self._rows, self._scores = np.flatnonzero(~validation), batch.scores
        self._validation_views = centre(self._faces[validation], config.image_size)
        self._validation_scores = batch.scores[validation]
        self._fingerprint = fingerprint(
            [asdict(config), backbone.describe(), batch.image_ids], _faces_of(batch), batch.scores, validation
        )
        self._network = _start(backbone, config, float(batch.scores[self._rows].mean()))
        self._average = MovingAverage(self._network, config.ema)
        self._best = copy.deepcopy(self._average.network)
        self._optimizer, self._peaks = _optimizer(self._network, config)
        self._steps = -(-len(self._rows) // config.batch_size)
        self._history: list[Epoch] = []
        self._bfloat16 = has_bfloat16()

    def is_over(self) -> bool:
        """All epochs are done, or `patience` of them brought nothing."""
        rmse = [epoch.rmse for epoch in self._history]
        idle = len(rmse) - 1 - int(np.argmin(rmse)) if rmse else 0
        return len(rmse) >= self._config.epochs or idle >= self._config.patience

    def run_epoch(self, on_step: Callable[[int, int], None]) -> Epoch:
        """Learn from every training row once, then judge the averaged weights on the validation slice."""
        began, epoch = time.monotonic(), len(self._history)
        loss = self._learn(np.random.default_rng((self._config.seed, epoch)), epoch * self._steps, on_step)
        settle_batch_norms(self._average.network, self._settling_views())
        predicted = self._model(self._average.network).predict_views(self._validation_views)
        metrics = Evaluation.of(self._validation_scores, predicted)
        if all(metrics.rmse < earlier.rmse for earlier in self._history):
            self._best = copy.deepcopy(self._average.network)
        line = Epoch(
            epoch=epoch + 1,
            epochs=self._config.epochs,
            train_loss=loss,
            mae=metrics.mae,
            rmse=metrics.rmse,
            pearson=metrics.pearson,
            seconds=time.monotonic() - began,
        )
        self._history.append(line)
        return line

    def _learn(self, random: np.random.Generator, done: int, on_step: Callable[[int, int], None]) -> float:
        """One pass over the training rows after `done` steps; the mean squared error met on the way."""
        losses = []
        self._network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(random.integers(2**31)))
            # near-equal batches: a last one of a single face would break batch normalisation
            for rows in np.array_split(random.permutation(self._rows), self._steps):
                losses.append(self._step(rows, random, done) * len(rows))
                done += 1
                on_step(done, self._steps * self._config.epochs)
        return sum(losses) / len(self._rows)

    def _step(self, rows: NDArray[np.int64], random: np.random.Generator, step: int) -> float:
        share = one_cycle(step, self._steps * self._config.epochs)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        images = self._backbone.normalise(augment(self._faces[rows], self._config.image_size, random))
        target = torch.from_numpy(self._scores[rows]).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            predicted = self._network(images)
        loss = nn.functional.mse_loss(predicted, target)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._average.update(self._network, step)
        return loss.item()

    def _settling_views(self) -> Iterator[torch.Tensor]:
        """Batches of training faces, the same after every epoch."""
        rows = np.random.default_rng(self._config.seed).permutation(self._rows)[:SETTLED_ON]
        for some in np.array_split(rows, -(-len(rows) // self._config.batch_size)):
            yield self._backbone.normalise(centre(self._faces[some], self._config.image_size))

    def best_model(self) -> AppearanceModel:
        """The averaged weights of the best epoch."""
        return self._model(self._best)

    def _model(self, network: nn.Module) -> AppearanceModel:
        return AppearanceModel(self._config, self._backbone, network)

    def _networks(self) -> dict[str, nn.Module]:
        return {"network": self._network, "average": self._average.network, "best": self._best}

    def keep(self, folder: Path) -> None:
        """Write all that changes from epoch to epoch."""
        tensors = prefixed("optimizer", optimizer_tensors(self._optimizer))
        for name, network in self._networks().items():
            tensors |= prefixed(name, network.state_dict())
        save_checkpoint(folder, self._fingerprint, tensors, {"history": [asdict(e) for e in self._history]})

    def resume(self, folder: Path, on_epoch: Callable[[Epoch], None]) -> None:
        """Take up what `keep` wrote, if it was written by this very training."""
        kept = load_checkpoint(folder, self._fingerprint)
        if kept is None:
            return
        tensors, state = kept
        for name, network in self._networks().items():
            network.load_state_dict(unprefixed(name, tensors))
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        restore_optimizer(self._optimizer, parameters, unprefixed("optimizer", tensors))
        self._history = [Epoch(**line) for line in state["history"]]
        for line in self._history:
            on_epoch(line)


def _start(backbone: Backbone, config: AppearanceConfig, mean_score: float) -> Regressor:
    """The untrained network: it says the mean training score of everyone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Regressor(backbone, config.dropout)
    nn.init.constant_(network.head.bias, mean_score)
    return network.to(memory_format=torch.channels_last)


def _optimizer(network: Regressor, config: AppearanceConfig) -> tuple[torch.optim.Optimizer, list[float]]:
    """The optimizer over body and head, and the peak learning rate of each."""
    body = config.lr_head if config.weights == "none" else config.lr_body
    groups: list[dict[str, Any]] = [{"params": list(part.parameters())} for part in (network.body, network.head)]
    return OPTIMIZERS[config.optimizer](groups, weight_decay=config.weight_decay), [body, config.lr_head]


def _faces_of(batch: FaceBatch) -> NDArray[np.uint8]:
    if batch.faces is None:
        raise OrderError("Model A needs face crops and this batch has none: read the faces of its photos first.")
    return batch.faces
