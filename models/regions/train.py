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

FIRST_LAYER = "regions.{}.1.weight"

REPORT_EVERY = 5
"""Epochs between two lines of the history."""


class RegionNetworks(nn.Module):
    """Inputs of each region to its sub-score. No region's inputs reach another's network; without any it sees zeros."""

    def __init__(self, widths: Sequence[int], config: SubscoreConfig) -> None:
        super().__init__()
        self.regions = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(config.input_dropout),
                nn.Linear(max(width, 1), config.hidden),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, 1),
            )
            for width in widths
        )
        self.balance = nn.Parameter(torch.zeros(len(widths)))

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Eight (n, P) tensors, one a region in the order of REGIONS, to (n, 8) sub-scores."""
        outputs = [network(region_inputs) for region_inputs, network in zip(inputs, self.regions, strict=True)]
        return MODEL_SCALE.at(torch.sigmoid(torch.cat(outputs, dim=1)))

    def last_layers(self) -> list[nn.Linear]:
        """The layers whose bias is where a region's sub-score starts from."""
        return [network[-1] for network in self.regions]  # type: ignore[index]

    def weights(self) -> torch.Tensor:
        """(8,) positive weights that sum to one."""
        return torch.softmax(self.balance, dim=0)


def train_subscores(
    train: FaceBatch, held_out: FaceBatch, config: SubscoreConfig, on_epoch: Callable[[Epoch], None]
) -> SubscoreModel:
    """Train on `train` for a fixed number of epochs; what is reported on `held_out` decides nothing.

    Raises PrerequisiteError when the embedding is used and the batch has none.
    """
    inputs = Inputs.fit(train, config.use_embedding)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        training = _Training(train, inputs, config)
        for epoch in range(config.epochs):
            began = time.monotonic()
            loss = training.run_epoch()
            if (epoch + 1) % REPORT_EVERY and epoch + 1 < config.epochs:
                continue
            model = SubscoreModel(config, inputs, training.averaged_tensors())
            predicted = model.predict(held_out)
            on_epoch(Epoch.from_scores(epoch + 1, config.epochs, loss, held_out.scores, predicted, began=began))
    return model


class _Training:
    """The network, its running average and the optimizer, over the training rows."""

    def __init__(self, train: FaceBatch, inputs: Inputs, config: SubscoreConfig) -> None:
        self._config = config
        by_region = inputs.by_region(train)
        widths = [
            [shown.shape[1] for shown in train.windows_of(region)] if region in inputs.means else []
            for region in REGIONS
        ]
        self._bases = [
            Basis.fit(values, of_region, config.components, config.seed)
            for values, of_region in zip(by_region, widths, strict=True)
        ]
        regions = [basis.components(values) for basis, values in zip(self._bases, by_region, strict=True)]
        # side by side, so that the rows of a step are gathered once
        self._inputs, self._widths = torch.from_numpy(np.hstack(regions)), [region.shape[1] for region in regions]
        self._scores = torch.from_numpy(train.scores).float()
        self._network = _start(self._widths, float(train.scores.mean()), config)
        self._average = moving_average(self._network, config.ema)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        self._steps = -(-len(self._scores) // config.batch_size)
        self._schedule = one_cycle(self._optimizer, [config.lr], self._steps * config.epochs)

    def averaged_tensors(self) -> dict[str, NDArray[np.float32]]:
        """The averaged network's tensors, with first layers that see the inputs themselves."""
        tensors = {name: tensor.numpy().copy() for name, tensor in self._average.module.state_dict().items()}
        for number, basis in enumerate(self._bases):
            name = FIRST_LAYER.format(number)
            tensors[name] = basis.unfolded(tensors[name])
        return tensors

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
        sub_scores = self._network(torch.split(self._inputs[rows], self._widths, dim=1))
        weights = self._network.weights()
        error = nn.functional.mse_loss(sub_scores @ weights, self._scores[rows])
        beyond = ((sub_scores - MODEL_SCALE.at(0.5)).abs() - config.saturation_free).relu()
        unevenness = math.log(len(weights)) + (weights * weights.log()).sum()
        penalties = config.saturation_penalty * beyond.square().mean() + config.evenness * unevenness
        loss: torch.Tensor = error + penalties
        return loss


def _start(widths: Sequence[int], mean_score: float, config: SubscoreConfig) -> RegionNetworks:
    """The untrained network: every sub-score is about the mean training score."""
    network = RegionNetworks(widths, config)
    share = MODEL_SCALE.share(mean_score)
    for last in network.last_layers():
        nn.init.constant_(last.bias, math.log(share / (1 - share)))
    return network
