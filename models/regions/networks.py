"""The networks of Model B while they are trained: regions to sub-scores, and the weights that combine them."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from extractors.regions import REGIONS
from featurestore.scale import MODEL_SCALE
from models.regions.components import Basis
from models.regions.model import SubscoreConfig

Tensors = dict[str, NDArray[np.float32]]


class SubscoreNetwork(nn.Module):
    """Inputs of each region to its sub-score, and the weights that combine them."""

    def __init__(self) -> None:
        super().__init__()
        self.balance = nn.Parameter(torch.zeros(len(REGIONS)))

    def weights(self) -> torch.Tensor:
        """(8,) positive weights that sum to one."""
        return torch.softmax(self.balance, dim=0)


class RegionNetworks(SubscoreNetwork):
    """A hidden layer a region: no region's inputs reach another's. Without any it sees zeros.

    All regions are one product, which is several times as fast as one after another; narrower ones are padded.
    """

    def __init__(self, widths: Sequence[int], config: SubscoreConfig) -> None:
        super().__init__()
        self._widths = widths
        regions = len(widths)
        self.inner = nn.Parameter(torch.zeros(regions, max(widths), config.hidden))
        self.inner_bias = nn.Parameter(torch.empty(regions, 1, config.hidden))
        self.outer = nn.Parameter(torch.empty(regions, 1, config.hidden))
        self.outer_bias = nn.Parameter(torch.empty(regions, 1))
        self.input_dropout, self.dropout = nn.Dropout(config.input_dropout), nn.Dropout(config.dropout)
        # as torch's linear layers start
        for region, width in enumerate(widths):
            for parameter in (self.inner[region, :width], self.inner_bias[region]):
                nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)
        nn.init.uniform_(self.outer, -(config.hidden**-0.5), config.hidden**-0.5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(8, n, P), the regions in the order of REGIONS and zeros beyond their widths, to (n, 8) sub-scores."""
        units = F.gelu(torch.baddbmm(self.inner_bias, self.input_dropout(inputs), self.inner))
        logits = (self.dropout(units) * self.outer).sum(dim=2) + self.outer_bias
        return MODEL_SCALE.at(torch.sigmoid(logits.T))

    def start_from(self, logit: float) -> None:
        """Set what every sub-score starts from."""
        nn.init.constant_(self.outer_bias, logit)

    def tensors(self, bases: Sequence[Basis]) -> Tensors:
        """Those of a SubscoreModel, whose first layers see the inputs themselves."""
        parameters = {name: tensor.numpy().copy() for name, tensor in self.state_dict().items()}
        tensors = {"balance": parameters["balance"]}
        for region, (basis, width) in enumerate(zip(bases, self._widths, strict=True)):
            inner = basis.unfolded(parameters["inner"][region, :width].T), parameters["inner_bias"][region, 0]
            tensors |= _of_region(region, *inner, parameters["outer"][region], parameters["outer_bias"][region])
        return tensors


class JointNetwork(SubscoreNetwork):
    """One hidden layer for all sub-scores, on inputs that are the same for every region."""

    def __init__(self, width: int, config: SubscoreConfig) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, config.hidden), nn.Linear(config.hidden, len(REGIONS))
        self.layers = nn.Sequential(
            nn.Dropout(config.input_dropout), self.inner, nn.GELU(), nn.Dropout(config.dropout), self.outer
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(1, n, P), what every region sees, to (n, 8) sub-scores."""
        return MODEL_SCALE.at(torch.sigmoid(self.layers(inputs[0])))

    def start_from(self, logit: float) -> None:
        """Set what every sub-score starts from."""
        nn.init.constant_(self.outer.bias, logit)

    def tensors(self, bases: Sequence[Basis]) -> Tensors:
        """Those of a SubscoreModel, each of whose regions has the hidden layer and its own row of the outer one."""
        (basis,) = bases
        parameters = {name: tensor.numpy().copy() for name, tensor in self.state_dict().items()}
        tensors = {"balance": parameters["balance"]}
        inner = basis.unfolded(parameters["inner.weight"]), parameters["inner.bias"]
        for region in range(len(REGIONS)):
            row = slice(region, region + 1)
            tensors |= _of_region(region, *inner, parameters["outer.weight"][row], parameters["outer.bias"][row])
        return tensors


def _of_region(region: int, *layers: NDArray[np.float32]) -> Tensors:
    """The tensors of a region by name: weights and biases of its hidden layer, then of its last one."""
    names = ("1.weight", "1.bias", "4.weight", "4.bias")
    return {f"regions.{region}.{name}": layer for name, layer in zip(names, layers, strict=True)}
