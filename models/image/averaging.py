"""The fits of Model A as one network, whose weights are the mean of theirs (a model soup, Wortsman et al. 2022)."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from featurestore.records import FaceBatch
from models.image.model import AppearanceModel, faces_of, network_view
from models.image.tensors import as_images

MATCHED_ON = 128
"""Training faces on which the outputs of the one network are matched with the mean of those of all fits."""


@torch.no_grad()
def average(fits: Sequence[AppearanceModel], train: FaceBatch) -> AppearanceModel:
    """One model of several that started from the same weights, and so lie near each other.

    It takes a share of the time and room of the mean of their scores, and is nearly as good. Its outputs are spread
    wider than theirs: a line for each output, through those of a few training faces, brings it back to their mean.
    """
    model = copy.deepcopy(fits[0])
    states = [fit.network.state_dict() for fit in fits]
    weights = {name: torch.stack([state[name].cpu() for state in states]).double().mean(0) for name in states[0]}
    model.network.load_state_dict(weights)

    some = train.take(np.unique(np.linspace(0, len(train) - 1, MATCHED_ON).astype(int)))
    own, wanted = _outputs(model, some), torch.stack([_outputs(fit, some) for fit in fits]).mean(0)
    deviations = own - own.mean(0)
    slope = ((deviations * wanted).sum(0) / deviations.square().sum(0)).nan_to_num(1)  # of faces that are all the same
    weights["head.weight"] *= slope[:, None]
    weights["head.bias"] = wanted.mean(0) + slope * (weights["head.bias"] - own.mean(0))
    model.network.load_state_dict(weights)
    return model


def _outputs(model: AppearanceModel, batch: FaceBatch) -> torch.Tensor:
    """(n, 1 + H) outputs of the head: the score, then a logit for each rating."""
    place = next(model.network.parameters()).device
    outputs = []
    for face in network_view(faces_of(batch), model.config):
        score, logits = model.network(model.backbone.normalise(as_images(face[None])).to(place))
        outputs.append(torch.cat([score[:, None], logits], dim=1).cpu().double())
    return torch.cat(outputs)
