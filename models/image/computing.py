"""How a network computes during training: number format, layout in memory, threads. The fastest is found by trying."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import nn

PRECISIONS = ("auto", "float32", "bfloat16")
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

TRIED_FOR, ROUNDS = 0.5, 3
"""Seconds of trying, and steps of each setting at least, after one that is not counted; the fastest step counts."""

NEAR = 0.92
"""The first setting that is at least so fast as the fastest is taken: trials are disturbed, and others may be again."""


@dataclass(frozen=True)
class Computing:
    """Number format of the products (sums stay in float32), layout in memory, and number of threads."""

    precision: str
    layout: str
    threads: int

    def place(self, network: nn.Module) -> None:
        """Have a network's tensors lie as the layout wants."""
        network.to(memory_format=LAYOUTS[self.layout])

    def lay(self, images: torch.Tensor) -> torch.Tensor:
        """Have (n, 3, h, w) images lie as the layout wants."""
        return images.contiguous(memory_format=LAYOUTS[self.layout])

    def autocast(self, device: str) -> torch.autocast:
        """Within it, a forward pass multiplies in the number format."""
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "bfloat16")

    @contextmanager
    def threading(self) -> Iterator[None]:
        """Within it, torch uses that many threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def usual(precision: str) -> Computing:
    """With a number format that is given, nothing is tried."""
    return Computing(precision, "channels_last", torch.get_num_threads())


def settings() -> list[Computing]:
    """All that is tried on this processor, the usual ones first. Emulated bfloat16 is many times slower: not tried."""
    formats = ("float32", "bfloat16") if has_bfloat16() else ("float32",)
    return [replace(usual(precision), layout=layout) for layout in LAYOUTS for precision in formats]


def choose(
    make_step: Callable[[Computing], Callable[[], None]], clock: Callable[[], float] = time.perf_counter
) -> Computing:
    """The fastest setting on this machine, of this network; `make_step` gives a training step to try in a setting."""
    fastest = _fastest(settings(), make_step, clock)
    if fastest.threads == 1:
        return fastest
    # two threads wait for each other, above all where other programs run too
    return _fastest([fastest, replace(fastest, threads=fastest.threads // 2)], make_step, clock)


def _fastest(
    tried: Sequence[Computing], make_step: Callable[[Computing], Callable[[], None]], clock: Callable[[], float]
) -> Computing:
    steps = {setting: make_step(setting) for setting in tried}
    for setting, step in steps.items():
        _seconds(setting, step, clock)
    seconds = dict.fromkeys(tried, float("inf"))
    began, rounds = clock(), 0
    while rounds < ROUNDS or clock() - began < TRIED_FOR:  # in turn, so that another program disturbs all of them
        for setting, step in steps.items():
            seconds[setting] = min(seconds[setting], _seconds(setting, step, clock))
        rounds += 1
    limit = min(seconds.values()) / NEAR
    return next(setting for setting in tried if seconds[setting] <= limit)


def _seconds(setting: Computing, step: Callable[[], None], clock: Callable[[], float]) -> float:
    with setting.threading():
        began = clock()
        step()
        return clock() - began


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16."""
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
