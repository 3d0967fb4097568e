"""LightGBM on features and shape components."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from featurestore.records import Epoch, FaceBatch
from models.baseline.inputs import BaselineConfig, Inputs
from models.baseline.validated_trees import read_trees
from models.serialization import read_description, read_tensors, write_model
from models.spec import Listener, Options, PlainFitter

TREES = "model.txt"


class BaselineModel:
    """LightGBM (Ke et al. 2017) on features and shape components."""

    kind = "baseline"

    def __init__(self, config: BaselineConfig, inputs: Inputs, trees: lightgbm.Booster) -> None:
        self.config, self._inputs, self._trees = config, inputs, trees

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores. Raises PrerequisiteError for features that it was not trained on."""
        return np.asarray(self._trees.predict(self._inputs.matrix(batch), num_threads=self.config.num_threads))

    def shap(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, F + k + 1) TreeSHAP values of features, shape components and the mean.

        A row adds up to its score before that is clipped to the scale.
        """
        values = self._trees.predict(self._inputs.matrix(batch), num_threads=self.config.num_threads, pred_contrib=True)
        return np.asarray(values)

    def save(self, folder: Path) -> None:
        """Write the model into a folder, the trees as LightGBM's text."""
        described = {"kind": self.kind, "config": asdict(self.config), "feature_names": self._inputs.feature_names}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TREES).write_text(self._trees.model_to_string(), encoding="utf-8")
        write_model(folder, described, self._inputs.components.tensors())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        config, inputs = BaselineConfig(**described["config"]), Inputs.restore(described, tensors)
        return cls(config, inputs, read_trees(folder / TREES, inputs.width))


def train_baseline(
    train: FaceBatch, held_out: FaceBatch, config: BaselineConfig, on_epoch: Callable[[Epoch], None]
) -> BaselineModel:
    """Grow trees on `train`; what is reported on `held_out` decides nothing.

    An Epoch of the history is one round of boosting; every `report_every`th is reported.
    """
    config = replace(config, min_rows_in_leaf=_rows_in_leaf(len(train), config))
    inputs = Inputs.fit(train, config.components)
    dataset = lightgbm.Dataset(inputs.matrix(train), train.scores, free_raw_data=False)
    trees = lightgbm.train(
        _parameters(config),
        dataset,
        num_boost_round=config.rounds,
        valid_sets=[dataset],
        valid_names=["training"],
        callbacks=[_reporter(inputs.matrix(held_out), held_out.scores, config, on_epoch)],
    )
    # stored as text from the start, so that a model just trained and one loaded are the same
    return BaselineModel(config, inputs, lightgbm.Booster(model_str=trees.model_to_string()))


class TreesFitter(PlainFitter):
    def __init__(self, options: Options) -> None:
        self._config = BaselineConfig(seed=options.seed)
        super().__init__(asdict(self._config))

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, _: Mapping[str, Any]) -> BaselineModel:
        return train_baseline(train, held_out, self._config, listener.on_epoch)


def _rows_in_leaf(rows: int, config: BaselineConfig) -> int:
    """At least one, of so many training rows. Trees that may not split are a constant, and LightGBM does not say so."""
    return min(config.min_rows_in_leaf, max(int(config.leaf_share * rows), 1))


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
    inputs: NDArray[np.float64], scores: NDArray[np.float64], config: BaselineConfig, on_epoch: Callable[[Epoch], None]
) -> Callable[[lightgbm.callback.CallbackEnv], None]:
    """A LightGBM callback that reports how well held-out rows are predicted."""
    began = time.monotonic()

    def report(env: lightgbm.callback.CallbackEnv) -> None:
        done = env.iteration + 1
        if done % config.report_every and done != config.rounds:
            return
        assert isinstance(env.model, lightgbm.Booster)
        assert env.evaluation_result_list is not None
        loss, predicted = env.evaluation_result_list[0][2], np.asarray(env.model.predict(inputs))
        on_epoch(Epoch.from_scores(done, config.rounds, loss, scores, predicted, began=began))

    return report
