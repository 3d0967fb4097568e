"""The combiner: a learnable mixing weight and a shallow correction over frozen models A and B.

    score = m a + (1 - m) b + correction(a, b),   m = sigmoid(logit)

The correction is one hidden layer of tanh units. `ensemble/combiner_fit.py` learns it; here it is read and used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from featurestore.records import on_scale
from models.foreign import distrusted, read_json

FILE = "combiner.json"
SHAPES = {
    "logit": (),
    "correction.0.weight": ("hidden", 2),
    "correction.0.bias": ("hidden",),
    "correction.2.weight": (1, "hidden"),
    "correction.2.bias": (1,),
}
"""What was learnt: name -> shape."""


@dataclass(frozen=True, eq=False)
class Combiner:
    """Two members' scores to a combined score.

    centre, spread  of the members' scores that it was fitted on
    learnt          the arrays named in SHAPES, float64
    """

    centre: float
    spread: float
    learnt: dict[str, NDArray[np.float64]]

    @property
    def mixing(self) -> float:
        """Weight of A; B has one minus it."""
        return float(expit(self.learnt["logit"]))

    def predict(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Combined scores (n,), kept on the scale."""
        combined = self.mixing * a + (1 - self.mixing) * b + self._correction(a, b)
        return on_scale(combined)

    def correction_of(self, a: float, b: float) -> float:
        """What the correction adds for one photo's member scores."""
        return float(self._correction(np.array([a]), np.array([b]))[0])

    def correction_size(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        """Root mean square of the correction over (n,) member scores."""
        return float(np.sqrt(np.mean(self._correction(a, b) ** 2)))

    def _correction(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        members = (np.stack([a, b], axis=1) - self.centre) / self.spread
        hidden = np.tanh(members @ self.learnt["correction.0.weight"].T + self.learnt["correction.0.bias"])
        correction: NDArray[np.float64] = hidden @ self.learnt["correction.2.weight"][0]
        return correction + self.learnt["correction.2.bias"]

    def save(self, folder: Path) -> None:
        """Write combiner.json; a few dozen numbers need no binary format."""
        content = {
            "centre": self.centre,
            "spread": self.spread,
            "state": {name: value.tolist() for name, value in self.learnt.items()},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Combiner:
        """Read what `save` wrote. Raises BundleError when the folder holds none."""
        content = read_json(folder / FILE)
        with distrusted(folder / FILE):
            state, hidden = content["state"], len(content["state"]["correction.0.bias"])
            learnt = {name: _array(state, name, hidden) for name in SHAPES}
            return cls(float(content["centre"]), float(content["spread"]), learnt)


def _array(state: dict[str, Any], name: str, hidden: int) -> NDArray[np.float64]:
    array = np.array(state[name], dtype=np.float64)
    if array.shape != tuple(hidden if length == "hidden" else length for length in SHAPES[name]):
        raise ValueError(f"{name} has shape {array.shape}")
    return array
