"""How the networks learn: the learning rate's course and the running average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)

WARM_UP = 0.3
START, END = 1 / 25, 1 / 25e4


def one_cycle(step: int, steps: int) -> float:
    """Share of the peak learning rate at a step (Smith & Topin 2018, with torch's OneCycleLR's shape).

    Cosines from 1/25 up to 1 in the first 30 % of the steps, then down to 1/250,000. It depends on nothing
    but the step, so a training that was interrupted goes on as if it had not been.
    """
    peak = max(WARM_UP * steps, 1)
    if step < peak:
        return START + (1 - START) * (1 - math.cos(math.pi * step / peak)) / 2
    left = (steps - step) / max(steps - peak, 1)
    return END + (1 - END) * (1 - math.cos(math.pi * left)) / 2


class ExactConv2d(nn.Conv2d):
    """A convolution in float32, whatever autocast says."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def exact_strided(network: nn.Module) -> None:
    """Have depthwise convolutions of stride 2 computed in float32.

    oneDNN has no fast backward pass for them in bfloat16: the four of MobileNetV2 took half of a step's time.
    """
    for part in network.modules():
        if type(part) is nn.Conv2d and part.groups > 1 and part.stride == (2, 2):
            part.__class__ = ExactConv2d


@torch.no_grad()
def settle_batch_norms(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Measure the statistics of batch normalisation anew, for weights as they are now (Izmailov et al. 2018).

    Running statistics lag behind: after a short training most networks would say the same of every image.
    """
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


class MovingAverage(Generic[Network]):
    """The exponential moving average of a network's weights and buffers while it learns, itself a network.

    Its decay is min(decay, (1 + t) / (10 + t)) at step t, so that short trainings are averaged too.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        # both state dicts hold the very tensors that the networks compute with
        averages, currents = self.network.state_dict().values(), network.state_dict().values()
        self._pairs = list(zip(averages, currents, strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as they are after step t, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for average, current in self._pairs:
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(current)
