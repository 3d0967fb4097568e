"""Model B: a sub-score per region of the face, and the weights that combine them.

The sub-scores have no labels of their own: they are attributions of the score to regions.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.errors import OrderError
from featurestore.records import REGIONS, SCALE, Epoch, Evaluation, FaceBatch
from models.optimisation import MovingAverage, one_cycle
from models.saved import read_description, read_tensors, write_model

LOW, HIGH = SCALE


@dataclass(frozen=True)
class SubscoreConfig:
    """How Model B is trained.

    use_embedding       the CNN form: each region's network also sees a projection of the embedding
    hidden              units of each region's hidden layer
    projection          numbers that the embedding is reduced to
    saturation_penalty  weight of the penalty on sub-scores beyond `saturation_free` from the middle
    evenness            weight of the penalty on uneven region weights, (log 8 - entropy)
    patience            epochs without a better RMSE on the validation slice before training stops
    """

    use_embedding: bool = False
    hidden: int = 16
    projection: int = 32
    epochs: int = 60
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    embedding_dropout: float = 0.5
    saturation_penalty: float = 1.0
    saturation_free: float = 1.5
    evenness: float = 0.02
    ema: float = 0.99
    patience: int = 15
    seed: int = 0


class RegionNetworks(nn.Module):
    """Features of each region, and an embedding that all see, to a sub-score per region.

    A region's features reach its own network only. A region without features sees zeros.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, columns: list[list[int]], embedding: int, config: SubscoreConfig) -> None:
        super().__init__()
        self._columns, self.embedding = columns, embedding
        shared = config.projection if config.use_embedding else 0
        if config.use_embedding:
            self.register_buffer("mean", torch.zeros(embedding))
            self.register_buffer("std", torch.ones(embedding))
            self.project = nn.Sequential(
                nn.Dropout(config.embedding_dropout), nn.Linear(embedding, shared), nn.Dropout(config.dropout)
            )
        self._use_embedding = config.use_embedding
        self.regions = nn.ModuleList(
            nn.Sequential(
                nn.Linear(max(len(own), 1) + shared, config.hidden),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, 1),
            )
            for own in columns
        )
        self.balance = nn.Parameter(torch.zeros(len(columns)))

    def forward(self, features: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
        """(n, F) z-scored features and (n, E) raw embeddings to (n, 8) sub-scores."""
        shared = features[:, :0]
        if self._use_embedding:
            shared = self.project((embeddings - self.mean) / self.std)
        outputs = []
        for own, network in zip(self._columns, self.regions, strict=True):
            seen = features[:, own] if own else torch.zeros_like(features[:, :1])
            outputs.append(network(torch.cat([seen, shared], dim=1)))
        return LOW + (HIGH - LOW) * torch.sigmoid(torch.cat(outputs, dim=1))

    def last_layers(self) -> list[nn.Linear]:
        """The layers whose bias is where a region's sub-score starts from."""
        return [network[-1] for network in self.regions]  # type: ignore[index]

    def weights(self) -> torch.Tensor:
        """(8,) positive weights that sum to one."""
        return torch.softmax(self.balance, dim=0)


class SubscoreModel:
    """A trained Model B."""

    kind = "subscores"
    needs_faces = False

    def __init__(
        self, config: SubscoreConfig, feature_names: tuple[str, ...], regions: tuple[str, ...], network: RegionNetworks
    ) -> None:
        self.config, self.feature_names, self._regions = config, feature_names, regions
        # double precision: a face has the same sub-scores alone and among others
        self._network = copy.deepcopy(network).double().eval().requires_grad_(False)

    @property
    def needs_embeddings(self) -> bool:
        return self.config.use_embedding

    @property
    def weights(self) -> NDArray[np.float64]:
        """(8,) weights in the order of REGIONS; positive, they sum to one."""
        weights: NDArray[np.float64] = self._network.weights().numpy()
        return weights

    def sub_scores(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, 8) sub-scores in the order of REGIONS. Raises OrderError for other features than it learned."""
        if batch.feature_names != self.feature_names:
            raise OrderError("These are not the features that Model B was trained on: train it again.")
        with torch.inference_mode():
            features, embeddings = (tensor.double() for tensor in _inputs(batch))
            scores: NDArray[np.float64] = self._network(features, embeddings).numpy()
        return scores

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores: the weighted means of the sub-scores."""
        return self.sub_scores(batch) @ self.weights

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""
        described = {
            "kind": self.kind,
            "config": asdict(self.config),
            "feature_names": self.feature_names,
            "feature_regions": self._regions,
            "embedding": self._network.embedding,
        }
        write_model(folder, described, copy.deepcopy(self._network).float().state_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described = read_description(folder, cls.kind)
        config = SubscoreConfig(**described["config"])
        regions = tuple(described["feature_regions"])
        network = RegionNetworks(_columns(regions), described["embedding"], config)
        network.load_state_dict(read_tensors(folder))
        return cls(config, tuple(described["feature_names"]), regions, network)


def train_subscores(
    batch: FaceBatch,
    validation: NDArray[np.bool_],
    config: SubscoreConfig,
    on_epoch: Callable[[Epoch], None],
) -> SubscoreModel:
    """Train on the rows outside the (n,) `validation` mask; the best epoch on the rows inside it is returned.

    Raises OrderError when the embedding is asked for and the batch has none.
    """
    if config.use_embedding and batch.embeddings.shape[1] == 0:
        raise OrderError("Model B with embedding needs embeddings and these rows have none: extract them first.")
    learned, judged = batch.take(~validation), batch.take(validation)
    best, lowest, idle = None, math.inf, 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        learning = _Learning(learned, config)
        for epoch in range(config.epochs):
            began = time.monotonic()
            loss = learning.run_epoch(epoch)
            model = SubscoreModel(config, batch.feature_names, batch.feature_regions, learning.average.network)
            metrics = Evaluation.of(judged.scores, model.predict(judged))
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
            idle += 1
            if metrics.rmse < lowest:
                best, lowest, idle = model, metrics.rmse, 0
            if idle >= config.patience:
                break
    return best or model


class _Learning:
    """The network, its running average and the optimizer, over the training rows."""

    def __init__(self, learned: FaceBatch, config: SubscoreConfig) -> None:
        self._config = config
        self._features, self._embeddings = _inputs(learned)
        self._scores = torch.from_numpy(learned.scores).float()
        self._network = _start(learned, config)
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
            self.average.update(self._network, done)
            losses.append(loss.item() * len(chosen))
        return sum(losses) / rows

    def _loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Squared error, and what keeps sub-scores off the ends and the weights from gathering on one region."""
        config = self._config
        sub_scores = self._network(self._features[rows], self._embeddings[rows])
        weights = self._network.weights()
        error = nn.functional.mse_loss(sub_scores @ weights, self._scores[rows])
        beyond = ((sub_scores - (LOW + HIGH) / 2).abs() - config.saturation_free).relu()
        unevenness = math.log(len(weights)) + (weights * weights.log()).sum()
        penalties = config.saturation_penalty * beyond.square().mean() + config.evenness * unevenness
        loss: torch.Tensor = error + penalties
        return loss


def _start(learned: FaceBatch, config: SubscoreConfig) -> RegionNetworks:
    """The untrained network: every sub-score is about the mean training score."""
    width = learned.embeddings.shape[1] if config.use_embedding else 0
    network = RegionNetworks(_columns(learned.feature_regions), width, config)
    if config.use_embedding:
        network.mean.copy_(torch.from_numpy(learned.embeddings.mean(axis=0)))
        std = learned.embeddings.std(axis=0)
        # a dimension that hardly varies would be noise blown up; random encoders have tiny ones throughout
        network.std.copy_(torch.from_numpy(np.maximum(std, 1e-3 * std.max()) if std.any() else std + 1))
    share = (float(learned.scores.mean()) - LOW) / (HIGH - LOW)
    for last in network.last_layers():
        nn.init.constant_(last.bias, math.log(share / (1 - share)))
    return network


def _inputs(batch: FaceBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Features with the training mean where unknown, and embeddings, both float32."""
    features = np.nan_to_num(batch.features, nan=0.0).astype(np.float32)
    return torch.from_numpy(features), torch.tensor(batch.embeddings)


def _columns(regions: tuple[str, ...]) -> list[list[int]]:
    """Indices of each region's columns, in the order of REGIONS."""
    return [[i for i, own in enumerate(regions) if own == region] for region in REGIONS]
