"""The combiner: learned weights and a small nonlinear correction of the scores of trained members.

    score = sum of w_k s_k + correction(s),   w = softmax(logits, 0)

The correction is one hidden layer of tanh units. `ensemble/combiner_fit.py` fits it; this module loads and applies it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from featurestore.scale import MODEL_SCALE
from models.untrusted import as_bundle_error, read_json

FILE = "combiner.json"
SHAPES: dict[str, tuple[int | str, ...]] = {
    "logits": ("others",),
    "correction.0.weight": ("hidden", "members"),
    "correction.0.bias": ("hidden",),
    "correction.2.weight": (1, "hidden"),
    "correction.2.bias": (1,),
}
"""Fitted parameters: name -> shape; `others` are all members but the last, whose logit is 0."""

Scores = Mapping[str, NDArray[np.float64]]
"""Member -> (n,) scores."""


@dataclass(frozen=True, eq=False)
class Combiner:
    """Combines the scores of members.

    members         their names, in the order of the arrays
    centre, spread  mean and standard deviation of the scores that it was fitted on
    parameters      the arrays named in SHAPES, float64
    """

    members: tuple[str, ...]
    centre: float
    spread: float
    parameters: dict[str, NDArray[np.float64]]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Weight of each member; positive, they sum to one."""
        weights = softmax(np.append(self.parameters["logits"], 0.0))
        return dict(zip(self.members, weights.tolist(), strict=True))

    def predict(self, scores: Scores) -> NDArray[np.float64]:
        """Combined scores (n,), clipped to the scale."""
        stacked = self._stacked(scores)
        return MODEL_SCALE.clip(stacked @ np.array(list(self.weights.values())) + self._correction(stacked))

    def correction_of(self, scores: Scores) -> NDArray[np.float64]:
        """The correction (n,) that is added to the weighted mean."""
        return self._correction(self._stacked(scores))

    def _stacked(self, scores: Scores) -> NDArray[np.float64]:
        return np.stack([scores[member] for member in self.members], axis=1)

    def _correction(self, stacked: NDArray[np.float64]) -> NDArray[np.float64]:
        standardised = (stacked - self.centre) / self.spread
        hidden = np.tanh(standardised @ self.parameters["correction.0.weight"].T + self.parameters["correction.0.bias"])
        correction: NDArray[np.float64] = hidden @ self.parameters["correction.2.weight"][0]
        return correction + self.parameters["correction.2.bias"]

    def save(self, folder: Path) -> None:
        content = {
            "members": self.members,
            "centre": self.centre,
            "spread": self.spread,
            "state": {name: value.tolist() for name, value in self.parameters.items()},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises BundleError when the folder holds none."""
        content = read_json(folder / FILE)
        with as_bundle_error(folder / FILE):
            members, state = tuple(map(str, content["members"])), content["state"]
            sizes = {"members": len(members), "others": len(members) - 1, "hidden": len(state["correction.0.bias"])}
            parameters = {name: _array(state, name, sizes) for name in SHAPES}
            centre, spread = float(content["centre"]), float(content["spread"])
            if not spread > 0:
                raise ValueError(f"scores cannot have a spread of {spread}")
            return cls(members, centre, spread, parameters)


def _array(state: dict[str, Any], name: str, sizes: Mapping[str, int]) -> NDArray[np.float64]:
    array = np.array(state[name], dtype=np.float64)
    if array.shape != tuple(sizes[length] if isinstance(length, str) else length for length in SHAPES[name]):
        raise ValueError(f"{name} has shape {array.shape}")
    return array
