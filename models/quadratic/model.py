"""A quadratic function of a face: constant + a sum over all numbers + a weighted sum of 64 squares.

It keeps directions in the space of inputs, and no face that it was fitted on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import BundleError, PrerequisiteError
from featurestore.records import FaceBatch
from models.serialization import read_description, read_tensors, write_model
from models.standardised import measured_features


@dataclass(frozen=True)
class QuadraticConfig:
    """How it is fitted.

    windows, whole, features  shares of the encoder's maps by region, of its features of the whole face, and of measured
                              features in the length of a face's vector
    directions                how many squares are kept
    rows                      training rows that are used at most, drawn at random: a fit takes their number squared
    """

    windows: float = 11.0
    whole: float = 3.0
    features: float = 2.0
    directions: int = 64
    rows: int = 10_000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Quadratic:
    """constant + (x - centre) @ linear + ((x - centre) @ directions)² @ curvatures, for inputs x (n, P).

    centre, linear  (P,); directions (P, K); curvatures (K,)
    """

    constant: float
    centre: NDArray[np.float64]
    linear: NDArray[np.float64]
    directions: NDArray[np.float64]
    curvatures: NDArray[np.float64]

    def __call__(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = inputs - self.centre
        values = centred @ self.linear + (centred @ self.directions) ** 2 @ self.curvatures
        return self.constant + values


class QuadraticModel:
    """A fitted quadratic function, and the features that it expects.

    penalty  that its fit chose; None where an earlier kallos did not record it
    """

    kind = "quadratic"

    def __init__(
        self, config: QuadraticConfig, feature_names: tuple[str, ...], function: Quadratic, penalty: float | None
    ) -> None:
        self.config, self.feature_names, self.function, self.penalty = config, feature_names, function, penalty

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores. Raises PrerequisiteError for other inputs than it was fitted on."""
        inputs = np.hstack([*blocks_of(batch).values()], dtype=np.float64)
        if batch.feature_names != self.feature_names or inputs.shape[1] != len(self.function.centre):
            raise PrerequisiteError("These are not the features and embeddings that `quadratic` was fitted on.")
        return self.function(inputs)

    def save(self, folder: Path) -> None:
        function = self.function
        described = {
            "kind": self.kind,
            "config": asdict(self.config),
            "feature_names": self.feature_names,
            "constant": function.constant,
            "penalty": self.penalty,
        }
        arrays = {name: getattr(function, name) for name in ("centre", "linear", "directions", "curvatures")}
        write_model(folder, described, {name: array.astype(np.float32) for name, array in arrays.items()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        width, count = tensors["directions"].shape
        shapes = {"centre": (width,), "linear": (width,), "directions": (width, count), "curvatures": (count,)}
        for name, shape in shapes.items():
            if tensors[name].shape != shape:
                raise BundleError(f"{folder} has a tensor {name} of another shape: train or export it again.")
        function = Quadratic(float(described["constant"]), *(tensors[name].astype(np.float64) for name in shapes))
        config, penalty = QuadraticConfig(**described["config"]), described.get("penalty")
        return cls(config, tuple(described["feature_names"]), function, penalty)


def blocks_of(batch: FaceBatch) -> dict[str, NDArray[np.float32]]:
    """What it sees of n faces, (n, P) in each block: measured features, the whole face, then region by region."""
    windows = {
        f"windows/{region}/{number}": shown
        for region in batch.region_embeddings
        for number, shown in enumerate(batch.windows_of(region))
    }
    return {"features": measured_features(batch), "whole": batch.embeddings, **windows}
