"""How the combiner learns: full-batch Adam on out-of-fold predictions, with Huber's loss (Huber 1964).

Large errors count linearly, as a few photos that every model misjudges would otherwise move all others. The
correction's last layer starts at zero and is kept small, so that with little evidence the combiner stays a weighted
mean of its members.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.combiner import Combiner


@dataclass(frozen=True)
class CombinerConfig:
    """Settings of the combiner's fit; errors beyond `large`, in points of the scale, count linearly."""

    hidden: int = 8
    steps: int = 600
    learning_rate: float = 0.02
    penalty: float = 0.02
    large: float = 0.3
    seed: int = 0


class _Network(nn.Module):
    """Two members' scores (n,) each to a combined score (n,): what `Combiner` computes, but for the clipping."""

    def __init__(self, hidden: int, centre: float, spread: float) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread
        self.logit = nn.Parameter(torch.zeros(()))
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), last)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        mixing = torch.sigmoid(self.logit)
        members = (torch.stack([a, b], dim=1) - self.centre) / self.spread
        combined: torch.Tensor = mixing * a + (1 - mixing) * b + self.correction(members)[:, 0]
        return combined


def fit_combiner(
    a: NDArray[np.float64], b: NDArray[np.float64], scores: NDArray[np.float64], config: CombinerConfig
) -> Combiner:
    """Fit on (n,) member scores of rows that neither member was fitted on."""
    torch.manual_seed(config.seed)
    members = np.stack([a, b])
    network = _Network(config.hidden, float(members.mean()), float(members.std()) or 1.0).double()
    inputs, truth = (torch.tensor(a), torch.tensor(b)), torch.tensor(scores)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for _ in range(config.steps):
        optimizer.zero_grad()
        size = sum((p**2).sum() for p in network.correction.parameters())
        loss = nn.functional.huber_loss(network(*inputs), truth, delta=config.large) + config.penalty * size
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    learnt = {name: value.numpy() for name, value in network.state_dict().items()}
    return Combiner(network.centre, network.spread, learnt)
