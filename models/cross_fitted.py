"""Cross-fitting: several models, each fitted without one part of the training rows, that predict as their mean.

A model that gains more by rows than by being one of several predicts by one more fit instead, on all training rows.
Networks that started from the same weights predict as one, whose weights are the mean of theirs.

Every training row is predicted by the one model that was not trained on it. Such out-of-fold predictions are what a
combiner may be fitted on (Wolpert 1992).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import BundleError
from featurestore.records import FaceBatch
from featurestore.scale import MODEL_SCALE
from models.serialization import read_description, write_model
from models.spec import Model

PART = "part-{}"


class CrossFitted:
    """The mean of one model a part of the training rows, each fitted without its part; or one model for all of them."""

    kind = "cross-fitted"

    def __init__(self, models: Sequence[Model]) -> None:
        self.models: tuple[Any, ...] = tuple(models)

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores."""
        return np.stack([MODEL_SCALE.clip(model.predict(batch)) for model in self.models]).mean(axis=0)

    def save(self, folder: Path) -> None:
        """Write every model into a folder of its own within `folder`."""
        for number, model in enumerate(self.models, start=1):
            model.save(folder / PART.format(number))
        write_model(folder, {"kind": self.kind, "parts": len(self.models)}, {})

    def sub_scores(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, 8) sub-scores whose mean with `weights` is the score.

        A region's sub-score is the mean of the models' sub-scores by the weight that each model gives the region.
        """
        shares = self.all_weights / self.all_weights.sum(axis=0)
        sub_scores = np.stack([model.sub_scores(batch) for model in self.models])
        return np.einsum("kr,knr->nr", shares, sub_scores)

    @property
    def weights(self) -> NDArray[np.float64]:
        """(8,) weights of the regions, the means over the models; positive, they sum to one."""
        return self.all_weights.mean(axis=0)

    @property
    def all_weights(self) -> NDArray[np.float64]:
        """(K, 8) weights of the regions in each model."""
        return np.stack([model.weights for model in self.models])


def part_folders(folder: Path) -> list[Path]:
    """Where `save` wrote each model. Raises BundleError when the folder does not say how many there are."""
    parts = read_description(folder, CrossFitted.kind).get("parts")
    if not isinstance(parts, int) or not 1 <= parts <= 100:
        raise BundleError(f"{folder} does not state how many models it holds: train or export it again.")
    return [folder / PART.format(number) for number in range(1, parts + 1)]
