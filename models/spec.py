"""The interface of models to the rest of kallos. One model is one `ModelSpec`; `models.registry` lists them.

A spec names functions and classes as `module:name`, so that knowing a model loads neither torch nor LightGBM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from featurestore.records import Epoch, FaceBatch


DEFAULT_NETWORK = "tf_efficientnet_lite0"
"""What Model A and the encoder are unless another is named: its ImageNet weights come as a package."""


class Model(Protocol):
    """What every trained model can do."""

    @property
    def kind(self) -> str:
        """Its kind in `model.json`."""

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores on `featurestore.scale.MODEL_SCALE`; `CrossFitted` clips what lies beyond it."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder.

        The `load(folder)` of its class reads it, and raises BundleError when the folder holds none.
        """


@dataclass(frozen=True)
class Options:
    """What people can choose of a training; each model takes what concerns it.

    backbone   Model A's network, a name of torchvision or timm
    weights    what it starts from: imagenet or others that kallos knows, a safetensors file, or none (random)
    histogram  weight of the cross-entropy with the raters' histogram beside the squared error; 0 is squared error alone
    precision  float32, bfloat16, or auto, the fastest here by a trial of a second or two
    """

    backbone: str = DEFAULT_NETWORK
    weights: str = "imagenet"
    download: bool = False
    epochs: int = 12
    image_size: int = 224
    batch_size: int = 32
    optimizer: str = "adamw"
    histogram: float = 0.3
    precision: str = "auto"
    seed: int = 0


@dataclass(frozen=True)
class Listener:
    """Who follows a fit, and where the fit keeps checkpoints from which it can go on.

    on_epoch    called with the metrics of each epoch
    on_step     called with steps done and steps in all, where there are many
    checkpoint  a folder of the fit's own, which may not be there yet
    """

    on_epoch: Callable[[Epoch], None]
    on_step: Callable[[int, int], None]
    checkpoint: Path


class Fitter(Protocol):
    """Trains one model with chosen options.

    identity  everything that decides a fit, as JSON has it: fits of equal identity and rows are equal
    weights   what its network started from, as the run records it; "none" where there is none
    """

    identity: Mapping[str, Any]
    weights: str

    def __init__(self, options: Options) -> None:
        """Raises UsageError for options that cannot be, before the store is opened."""

    def check(self) -> None:
        """Raises WeightsError for weights that cannot be used, before anything is trained."""

    def computing(self) -> Mapping[str, Any]:
        """How it computes on this machine: recorded with its run, and no part of its identity."""

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, computing: Mapping[str, Any]) -> Model:
        """Train on `train`. What the listener gets on `held_out` decides nothing.

        `held_out` are the fold's val rows, or where it has none, training rows that are left out; never test rows.
        """


class PlainFitter:
    """What most fitters share: no weights to start from, nothing to check, one way to compute."""

    weights = "none"

    def __init__(self, identity: Mapping[str, Any]) -> None:
        self.identity = identity

    def check(self) -> None:
        """Nothing can be wrong."""

    def computing(self) -> Mapping[str, Any]:
        """Nothing to choose."""
        return {}


@dataclass(frozen=True)
class ModelSpec:
    """One model.

    name              in the store, in reports and in bundles
    summary           what it is, in one line
    fitter            `module:name` of its Fitter
    classes           kind -> `module:name` of the class that loads what was saved as that kind
    command           what `kallos train` calls it; several models may go by one name
    needs_faces       whether it sees the pixels
    needs_embeddings  whether it sees the encoder's embeddings
    combined          whether the ensemble combines it
    bundled           whether a bundle carries it
    refitted          whether new photos are predicted by one more fit, on all training rows, instead of by the mean of
                      the parts' models: better where a fit gains more by rows than by being one of several
    averaged          `module:name` of a function (parts' models, training rows) to one model by the mean of their
                      weights; it predicts new photos where they started from weights, instead of the mean of scores
    chosen_by_fit     what each fit chooses by looking at its own rows, leaving one out; put on record with every run
    is_floor          whether it is the simple model that any other should beat; of few rows it is combined as well
    regions           `module:name` of a function (model, batch of one face) to the RegionParts of its score, by region;
                      its models have `sub_scores` and `weights`
    features          `module:name` of a function (model, batch of one face) to what each feature adds to its score
    graphs            `module:name` of a function that rewrites a saved model as graphs, for bundles
    """

    name: str
    summary: str
    fitter: str
    classes: Mapping[str, str]
    command: str
    needs_faces: bool = False
    needs_embeddings: bool = False
    combined: bool = False
    bundled: bool = True
    refitted: bool = False
    averaged: str | None = None
    is_floor: bool = False
    chosen_by_fit: str | None = None
    regions: str | None = None
    features: str | None = None
    graphs: str | None = None


def resolve(named: str) -> Any:
    """What `module:name` names. Raises ModuleNotFoundError where a library that it needs is not installed."""
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)
