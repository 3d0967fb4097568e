"""Saved models of every kind, restored by what their `model.json` says they are."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import BundleError
from featurestore.records import FaceBatch
from models.appearance import AppearanceModel
from models.baseline import BaselineModel, RidgeModel
from models.crossfit import CrossFitted
from models.foreign import distrusted
from models.saved import DESCRIPTION, read_description
from models.subscores import SubscoreModel


class Model(Protocol):
    """What every trained model can do."""

    @property
    def kind(self) -> str: ...
    @property
    def needs_faces(self) -> bool: ...
    @property
    def needs_embeddings(self) -> bool: ...
    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder that `load_model` reads."""


KINDS = {model.kind: model for model in (AppearanceModel, SubscoreModel, BaselineModel, RidgeModel, CrossFitted)}


def load_model(folder: Path) -> Model:
    """The model that was saved in a folder. Raises BundleError when there is none of a known kind."""
    kind = read_description(folder).get("kind")
    if kind not in KINDS:
        raise BundleError(f"{folder / DESCRIPTION} names no known kind of model, but {kind!r}: train it again.")
    with distrusted(folder):
        return KINDS[kind].load(folder)
