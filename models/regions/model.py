"""Model B: a sub-score per region of the face, and the weights that combine them.

The sub-scores have no labels of their own: they are attributions of the score to regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, softmax

from extractors.regions import REGIONS
from featurestore.errors import BundleError, PrerequisiteError
from featurestore.records import FaceBatch
from featurestore.scale import MODEL_SCALE
from models.serialization import read_description, read_tensors, write_model
from models.standardised import measured_features, spreads


@dataclass(frozen=True)
class SubscoreConfig:
    """How Model B is trained.

    use_embedding       the CNN form: each region's network also sees the encoder's maps in that region's windows
    joint               one network for all sub-scores, which sees all features and the embedding of the whole face
    components          of each of the encoder's networks in each region, in which it is trained
    hidden              units of each region's hidden layer
    saturation_penalty  weight of the penalty on sub-scores beyond `saturation_free` from the middle
    evenness            weight of the penalty on uneven region weights, (log 8 - entropy)
    """

    use_embedding: bool = False
    joint: bool = False
    components: int = 128
    hidden: int = 32
    epochs: int = 100
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 0.05
    input_dropout: float = 0.2
    dropout: float = 0.3
    saturation_penalty: float = 1.0
    saturation_free: float = 1.5
    evenness: float = 0.02
    ema: float = 0.99
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Inputs:
    """What each region's network sees: the region's features, then its part of the embedding, standardised.

    A joint network sees the same for every region: all features and the embedding of the whole face.

    feature_names  F names
    columns        region -> columns of the features
    means, scales  region -> (P,) float32 of its part of the embedding; none where no embedding is used
    joint          whether that part is the whole
    """

    feature_names: tuple[str, ...]
    columns: Mapping[str, NDArray[np.int64]]
    means: Mapping[str, NDArray[np.float32]]
    scales: Mapping[str, NDArray[np.float32]]
    joint: bool = False

    @classmethod
    def fit(cls, train: FaceBatch, config: SubscoreConfig) -> Self:
        """Raises PrerequisiteError when the embedding is used and the batch has none."""
        embeddings = _embeddings(train, config.joint) if config.use_embedding else {}
        if config.use_embedding and not embeddings:
            raise PrerequisiteError(
                "Model B needs embeddings of the regions and these rows have none: run `kallos extract`."
            )
        means = {region: values.mean(axis=0) for region, values in embeddings.items()}
        scales = {region: spreads(values) for region, values in embeddings.items()}
        every = np.arange(len(train.feature_names))
        columns = {region: every if config.joint else train.columns_of(region) for region in REGIONS}
        return cls(train.feature_names, columns, means, scales, config.joint)

    @property
    def widths(self) -> list[int]:
        """How many numbers each region's network sees, in the order of REGIONS."""
        return [len(self.columns[region]) + len(self.means.get(region, ())) for region in REGIONS]

    def by_region(self, batch: FaceBatch, regions: Sequence[str] = REGIONS) -> list[NDArray[np.float32]]:
        """(n, P) arrays, one a region.

        Raises PrerequisiteError for features other than those that were fitted, or without the embedding.
        """
        if batch.feature_names != self.feature_names:
            raise PrerequisiteError("These are not the features that Model B was trained on: train it again.")
        embeddings = _embeddings(batch, self.joint)
        if missing := self.means.keys() - embeddings.keys():
            raise PrerequisiteError(
                f"Model B needs the embedding of {min(missing)}, which these rows lack: extract again."
            )
        features = measured_features(batch)
        inputs = []
        for region in regions:
            values = features[:, self.columns[region]]
            if region in self.means:
                embedded = (embeddings[region] - self.means[region]) / self.scales[region]
                values = np.hstack([values, embedded])
            inputs.append(values if values.shape[1] else np.zeros((len(values), 1), dtype=np.float32))
        return inputs

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Means and scales, to be saved."""
        parts = {"mean": self.means, "scale": self.scales}
        return {f"{name}/{r}": v for name, values in parts.items() for r, v in values.items()}

    @classmethod
    def restore(cls, described: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> Self:
        """The inputs that a saved model was trained on."""
        columns = {region: np.array(numbers, dtype=np.int64) for region, numbers in described["columns"].items()}
        means, scales = (
            {r: tensors[f"{name}/{r}"] for r in REGIONS if f"{name}/{r}" in tensors} for name in ("mean", "scale")
        )
        return cls(tuple(described["feature_names"]), columns, means, scales, described["config"].get("joint", False))


def _embeddings(batch: FaceBatch, joint: bool) -> Mapping[str, NDArray[np.float32]]:
    """region -> (n, P), what its network sees of the embedding; none where the batch has no embedding."""
    if not joint:
        return batch.region_embeddings
    return dict.fromkeys(REGIONS, batch.embeddings) if batch.embeddings.shape[1] else {}


@dataclass(frozen=True, eq=False)
class RegionNetwork:
    """One region's network: standardised inputs to a sub-score, by one hidden layer of GELU units.

    inner, inner_bias  (hidden, P) and (hidden,)
    outer, outer_bias  (hidden,) and a number
    """

    inner: NDArray[np.float64]
    inner_bias: NDArray[np.float64]
    outer: NDArray[np.float64]
    outer_bias: float

    def sub_scores(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, P) to (n,)."""
        units = inputs @ self.inner.T + self.inner_bias
        return MODEL_SCALE.at(expit((units * ndtr(units)) @ self.outer + self.outer_bias))

    @property
    def width(self) -> int:
        """How many numbers it sees."""
        return len(self.inner.T)

    def mean_gradient(self, inputs: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P,), how fast the sub-score grows with each of a face's (1, P) inputs, on average over shares of them."""
        units = shares[:, None] * (inputs @ self.inner.T) + self.inner_bias
        logits = (units * ndtr(units)) @ self.outer + self.outer_bias
        # the derivative of GELU: ndtr is the normal distribution, and this its density
        density = np.exp(-(units**2) / 2) / np.sqrt(2 * np.pi)
        slopes = (ndtr(units) + units * density) * self.outer
        growth = MODEL_SCALE.width * expit(logits) * (1 - expit(logits))
        return (growth[:, None] * slopes).mean(axis=0) @ self.inner


