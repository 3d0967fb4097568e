"""Model B: a sub-score per region of the face, and the weights that combine them.

The sub-scores have no labels of their own: they are attributions of the score to regions.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.errors import OrderError
from featurestore.records import REGIONS, SCALE, Epoch, Evaluation, FaceBatch
from models.optimisation import MovingAverage, one_cycle
from models.saved import fill, read_description, read_tensors, write_model

LOW, HIGH = SCALE
FURTHEST = 5.0
"""z-scores beyond it are taken as it: no single odd measure decides a region."""

SMALLEST = 1e-3
"""Standard deviations are taken as at least this part of the region's largest."""

TOLD_EVERY = 5
"""Epochs between two lines of the history."""


@dataclass(frozen=True)
class SubscoreConfig:
    """How Model B is trained.

    use_embedding       the CNN form: each region's network also sees the encoder's maps in that region's windows
    hidden              units of each region's hidden layer
    saturation_penalty  weight of the penalty on sub-scores beyond `saturation_free` from the middle
    evenness            weight of the penalty on uneven region weights, (log 8 - entropy)
    """

    use_embedding: bool = False
    hidden: int = 32
    epochs: int = 100
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.05
    input_dropout: float = 0.2
    dropout: float = 0.3
    saturation_penalty: float = 1.0
    saturation_free: float = 1.5
    evenness: float = 0.02
    ema: float = 0.99
    seed: int = 0


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
        outputs = [network(own) for own, network in zip(inputs, self.regions, strict=True)]
        return LOW + (HIGH - LOW) * torch.sigmoid(torch.cat(outputs, dim=1))

    def last_layers(self) -> list[nn.Linear]:
        """The layers whose bias is where a region's sub-score starts from."""
        return [network[-1] for network in self.regions]  # type: ignore[index]

    def weights(self) -> torch.Tensor:
        """(8,) positive weights that sum to one."""
        return torch.softmax(self.balance, dim=0)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What each region's network sees: the region's features, then its part of the embedding, standardised.

    feature_names  F names
    columns        region -> columns of the features
    means, scales  region -> (P,) float32 of its part of the embedding; none where no embedding is used
    """

    feature_names: tuple[str, ...]
    columns: Mapping[str, NDArray[np.int64]]
    means: Mapping[str, NDArray[np.float32]]
    scales: Mapping[str, NDArray[np.float32]]

    @classmethod
    def fit(cls, learned: FaceBatch, use_embedding: bool) -> Self:
        """Raises OrderError when the embedding is asked for and the batch has none."""
        seen = learned.region_embeddings if use_embedding else {}
        if use_embedding and not seen:
            raise OrderError("Model B needs embeddings of the regions and these rows have none: run `kallos extract`.")
        means = {region: values.mean(axis=0) for region, values in seen.items()}
        spreads = {region: values.std(axis=0) for region, values in seen.items()}
        # a number that hardly varies would be noise blown up
        scales = {region: np.maximum(sd, SMALLEST * max(sd.max(), 1e-12)) for region, sd in spreads.items()}
        columns = {region: learned.columns_of(region) for region in REGIONS}
        return cls(learned.feature_names, columns, means, scales)

    @property
    def widths(self) -> list[int]:
        """How many numbers each region's network sees, in the order of REGIONS."""
        return [len(self.columns[region]) + len(self.means.get(region, ())) for region in REGIONS]

    def of(self, batch: FaceBatch) -> list[torch.Tensor]:
        """Eight (n, P) float32 tensors. Raises OrderError for other features than were fitted, or no embedding."""
        if batch.feature_names != self.feature_names:
            raise OrderError("These are not the features that Model B was trained on: train it again.")
        if missing := self.means.keys() - batch.region_embeddings.keys():
            raise OrderError(f"Model B needs the embedding of {min(missing)}, which these rows lack: extract again.")
        # an unknown feature counts as the training mean, an extreme one as FURTHEST
        features = np.nan_to_num(batch.features, nan=0.0).clip(-FURTHEST, FURTHEST).astype(np.float32)
        inputs = []
        for region in REGIONS:
            own = features[:, self.columns[region]]
            if region in self.means:
                embedded = (batch.region_embeddings[region] - self.means[region]) / self.scales[region]
                own = np.hstack([own, embedded])
            inputs.append(torch.from_numpy(own if own.shape[1] else np.zeros((len(own), 1), dtype=np.float32)))
        return inputs

    def tensors(self) -> dict[str, torch.Tensor]:
        """Means and scales, to be saved."""
        parts = {"mean": self.means, "scale": self.scales}
        return {f"{name}/{r}": torch.from_numpy(v) for name, values in parts.items() for r, v in values.items()}

    @classmethod
    def restore(cls, described: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Self:
        """The inputs that a saved model was trained on."""
        columns = {region: np.array(own, dtype=np.int64) for region, own in described["columns"].items()}
        means, scales = (
            {r: tensors[f"{name}/{r}"].numpy() for r in REGIONS if f"{name}/{r}" in tensors}
            for name in ("mean", "scale")
        )
        return cls(tuple(described["feature_names"]), columns, means, scales)


class SubscoreModel:
    """A trained Model B."""

    kind = "subscores"
    needs_faces = False

    def __init__(self, config: SubscoreConfig, inputs: Inputs, network: RegionNetworks) -> None:
        self.config, self._inputs = config, inputs
        # double precision: a face has the same sub-scores alone and among others
        self.network = copy.deepcopy(network).double().eval().requires_grad_(False)

    @property
    def needs_embeddings(self) -> bool:
        return self.config.use_embedding

    @property
    def weights(self) -> NDArray[np.float64]:
        """(8,) weights in the order of REGIONS; positive, they sum to one."""
        weights: NDArray[np.float64] = self.network.weights().numpy()
        return weights

    def sub_scores(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, 8) sub-scores in the order of REGIONS. Raises OrderError for other features than it learned."""
        with torch.inference_mode():
            scores: NDArray[np.float64] = self.network(self.inputs_of(batch)).numpy()
        return scores

    def inputs_of(self, batch: FaceBatch) -> list[torch.Tensor]:
        """Eight (n, P) tensors, what each region's network sees: its features, then what the encoder shows of it."""
        return [own.double() for own in self._inputs.of(batch)]

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores: the weighted means of the sub-scores."""
        return self.sub_scores(batch) @ self.weights

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""
        described = {
            "kind": self.kind,
            "config": asdict(self.config),
            "feature_names": self._inputs.feature_names,
            "columns": {region: own.tolist() for region, own in self._inputs.columns.items()},
        }
        network = copy.deepcopy(self.network).float().state_dict()
        write_model(folder, described, {**network, **self._inputs.tensors()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        config, inputs = SubscoreConfig(**described["config"]), Inputs.restore(described, tensors)
        with torch.device("meta"):
            network = RegionNetworks(inputs.widths, config)
        fill(network, {name: tensor for name, tensor in tensors.items() if "/" not in name}, folder)
        return cls(config, inputs, network)


def train_subscores(
    learned: FaceBatch, held_out: FaceBatch, config: SubscoreConfig, on_epoch: Callable[[Epoch], None]
) -> SubscoreModel:
    """Train on `learned` for a fixed number of epochs; what `on_epoch` is told of `held_out` decides nothing.

    Raises OrderError when the embedding is asked for and the batch has none.
    """
    inputs = Inputs.fit(learned, config.use_embedding)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        learning = _Learning(learned, inputs, config)
        for epoch in range(config.epochs):
            began = time.monotonic()
            loss = learning.run_epoch(epoch)
            model = SubscoreModel(config, inputs, learning.average.network)
            if (epoch + 1) % TOLD_EVERY and epoch + 1 < config.epochs:
                continue
            metrics = Evaluation.of(held_out.scores, model.predict(held_out))
            on_epoch(
                Epoch(
                    epoch=epoch + 1,
                    epochs=config.epochs,
                    train_loss=loss,
                    mae=metrics.mae,
                    rmse=metrics.rmse,
                    pearson=metrics.pearson,
                    seconds=time.monotonic() - began,
                )
            )
    return model


class _Learning:
    """The network, its running average and the optimizer, over the training rows."""

    def __init__(self, learned: FaceBatch, inputs: Inputs, config: SubscoreConfig) -> None:
        self._config = config
        self._inputs = inputs.of(learned)
        self._scores = torch.from_numpy(learned.scores).float()
        self._network = _start(inputs.widths, float(learned.scores.mean()), config)
        self.average: MovingAverage[RegionNetworks] = MovingAverage(self._network, config.ema)
        self._optimizer = torch.optim.AdamW(self._network.parameters(), lr=config.lr, weight_decay=config.weight_decay)

    def run_epoch(self, epoch: int) -> float:
        """Learn from every training row once; the mean loss met on the way."""
        rows, losses = len(self._scores), []
        steps = -(-rows // self._config.batch_size)
        self._network.train()
        for done, chosen in enumerate(torch.randperm(rows).tensor_split(steps), start=epoch * steps):
            self._optimizer.param_groups[0]["lr"] = self._config.lr * one_cycle(done, steps * self._config.epochs)
            loss = self._loss(chosen)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self.average.update(done)
            losses.append(loss.item() * len(chosen))
        return sum(losses) / rows

    def _loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Squared error, and what keeps sub-scores off the ends and the weights from gathering on one region."""
        config = self._config
        sub_scores = self._network([own[rows] for own in self._inputs])
        weights = self._network.weights()
        error = nn.functional.mse_loss(sub_scores @ weights, self._scores[rows])
        beyond = ((sub_scores - (LOW + HIGH) / 2).abs() - config.saturation_free).relu()
        unevenness = math.log(len(weights)) + (weights * weights.log()).sum()
        penalties = config.saturation_penalty * beyond.square().mean() + config.evenness * unevenness
        loss: torch.Tensor = error + penalties
        return loss


def _start(widths: Sequence[int], mean_score: float, config: SubscoreConfig) -> RegionNetworks:
    """The untrained network: every sub-score is about the mean training score."""
    network = RegionNetworks(widths, config)
    share = (mean_score - LOW) / (HIGH - LOW)
    for last in network.last_layers():
        nn.init.constant_(last.bias, math.log(share / (1 - share)))
    return network
