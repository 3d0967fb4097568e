"""What Model A's training starts from: the backbone, and a head that is solved for before anything is trained."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.image.model import AppearanceConfig, Regressor
from models.image.optimisation import exact_depthwise
from models.networks.backbones import Backbone
from models.standardised import spreads

PENALTIES = np.geomspace(10, 1e6, 16)
"""Of the ridge regression, on standardised features; leave-one-out chooses among them."""

FLOOR = 0.01
"""Added to the shares of a histogram, whose logarithms are the logits to start from."""


def starting_network(backbone: Backbone, config: AppearanceConfig, mean_score: float) -> Regressor:
    """The untrained network. Its bias starts at the mean training score.

    With weights, the stages up to stride 8 keep them: edges and textures need not be trained on a few thousand
    faces, and what is not trained costs no backward pass.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Regressor(backbone, config)
    nn.init.zeros_(network.head.bias)
    nn.init.constant_(network.head.bias[:1], mean_score)
    for parameter in backbone.early_parameters() if backbone.is_trained else ():
        parameter.requires_grad_(False)
    exact_depthwise(network)
    return network.to(memory_format=torch.channels_last)


def freeze_statistics(network: nn.Module) -> None:
    """Batches of 32 faces estimate brightness and contrast worse than the million photos before them."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def has_statistics(network: nn.Module) -> bool:
    """Whether batch normalisation subtracts means that were measured: converted networks have that in their weights."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    return any(norm.running_mean is not None and bool(norm.running_mean.any()) for norm in norms)


@torch.no_grad()
def solve_head(
    network: Regressor, features: NDArray[np.float32], scores: NDArray[np.float64], histograms: NDArray[np.float64]
) -> None:
    """Set the head to a ridge regression on (n, width) features of the network as it is.

    Training that begins with a random head first undoes what the backbone knows (Kumar et al. 2022). Rows without a
    histogram have NaN there.
    """
    from sklearn.linear_model import Ridge, RidgeCV

    centre, spread = features.mean(axis=0), spreads(features)
    inputs = (features - centre) / spread
    parts = [RidgeCV(alphas=PENALTIES).fit(inputs, scores)]
    known = np.isfinite(histograms).all(axis=1)
    if known.any():
        parts.append(Ridge(parts[0].alpha_).fit(inputs[known], np.log(histograms[known] + FLOOR)))
    for tensor, values in (
        (network.centre, centre),
        (network.spread, spread),
        (network.head.weight, np.vstack([part.coef_ for part in parts])),
        (network.head.bias, np.hstack([part.intercept_ for part in parts])),
    ):
        tensor[: len(values)] = torch.from_numpy(values)
