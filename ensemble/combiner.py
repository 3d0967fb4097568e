"""The combiner: a learnable mixing weight and a shallow correction over frozen models A and B.

    score = m a + (1 - m) b + correction(a, b),   m = sigmoid(logit)

The correction is one hidden layer of tanh units whose last layer starts at zero and is kept small,
so that with little evidence the combiner stays a weighted mean of its members.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.records import SCALE
from models.foreign import distrusted, read_json

FILE = "combiner.json"


@dataclass(frozen=True)
class CombinerConfig:
    """Settings of the combiner's fit: full-batch Adam on out-of-fold predictions."""

    hidden: int = 8
    steps: int = 600
    learning_rate: float = 0.02
    penalty: float = 0.02
    seed: int = 0


class Combiner(nn.Module):
    """Two members' scores (n,) each to a combined score (n,)."""

    def __init__(self, hidden: int, centre: float, spread: float) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread
        self.logit = nn.Parameter(torch.zeros(()))
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), last)

    @property
    def mixing(self) -> float:
        """Weight of A; B has one minus it."""
        return float(torch.sigmoid(self.logit.detach()))

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        mixing = torch.sigmoid(self.logit)
        corrected: torch.Tensor = mixing * a + (1 - mixing) * b + self._correct(a, b)
        return corrected

    def _correct(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        members = (torch.stack([a, b], dim=1) - self.centre) / self.spread
        correction: torch.Tensor = self.correction(members)[:, 0]
        return correction

    def correction_size(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        """Root mean square of the correction over (n,) member scores."""
        with torch.inference_mode():
            return float(self._correct(torch.tensor(a), torch.tensor(b)).square().mean().sqrt())

    def predict(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Combined scores (n,), kept on the scale."""
        with torch.inference_mode():
            combined = self(torch.tensor(a), torch.tensor(b)).numpy()
        clipped: NDArray[np.float64] = np.clip(combined, *SCALE)
        return clipped

    def correction_of(self, a: float, b: float) -> float:
        """What the correction adds for one photo's member scores."""
        with torch.inference_mode():
            return float(self._correct(torch.tensor([a]).double(), torch.tensor([b]).double()))

    def save(self, folder: Path) -> None:
        """Write combiner.json; a few dozen numbers need no binary format."""
        state = {name: value.tolist() for name, value in self.state_dict().items()}
        hidden = len(state["correction.0.bias"])
        content = {"hidden": hidden, "centre": self.centre, "spread": self.spread, "state": state}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Combiner:
        """Read what `save` wrote. Raises BundleError when the folder holds none."""
        content = read_json(folder / FILE)
        with distrusted(folder / FILE):
            state = {name: torch.tensor(value, dtype=torch.float64) for name, value in content["state"].items()}
            combiner = cls(len(state["correction.0.bias"]), float(content["centre"]), float(content["spread"])).double()
            combiner.load_state_dict(state)
            return combiner


def fit_combiner(
    a: NDArray[np.float64], b: NDArray[np.float64], scores: NDArray[np.float64], config: CombinerConfig
) -> Combiner:
    """Fit on (n,) member scores of rows that neither member was fitted on."""
    torch.manual_seed(config.seed)
    members = np.stack([a, b])
    combiner = Combiner(config.hidden, float(members.mean()), float(members.std()) or 1.0).double()
    inputs, truth = (torch.tensor(a), torch.tensor(b)), torch.tensor(scores)
    optimizer = torch.optim.Adam(combiner.parameters(), lr=config.learning_rate)
    for _ in range(config.steps):
        optimizer.zero_grad()
        size = sum((p**2).sum() for p in combiner.correction.parameters())
        loss = nn.functional.mse_loss(combiner(*inputs), truth) + config.penalty * size
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return combiner
