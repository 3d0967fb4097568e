"""The baselines on stored numbers: LightGBM on features and shape components, and a linear floor beneath it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from featurestore.errors import OrderError
from featurestore.records import Epoch, Evaluation, FaceBatch, on_scale
from models.principal import Components
from models.saved import read_description, read_tensors, write_model
from models.trees import read_trees

TREES = "model.txt"


@dataclass(frozen=True)
class BaselineConfig:
    """How the baselines are trained.

    components   principal components of the shapes that stand beside the features
    rounds       trees; a fixed number, so that nothing is chosen by looking at held-out rows
    report_every rounds between two lines of the history
    """

    components: int = 60
    rounds: int = 800
    learning_rate: float = 0.03
    leaves: int = 15
    min_rows_in_leaf: int = 20
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
    def fit(cls, learned: FaceBatch, count: int) -> Self:
        """Inputs whose components are fitted on the given rows."""
        return cls(learned.feature_names, Components.fit(learned.shapes, count))

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return len(self.feature_names) + len(self.components.scale)

    def of(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, F + k), NaN where a feature is. Raises OrderError for other features than were fitted."""
        if batch.feature_names != self.feature_names:
            raise OrderError("These are not the features that the baseline was trained on: train it again.")
        return np.hstack([batch.features, self.components.transform(batch.shapes)])

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The components, to be saved."""
        return self.components.tensors()

    @classmethod
    def restore(cls, described: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Self:
        """The inputs that a saved model was trained on."""
        names = ("mean", "axes", "scale")
        return cls(tuple(described["feature_names"]), Components(*(tensors[name] for name in names)))


class BaselineModel:
    """LightGBM (Ke et al. 2017) on features and shape components."""

    kind = "baseline"
    needs_faces = False
    needs_embeddings = False

    def __init__(self, config: BaselineConfig, inputs: Inputs, trees: lightgbm.Booster) -> None:
        self.config, self._inputs, self._trees = config, inputs, trees

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores. Raises OrderError for other features than it learned."""
        scores = self._trees.predict(self._inputs.of(batch), num_threads=self.config.num_threads)
        return on_scale(np.asarray(scores))

    def shap(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, F + k + 1) TreeSHAP values of features, shape components and the mean.

        A row adds up to its score before that is kept on the scale.
        """
        values = self._trees.predict(self._inputs.of(batch), num_threads=self.config.num_threads, pred_contrib=True)
        return np.asarray(values)

    def save(self, folder: Path) -> None:
        """Write the model into a folder, the trees as LightGBM's text."""
        described = {
            "kind": self.kind,
            "config": asdict(self.config),
            "feature_names": self._inputs.feature_names,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TREES).write_text(self._trees.model_to_string(), encoding="utf-8")
        write_model(folder, described, self._inputs.tensors())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        config, inputs = BaselineConfig(**described["config"]), Inputs.restore(described, tensors)
        return cls(config, inputs, read_trees(folder / TREES, inputs.width))


class RidgeModel:
    """Ridge regression on the same inputs: the floor that anything less linear has to pass."""

    kind = "ridge"
    needs_faces = False
    needs_embeddings = False

    def __init__(self, inputs: Inputs, coefficients: NDArray[np.float64], intercept: float, alpha: float) -> None:
        self._inputs, self.coefficients, self.intercept, self.alpha = inputs, coefficients, intercept, alpha

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores; an unknown feature counts as the training mean. Raises OrderError for other features."""
        scores: NDArray[np.float64] = np.nan_to_num(self._inputs.of(batch), nan=0.0) @ self.coefficients
        return on_scale(scores + self.intercept)

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""
        described = {
            "kind": self.kind,
            "feature_names": self._inputs.feature_names,
            "intercept": self.intercept,
            "alpha": self.alpha,
        }
        tensors = self._inputs.tensors() | {"coefficients": self.coefficients}
        write_model(folder, described, tensors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        inputs = Inputs.restore(described, tensors)
        return cls(inputs, tensors["coefficients"], described["intercept"], described["alpha"])


def train_baseline(
    learned: FaceBatch, held_out: FaceBatch, config: BaselineConfig, on_epoch: Callable[[Epoch], None]
) -> BaselineModel:
    """Grow trees on `learned`; what `on_epoch` is told of `held_out` decides nothing.

    An Epoch of the history is one round of boosting; every `report_every`th is told.
    """
    inputs = Inputs.fit(learned, config.components)
    train = lightgbm.Dataset(inputs.of(learned), learned.scores, free_raw_data=False)
    trees = lightgbm.train(
        _parameters(config),
        train,
        num_boost_round=config.rounds,
        valid_sets=[train],
        valid_names=["training"],
        callbacks=[_reporter(inputs.of(held_out), held_out.scores, config, on_epoch)],
    )
    # kept as text from the start, so that a model just trained and one loaded are the same
    return BaselineModel(config, inputs, lightgbm.Booster(model_str=trees.model_to_string()))


def train_ridge(
    learned: FaceBatch, held_out: FaceBatch, config: BaselineConfig, on_epoch: Callable[[Epoch], None]
) -> RidgeModel:
    """Solve on `learned`; the penalty by leave-one-out among them."""
    from sklearn.linear_model import RidgeCV

    began = time.monotonic()
    inputs = Inputs.fit(learned, config.components)
    known = np.nan_to_num(inputs.of(learned), nan=0.0)
    ridge = RidgeCV(alphas=np.logspace(-1, 5, 25)).fit(known, learned.scores)
    model = RidgeModel(inputs, ridge.coef_, float(ridge.intercept_), float(ridge.alpha_))
    loss = float(((model.predict(learned) - learned.scores) ** 2).mean())
    metrics = Evaluation.of(held_out.scores, model.predict(held_out))
    on_epoch(Epoch(1, 1, loss, metrics.mae, metrics.rmse, metrics.pearson, time.monotonic() - began))
    return model


def _parameters(config: BaselineConfig) -> dict[str, Any]:
    return {
        "objective": "regression",
        "metric": "l2",
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_rows_in_leaf,
        "feature_fraction": config.feature_share,
        "bagging_fraction": config.row_share,
        "bagging_freq": 1,
        "lambda_l2": config.l2,
        "num_threads": config.num_threads,
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _reporter(
    inputs: NDArray[np.float64],
    scores: NDArray[np.float64],
    config: BaselineConfig,
    on_epoch: Callable[[Epoch], None],
) -> Callable[[lightgbm.callback.CallbackEnv], None]:
    """A LightGBM callback that tells how held-out rows are predicted."""
    began = time.monotonic()

    def report(env: lightgbm.callback.CallbackEnv) -> None:
        done = env.iteration + 1
        if done % config.report_every and done != config.rounds:
            return
        assert isinstance(env.model, lightgbm.Booster)
        assert env.evaluation_result_list is not None
        metrics = Evaluation.of(scores, np.asarray(env.model.predict(inputs)))
        loss = env.evaluation_result_list[0][2]
        seconds = time.monotonic() - began
        on_epoch(Epoch(done, config.rounds, loss, metrics.mae, metrics.rmse, metrics.pearson, seconds))

    return report
