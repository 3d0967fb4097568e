"""Ridge regression: the linear floor beneath every other model."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from featurestore.records import Epoch, FaceBatch
from models.baseline.inputs import BaselineConfig, Inputs
from models.serialization import read_description, read_tensors, write_model
from models.spec import Listener, Options, PlainFitter
from models.standardised import FURTHEST


class RidgeModel:
    """Ridge regression on the same inputs: the floor that any nonlinear model has to beat."""

    kind = "ridge"

    def __init__(self, inputs: Inputs, coefficients: NDArray[np.float64], intercept: float, penalty: float) -> None:
        self._inputs, self.coefficients, self.intercept, self.penalty = inputs, coefficients, intercept, penalty

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores; an unknown feature counts as the training mean. Raises PrerequisiteError for other features."""
        return _known(self._inputs, batch) @ self.coefficients + self.intercept

    def save(self, folder: Path) -> None:
        described = {
            "kind": self.kind,
            "feature_names": self._inputs.feature_names,
            "intercept": self.intercept,
            "alpha": self.penalty,
        }
        write_model(folder, described, self._inputs.components.tensors() | {"coefficients": self.coefficients})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        inputs = Inputs.restore(described, tensors)
        return cls(inputs, tensors["coefficients"], described["intercept"], described["alpha"])


def train_ridge(
    train: FaceBatch, held_out: FaceBatch, config: BaselineConfig, on_epoch: Callable[[Epoch], None]
) -> RidgeModel:
    """Solve on `train`; the penalty by leave-one-out among its rows."""
    from sklearn.linear_model import RidgeCV

    began = time.monotonic()
    inputs = Inputs.fit(train, config.components)
    known = _known(inputs, train)
    ridge = RidgeCV(alphas=np.logspace(-1, 5, 25)).fit(known, train.scores)
    model = RidgeModel(inputs, ridge.coef_, float(ridge.intercept_), float(ridge.alpha_))
    loss = float(((model.predict(train) - train.scores) ** 2).mean())
    on_epoch(Epoch.from_scores(1, 1, loss, held_out.scores, model.predict(held_out), began=began))
    return model


def _known(inputs: Inputs, batch: FaceBatch) -> NDArray[np.float64]:
    """(n, F + k): what is unknown is the training mean, and no single odd number decides a score."""
    return np.nan_to_num(inputs.matrix(batch), nan=0.0).clip(-FURTHEST, FURTHEST)


class RidgeFitter(PlainFitter):
    def __init__(self, _: Options) -> None:
        self._config = BaselineConfig()
        super().__init__({"components": self._config.components})

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, _: Mapping[str, Any]) -> RidgeModel:
        return train_ridge(train, held_out, self._config, listener.on_epoch)
