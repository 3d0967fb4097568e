"""Fits the combiner: full-batch Adam on out-of-fold predictions, with Huber's loss (Huber 1964).

Large errors count linearly, so that a few photos with large errors of every model do not dominate the fit. The last
layer of the correction starts at zero and is penalised, so that with few rows the combiner stays a weighted mean.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.combiner import Combiner, Scores


@dataclass(frozen=True)
class CombinerConfig:
    """Settings of the fit; errors above `large`, in points of the scale, count linearly."""

    hidden: int = 8
    steps: int = 600
    learning_rate: float = 0.02
    penalty: float = 0.02
    large: float = 0.3
    seed: int = 0


class _Network(nn.Module):
    """Scores (n, K) of the members to combined scores (n,): `Combiner` without the clipping."""

    def __init__(self, members: int, hidden: int, centre: float, spread: float) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread
        self.logits = nn.Parameter(torch.zeros(members - 1))
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(nn.Linear(members, hidden), nn.Tanh(), last)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        weights = torch.cat([self.logits, self.logits.new_zeros(1)]).softmax(0)
        combined: torch.Tensor = scores @ weights + self.correction((scores - self.centre) / self.spread)[:, 0]
        return combined


def fit_combiner(scores: Scores, truth: NDArray[np.float64], config: CombinerConfig) -> Combiner:
    """Fit on members' (n,) scores of rows that no member was fitted on."""
    torch.manual_seed(config.seed)
    stacked = np.stack(list(scores.values()), axis=1)
    network = _Network(len(scores), config.hidden, float(stacked.mean()), float(stacked.std()) or 1.0).double()
    inputs, target = torch.tensor(stacked), torch.tensor(truth)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for _ in range(config.steps):
        optimizer.zero_grad()
        size = sum((p**2).sum() for p in network.correction.parameters())
        loss = nn.functional.huber_loss(network(inputs), target, delta=config.large) + config.penalty * size
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    parameters = {name: value.numpy() for name, value in network.state_dict().items()}
    return Combiner(tuple(scores), network.centre, network.spread, parameters)
