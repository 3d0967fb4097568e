"""The networks of Model B while they are trained: regions to sub-scores, and the weights that combine them."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
    """A network a region: no region's inputs reach another's. Without any it sees zeros."""

    def __init__(self, widths: Sequence[int], config: SubscoreConfig) -> None:
        super().__init__()
        self.regions = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(config.input_dropout),
                nn.Linear(max(width, 1), config.hidden),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, 1),
            )
            for width in widths
        )

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Eight (n, P) tensors, one a region in the order of REGIONS, to (n, 8) sub-scores."""
        outputs = [network(region_inputs) for region_inputs, network in zip(inputs, self.regions, strict=True)]
        return MODEL_SCALE.at(torch.sigmoid(torch.cat(outputs, dim=1)))

    def start_from(self, logit: float) -> None:
        """Set what every sub-score starts from."""
        for network in self.regions:
            nn.init.constant_(network[-1].bias, logit)  # type: ignore[index]

    def tensors(self, bases: Sequence[Basis]) -> Tensors:
        """Those of a SubscoreModel, whose first layers see the inputs themselves."""
        tensors = {name: tensor.numpy().copy() for name, tensor in self.state_dict().items()}
        for number, basis in enumerate(bases):
            name = f"regions.{number}.1.weight"
            tensors[name] = basis.unfolded(tensors[name])
        return tensors


class JointNetwork(SubscoreNetwork):
    """One hidden layer for all sub-scores, on inputs that are the same for every region."""

    def __init__(self, width: int, config: SubscoreConfig) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, config.hidden), nn.Linear(config.hidden, len(REGIONS))
        self.layers = nn.Sequential(
            nn.Dropout(config.input_dropout), self.inner, nn.GELU(), nn.Dropout(config.dropout), self.outer
        )

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """One (n, P) tensor, what every region sees, to (n, 8) sub-scores."""
        (seen,) = inputs
        return MODEL_SCALE.at(torch.sigmoid(self.layers(seen)))

    def start_from(self, logit: float) -> None:
        """Set what every sub-score starts from."""
        nn.init.constant_(self.outer.bias, logit)

    def tensors(self, bases: Sequence[Basis]) -> Tensors:
        """Those of a SubscoreModel, each of whose regions has the hidden layer and its own row of the outer one."""
        (basis,) = bases
        tensors = {"balance": self.balance.detach().numpy().copy()}
        inner = basis.unfolded(self.inner.weight.detach().numpy())
        for region in range(len(REGIONS)):
            tensors |= {
                f"regions.{region}.1.weight": inner,
                f"regions.{region}.1.bias": self.inner.bias.detach().numpy().copy(),
                f"regions.{region}.4.weight": self.outer.weight[region : region + 1].detach().numpy().copy(),
                f"regions.{region}.4.bias": self.outer.bias[region : region + 1].detach().numpy().copy(),
            }
        return tensors