class SubscoreModel:
    """A trained Model B."""

    kind = "subscores"

    def __init__(self, config: SubscoreConfig, inputs: Inputs, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """`tensors` are those of `RegionNetworks`. Raises BundleError when they do not fit the inputs."""
        self.config, self._inputs, self._tensors = config, inputs, dict(tensors)
        # double precision: a face has the same sub-scores alone and among others
        self.networks = [self._network(number, width) for number, width in enumerate(inputs.widths)]
        # an explanation needs the sub-scores that the prediction has just computed
        self._computed: WeakKeyDictionary[FaceBatch, NDArray[np.float64]] = WeakKeyDictionary()
        balance = self._tensor("balance", (len(REGIONS),))
        self.weights: NDArray[np.float64] = softmax(balance)
        """(8,) weights in the order of REGIONS; positive, they sum to one."""

    def _network(self, region: int, width: int) -> RegionNetwork:
        units, inner, outer = self.config.hidden, f"regions.{region}.1", f"regions.{region}.4"
        return RegionNetwork(
            inner=self._tensor(f"{inner}.weight", (units, max(width, 1))),
            inner_bias=self._tensor(f"{inner}.bias", (units,)),
            outer=self._tensor(f"{outer}.weight", (1, units))[0],
            outer_bias=float(self._tensor(f"{outer}.bias", (1,))[0]),
        )

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.shape != shape:
            raise BundleError(f"Model B's tensor {name} is missing or of another shape: train or export it again.")
        return tensor.astype(np.float64)

    def sub_scores(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n, 8) sub-scores in the order of REGIONS.

        Raises PrerequisiteError for features that it was not trained on.
        """
        if batch not in self._computed:
            networks = zip(self.networks, self.inputs_of(batch), strict=True)
            self._computed[batch] = np.stack([network.sub_scores(inputs) for network, inputs in networks], axis=1)
        return self._computed[batch]

    def inputs_of(self, batch: FaceBatch) -> list[NDArray[np.float64]]:
        """Eight (n, P) arrays, what each region's network sees: its features, then what the encoder shows of it."""
        return [inputs.astype(np.float64) for inputs in self._inputs.by_region(batch)]

    def columns_of(self, region: str) -> NDArray[np.int64]:
        """Indices of the columns of `features` that the network of a region sees."""
        return self._inputs.columns[region]

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores: the weighted means of the sub-scores."""
        return self.sub_scores(batch) @ self.weights

    def save(self, folder: Path) -> None:
        described = {
            "kind": self.kind,
            "config": asdict(self.config),
            "feature_names": self._inputs.feature_names,
            "columns": {region: numbers.tolist() for region, numbers in self._inputs.columns.items()},
        }
        write_model(folder, described, {**self._tensors, **self._inputs.tensors()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, cls.kind), read_tensors(folder)
        config, inputs = SubscoreConfig(**described["config"]), Inputs.restore(described, tensors)
        return cls(config, inputs, {name: tensor for name, tensor in tensors.items() if "/" not in name})
