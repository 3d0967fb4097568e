"""Saved models of every kind, restored by what their `model.json` says they are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import BundleError
from featurestore.records import FaceBatch
from models.foreign import distrusted
from models.saved import DESCRIPTION, read_description


class Model(Protocol):
    """What every trained model can do."""

    @property
    def kind(self) -> str: ...
    @property
    def needs_faces(self) -> bool: ...
    @property
    def needs_embeddings(self) -> bool: ...
    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores on `featurestore.records.SCALE`."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder that `load_model` reads."""


KINDS: Mapping[str, tuple[str, str]] = {
    "appearance": ("models.appearance", "AppearanceModel"),
    "appearance-graph": ("models.appearance_graph", "AppearanceGraph"),
    "subscores": ("models.subscores", "SubscoreModel"),
    "baseline": ("models.baseline", "BaselineModel"),
    "ridge": ("models.baseline", "RidgeModel"),
    "cross-fitted": ("models.crossfit", "CrossFitted"),
}
"""kind -> module and class. A module is imported when a model of its kind is met: torch and LightGBM take seconds."""


def load_model(folder: Path) -> Model:
    """The model that was saved in a folder. Raises BundleError when there is none of a known kind."""
    kind = read_description(folder).get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BundleError(f"{folder / DESCRIPTION} names no known kind of model, but {kind!r}: train it again.")
    module, name = KINDS[kind]
    try:
        loader = getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        raise BundleError(
            f"{folder} needs {missing.name}: in the folder of kallos, `pip install '.[train]'`, or export with --onnx."
        ) from missing
    with distrusted(folder):
        model: Model = loader.load(folder)
    return model
