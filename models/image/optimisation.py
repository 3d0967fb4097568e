"""How the networks are trained: the learning-rate schedule and the running average of the weights."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn

WARM_UP = 0.3


def one_cycle(optimizer: torch.optim.Optimizer, peaks: Sequence[float], steps: int) -> OneCycleLR:
    """The learning-rate schedule of a training (Smith & Topin 2018), with a peak for each parameter group.

    Cosines from 1/25 of the peak up to it in the first 30 % of the steps, then down to 1/250,000 of it.
    """
    # torch's last step is at the lowest rate and changes nothing: it comes after the last of these
    start = (WARM_UP * steps + 1) / (steps + 1)
    return OneCycleLR(optimizer, list(peaks), total_steps=steps + 1, pct_start=start, cycle_momentum=False)


class _Exact(nn.Conv2d):
    """A convolution that processors compute in float32, whatever autocast sets; a GPU needs no exception."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float()).to(input.dtype)


def exact_depthwise(network: nn.Module) -> None:
    """Have trained depthwise convolutions of stride 2 or of more than 3 x 3 pixels computed in float32.

    oneDNN has no fast backward pass for them in bfloat16: on a processor with AMX they took half of a step's time in
    MobileNetV2 and in EfficientNet-Lite0 (docs/lab/training-step.md).
    """
    for part in network.modules():
        if not isinstance(part, nn.Conv2d) or part.groups == 1 or not part.weight.requires_grad:
            continue
        if part.stride == (2, 2) or max(part.kernel_size) > 3:
            part.__class__ = type("ExactConv2d", (_Exact, type(part)), {})


@torch.no_grad()
def settle_batch_norms(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Measure the statistics of batch normalisation again, for weights as they are now (Izmailov et al. 2018).

    Running statistics lag behind: after a short training most networks would predict the same for every image. torch's
    `update_bn` would switch on dropout and stochastic depth for it, which predictions do not have.
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


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a network's weights and buffers during training; its `module` is a network.

    The decay of the n-th update is n / (9 + n), at most `decay`, so that short trainings are averaged too.
    """

    def update(averages: PARAM_LIST, currents: PARAM_LIST, count: torch.Tensor | int) -> None:
        now = min(decay, int(count) / (9 + int(count)))
        get_ema_multi_avg_fn(now)(averages, currents, count)  # type: ignore[no-untyped-call]

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    average.n_averaged += 1  # the untrained network is the first that is averaged
    return average.eval().requires_grad_(False)
