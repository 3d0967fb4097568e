"""Training of Model A: from face crops and scores to the averaged weights, epoch by epoch, with checkpoints."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.errors import UsageError
from featurestore.records import Epoch, FaceBatch
from models.image import checkpoints
from models.image.augmentation import augment
from models.image.computing import PRECISIONS, Computing, choose, usual
from models.image.model import AppearanceConfig, AppearanceModel, Regressor, faces_of, network_view
from models.image.optimisation import moving_average, one_cycle, settle_batch_norms
from models.image.start import freeze_statistics, has_statistics, solve_head, starting_network
from models.image.tensors import as_images
from models.networks.architectures import check_size
from models.networks.backbones import Backbone, build_backbone

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
SETTLED_ON = 320
"""Training faces on which the batch statistics of averaged weights are measured, where they are not frozen."""

TRIED = 8
"""Photos in a step by which the way of computing is chosen."""

WATCHED = 100
"""Held-out faces that are predicted after each epoch, without their mirror images: they decide nothing."""


def check_settings(config: AppearanceConfig) -> None:
    """Raises UsageError for an optimizer or a precision that does not exist, and for a weight below 0."""
    if config.optimizer not in OPTIMIZERS:
        raise UsageError(f"There is no optimizer {config.optimizer!r}: choose one of {', '.join(OPTIMIZERS)}.")
    if config.histogram < 0:
        raise UsageError(f"The histogram cannot weigh {config.histogram:g} in the loss: choose 0 or more.")
    if config.precision not in PRECISIONS:
        raise UsageError(f"There is no precision {config.precision!r}: choose one of {', '.join(PRECISIONS)}.")


def starting_backbone(config: AppearanceConfig) -> Backbone:
    """What a training starts from. Raises UsageError for settings that cannot be, WeightsError as `build_backbone`."""
    check_settings(config)
    backbone = build_backbone(config.backbone, config.weights, download=config.download)
    check_size(backbone.name, backbone.network, config.image_size)
    return backbone


def train_appearance(
    backbone: Backbone,
    train: FaceBatch,
    held_out: FaceBatch,
    config: AppearanceConfig,
    on_epoch: Callable[[Epoch], None],
    on_step: Callable[[int, int], None],
    checkpoint: Path,
    computing: Computing | None = None,
) -> AppearanceModel:
    """Train `backbone` on `train`; `on_epoch` gets metrics on some of `held_out`, which decide nothing.

    After each epoch the folder `checkpoint` holds all that is needed to go on; called again after an
    interruption, training reports the epochs already done to `on_epoch` and ends as if never interrupted. A
    checkpoint of another configuration or other data is not used. `on_step` gets steps done and in all.
    `computing` is chosen here where it is not given; a training that goes on keeps what it began with.
    Raises PrerequisiteError without faces.
    """
    training = _Training(train, held_out, config, backbone, computing, checkpoint)
    with training.computing.threading():
        training.resume(on_epoch)
        while not training.is_over():
            epoch = training.run_epoch(on_step)
            training.save(checkpoint)
            on_epoch(epoch)
    checkpoints.remove(checkpoint)
    model = training.model()
    model.network.to(memory_format=torch.channels_last)  # as one that is loaded
    return model


class _Training:
    """The state of a training between two epochs.

    All that is random in an epoch is drawn from (seed, epoch), so no generator's state needs keeping.
    """

    def __init__(
        self,
        train: FaceBatch,
        held_out: FaceBatch,
        config: AppearanceConfig,
        backbone: Backbone,
        computing: Computing | None,
        checkpoint: Path,
    ) -> None:
        known = np.asarray(np.isfinite(train.histograms).all(axis=1))
        self._backbone = backbone
        self._config = config if known.any() else AppearanceConfig(**asdict(config) | {"histogram": 0.0})
        self._faces, self._scores = faces_of(train), train.scores
        self._known, self._histograms = known, np.nan_to_num(train.histograms)
        watched = held_out.take(np.random.default_rng(config.seed).permutation(len(held_out))[:WATCHED])
        self._watched, self._watched_scores = network_view(faces_of(watched), config), watched.scores
        self._fingerprint = checkpoints.fingerprint(
            [asdict(config), backbone.describe(), train.image_ids, watched.image_ids],
            self._faces,
            self._scores,
            self._histograms,
        )
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._checkpoint = checkpoints.load(checkpoint, self._fingerprint)
        if self._checkpoint is not None:
            computing = Computing(**self._checkpoint[1]["computing"])
        self.computing = computing or choose_computing(config, backbone)
        self._network = starting_network(backbone, config, float(self._scores.mean())).to(self._device)
        if backbone.is_trained and self._checkpoint is None:
            with self.computing.threading():
                solve_head(self._network, self._features(), self._scores, train.histograms)
        self.computing.place(self._network)
        self._average = moving_average(self._network, config.ema)
        self._optimizer, peaks = _optimizer(self._network, config)
        self._steps = -(-len(train) // config.batch_size)
        self._schedule = one_cycle(self._optimizer, peaks, self._steps * config.epochs)
        self._history: list[Epoch] = []

    def _features(self) -> NDArray[np.float32]:
        """(n, width): what the head sees of every training row, as the mean of the face and its mirror image."""
        self._network.eval()
        features = []
        with torch.inference_mode(), self._autocast():
            for rows in np.array_split(np.arange(len(self._faces)), -(-len(self._faces) // self._config.batch_size)):
                faces = as_images(network_view(self._faces[rows], self._config))
                images = self._backbone.normalise(faces).to(self._device)
                both = self._network.features(images) + self._network.features(images.flip(3))
                features.append((both / 2).cpu().numpy())
        return np.concatenate(features)

    def is_over(self) -> bool:
        """All epochs are done."""
        return len(self._history) >= self._config.epochs

    def run_epoch(self, on_step: Callable[[int, int], None]) -> Epoch:
        """Train on every training row once, then predict held-out rows with the averaged weights."""
        began, epoch = time.monotonic(), len(self._history)
        loss = self._train_pass(np.random.default_rng((self._config.seed, epoch)), epoch * self._steps, on_step)
        if not self._backbone.is_trained:
            settle_batch_norms(self._average.module, self._settling_views())
        with self._autocast():
            predicted = self.model().predict_images(self._watched, mirrored=False)
        line = Epoch.from_scores(epoch + 1, self._config.epochs, loss, self._watched_scores, predicted, began=began)
        self._history.append(line)
        return line

    def _train_pass(self, random: np.random.Generator, done: int, on_step: Callable[[int, int], None]) -> float:
        """One pass over the training rows after `done` steps; the mean squared error met on the way."""
        losses = []
        self._network.train()
        if self._backbone.is_trained:
            freeze_statistics(self._network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(random.integers(2**31)))
            # near-equal batches: a last one of a single face would break batch normalisation
            for rows in np.array_split(random.permutation(len(self._scores)), self._steps):
                losses.append(self._step(rows, random) * len(rows))
                done += 1
                on_step(done, self._steps * self._config.epochs)
        return sum(losses) / len(self._scores)

    def _step(self, rows: NDArray[np.int64], random: np.random.Generator) -> float:
        varied = augment(self._faces[rows], self._config.image_size, self._config.view, random)
        images = self.computing.lay(self._backbone.normalise(varied))
        with self._autocast():
            score, logits = self._network(images.to(self._device))
        error = nn.functional.mse_loss(score, self._tensor(self._scores[rows]))
        surprise = -(self._tensor(self._histograms[rows]) * logits.log_softmax(1)).sum(1)
        loss = error + self._config.histogram * (surprise * self._tensor(self._known[rows])).mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        self._average.update_parameters(self._network)
        return error.item()

    def _autocast(self) -> torch.autocast:
        return self.computing.autocast(self._device.type)

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values).float().to(self._device)

    def _settling_views(self) -> Iterator[torch.Tensor]:
        """Batches of training faces, the same after every epoch."""
        rows = np.random.default_rng(self._config.seed).permutation(len(self._faces))[:SETTLED_ON]
        for some in np.array_split(rows, -(-len(rows) // self._config.batch_size)):
            faces = network_view(self._faces[some], self._config)
            yield self._backbone.normalise(as_images(faces)).to(self._device)

    def model(self) -> AppearanceModel:
        """The averaged weights as they are now."""
        return AppearanceModel(self._config, self._backbone, self._average.module)

    def _networks(self) -> dict[str, nn.Module]:
        return {"network": self._network, "average": self._average}

    def save(self, folder: Path) -> None:
        """Write all that changes from epoch to epoch."""
        tensors = checkpoints.prefixed("optimizer", checkpoints.optimizer_tensors(self._optimizer))
        for name, network in self._networks().items():
            tensors |= checkpoints.prefixed(name, network.state_dict())
        state = {
            "history": [asdict(e) for e in self._history],
            "computing": asdict(self.computing),
            "schedule": self._schedule.state_dict(),
        }
        checkpoints.save(folder, self._fingerprint, tensors, state)

    def resume(self, on_epoch: Callable[[Epoch], None]) -> None:
        """Take up what `save` wrote, if it was written by this very training."""
        if self._checkpoint is None:
            return
        tensors, state = self._checkpoint
        for name, network in self._networks().items():
            network.load_state_dict(checkpoints.unprefixed(name, tensors))
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        checkpoints.restore_optimizer(self._optimizer, parameters, checkpoints.unprefixed("optimizer", tensors))
        self._schedule.load_state_dict(state["schedule"])
        for group, rate in zip(self._optimizer.param_groups, self._schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        self._history = [Epoch(**line) for line in state["history"]]
        for line in self._history:
            on_epoch(line)


def _optimizer(network: Regressor, config: AppearanceConfig) -> tuple[torch.optim.Optimizer, list[float]]:
    """The optimizer over body and head, and the peak learning rate of each."""
    lr_body = config.lr_body if has_statistics(network.body) else config.lr_folded
    rates = (config.lr_random, config.lr_random) if config.weights == "none" else (lr_body, config.lr_head)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in part.parameters() if p.requires_grad]} for part in (network.body, network.head)
    ]
    return OPTIMIZERS[config.optimizer](groups, weight_decay=config.weight_decay, fused=True), list(rates)


def choose_computing(config: AppearanceConfig, backbone: Backbone) -> Computing:
    """How a training with these settings computes here: as set, or as a trial of a second or two finds fastest."""
    if torch.cuda.is_available():
        return usual("bfloat16" if config.precision == "auto" else config.precision)
    if config.precision != "auto":
        return usual(config.precision)
    with torch.random.fork_rng(devices=[]):
        return choose(lambda computing: trial_step(config, backbone, computing, min(TRIED, config.batch_size)))


def trial_step(config: AppearanceConfig, backbone: Backbone, computing: Computing, photos: int) -> Callable[[], None]:
    """A training step on blank photos, to be timed: forward and backward pass and optimizer of a copy of `backbone`."""
    network = starting_network(copy.deepcopy(backbone), config, 0.0).train()
    computing.place(network)
    if backbone.is_trained:
        freeze_statistics(network)
    optimizer, _ = _optimizer(network, config)
    images = computing.lay(torch.zeros(photos, 3, config.image_size, config.image_size))

    def step() -> None:
        with computing.autocast("cpu"):
            score, logits = network(images)
        optimizer.zero_grad()
        (score.square().mean() + logits.log_softmax(1).mean()).backward()
        optimizer.step()

    return step
