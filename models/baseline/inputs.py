"""What the baselines see: features, and principal components of shapes."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import PrerequisiteError
from featurestore.records import FaceBatch
from models.baseline.pca import Components


@dataclass(frozen=True)
class BaselineConfig:
    """How the baselines are trained.

    components        principal components of the shapes that stand beside the features
    rounds            trees; a fixed number, so that nothing is chosen by looking at held-out rows
    min_rows_in_leaf  at least so many rows of a leaf; of few rows `leaf_share`, so that trees split them at all
    report_every      rounds between two lines of the history
    """

    components: int = 60
    rounds: int = 800
    learning_rate: float = 0.03
    leaves: int = 15
    min_rows_in_leaf: int = 20
    leaf_share: float = 0.2
    feature_share: float = 0.3
    row_share: float = 0.8
    l2: float = 1.0
    report_every: int = 50
    num_threads: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the baselines see of a batch: its features, then the components of its shapes."""

    feature_names: tuple[str, ...]
    components: Components

    @classmethod
    def fit(cls, train: FaceBatch, count: int) -> Self:
        """Inputs whose components are fitted on the given rows."""
        return cls(train.feature_names, Components.fit(train.shapes, count))

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return len(self.feature_names) + len(self.components.scale)

    def matrix(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, F + k), NaN where a feature is. Raises PrerequisiteError for other features than were fitted."""
        if batch.feature_names != self.feature_names:
            raise PrerequisiteError("These are not the features that the baseline was trained on: train it again.")
        return np.hstack([batch.features, self.components.transform(batch.shapes)])

    @classmethod
    def restore(cls, described: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Self:
        """The inputs that a saved model was trained on."""
        components = Components(*(tensors[name] for name in ("mean", "axes", "scale")))
        return cls(tuple(described["feature_names"]), components)
