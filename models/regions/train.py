"""Training of Model B: eight small networks, a penalty that keeps sub-scores off the ends, and weights kept apart."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from extractors.regions import REGIONS
from featurestore.records import Epoch, FaceBatch
from featurestore.scale import MODEL_SCALE
from models.image.optimisation import moving_average, one_cycle
from models.regions.components import Basis
from models.regions.model import Inputs, SubscoreConfig, SubscoreModel
from models.regions.networks import JointNetwork, RegionNetworks, Tensors

REPORT_EVERY = 5
"""Epochs between two lines of the history."""


def train_subscores(
    train: FaceBatch, held_out: FaceBatch, config: SubscoreConfig, on_epoch: Callable[[Epoch], None]
) -> SubscoreModel:
    """Train on `train` for a fixed number of epochs; what is reported on `held_out` decides nothing.

    Raises PrerequisiteError when the embedding is used and the batch has none.
    """
    inputs = Inputs.fit(train, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        training = _Training(train, held_out, inputs, config)
        for epoch in range(config.epochs):
            began = time.monotonic()
            loss = training.run_epoch()
            if (epoch + 1) % REPORT_EVERY and epoch + 1 < config.epochs:
                continue
            predicted = training.predict_held_out()
            on_epoch(Epoch.from_scores(epoch + 1, config.epochs, loss, held_out.scores, predicted, began=began))
    return SubscoreModel(config, inputs, training.tensors())


class _Training:
    """The network, its running average and the optimizer, over the components of the training rows."""

    def __init__(self, train: FaceBatch, held_out: FaceBatch, inputs: Inputs, config: SubscoreConfig) -> None:
        self._config = config
        # a joint network sees the same for every region
        self._regions = REGIONS[:1] if config.joint else REGIONS
        seen = inputs.by_region(train, self._regions)
        self._bases = [
            Basis.fit(values, _widths(train, inputs, region), config.components, config.seed)
            for values, region in zip(seen, self._regions, strict=True)
        ]
        self._inputs, widths = self._components(seen)
        self._held_out, _ = self._components(inputs.by_region(held_out, self._regions))
        self._scores = torch.tensor(train.scores, dtype=torch.float32)
        self._network: RegionNetworks | JointNetwork = (
            JointNetwork(widths[0], config) if config.joint else RegionNetworks(widths, config)
        )
        share = MODEL_SCALE.share(float(train.scores.mean()))
        self._network.start_from(math.log(share / (1 - share)))
        self._average = moving_average(self._network, config.ema)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        self._steps = -(-len(self._scores) // config.batch_size)
        self._schedule = one_cycle(self._optimizer, [config.lr], self._steps * config.epochs)

    def _components(self, seen: Sequence[NDArray[np.float32]]) -> tuple[torch.Tensor, list[int]]:
        """(regions, n, P): what the regions see, narrower ones padded with zeros; and their widths."""
        regions = [basis.components(values) for basis, values in zip(self._bases, seen, strict=True)]
        widths = [region.shape[1] for region in regions]
        padded = np.zeros((len(regions), len(regions[0]), max(widths)), dtype=np.float32)
        for one, values in zip(padded, regions, strict=True):
            one[:, : values.shape[1]] = values
        return torch.from_numpy(padded), widths

    def tensors(self) -> Tensors:
        """The averaged network's."""
        return self._averaged.tensors(self._bases)

    def predict_held_out(self) -> NDArray[np.float64]:
        """(n,) scores of the held-out rows by the averaged network."""
        with torch.inference_mode():
            sub_scores = self._averaged(self._held_out)
            return np.asarray((sub_scores @ self._averaged.weights()).double().numpy())

    @property
    def _averaged(self) -> RegionNetworks | JointNetwork:
        network = self._average.module
        assert isinstance(network, RegionNetworks | JointNetwork)
        return network

    def run_epoch(self) -> float:
        """Train on every training row once; returns the mean loss on the way."""
        rows, losses = len(self._scores), []
        self._network.train()
        for chosen in torch.randperm(rows).tensor_split(self._steps):
            loss = self._loss(chosen)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._schedule.step()
            self._average.update_parameters(self._network)
            losses.append(loss.item() * len(chosen))
        return sum(losses) / rows

    def _loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Squared error, and what keeps sub-scores off the ends and the weights from gathering on one region."""
        config = self._config
        sub_scores = self._network(self._inputs[:, rows])
        weights = self._network.weights()
        error = nn.functional.mse_loss(sub_scores @ weights, self._scores[rows])
        beyond = ((sub_scores - MODEL_SCALE.at(0.5)).abs() - config.saturation_free).relu()
        unevenness = math.log(len(weights)) + (weights * weights.log()).sum()
        penalties = config.saturation_penalty * beyond.square().mean() + config.evenness * unevenness
        return error + penalties


def _widths(train: FaceBatch, inputs: Inputs, region: str) -> list[int]:
    """How many numbers each of the encoder's networks shows of a region."""
    if region not in inputs.means:
        return []
    return [train.embeddings.shape[1]] if inputs.joint else [shown.shape[1] for shown in train.windows_of(region)]
