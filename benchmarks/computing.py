"""`make bench-computing`: what `--precision auto` takes, beside every setting, and where a step's time goes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from models.image.computing import LAYOUTS, Computing, has_bfloat16
from models.image.model import AppearanceConfig
from models.image.train import choose_computing, starting_backbone, trial_step

NETWORKS = (
    ("tf_efficientnet_lite0", 128, 16),
    ("mobilenet_v3_small", 96, 32),
    ("mobilenet_v3_small", 224, 16),
    ("mobilenet_v2", 224, 16),
    ("efficientnet_v2_s", 128, 8),
)
"""Backbone, side in pixels, photos in a step."""

DEPTHWISE = ((480, 14, 3, 1), (240, 28, 3, 2), (480, 14, 5, 1), (672, 14, 5, 2))
"""Channels, side in pixels, kernel and stride of depthwise convolutions, as EfficientNet-Lite0 has them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of steps for each setting")
    parser.add_argument("--slowest", type=float, default=10, help="seconds a step, beyond which a setting is left out")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    console.print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )
    console.print(_depthwise())
    for backbone, side, photos in NETWORKS:
        config = AppearanceConfig(backbone=backbone, weights="none", image_size=side, batch_size=photos)
        console.print(_settings(config, arguments.seconds, arguments.slowest))
        console.print(_operations(config))


def _depthwise() -> Table:
    """Milliseconds of the forward and backward pass of 32 photos, one thread, the fastest of four."""
    formats = (torch.bfloat16, torch.float32) if has_bfloat16() else (torch.float32,)
    table = Table("channels", "pixels", "kernel", "stride", *map(str, formats), title="depthwise convolutions")
    one = Computing("float32", "channels_last", 1)
    for channels, side, kernel, stride in DEPTHWISE:
        cells = []
        for number_format in formats:
            convolution = torch.nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
            convolution.to(number_format, memory_format=torch.channels_last)
            images = one.lay(torch.randn(32, channels, side, side)).to(number_format).requires_grad_()

            def step(convolve: torch.nn.Module = convolution, images: torch.Tensor = images) -> None:
                convolve(images).sum().backward()

            cells.append(f"{1000 * min(_seconds(one, step) for _ in range(4)):.1f}")
        table.add_row(str(channels), str(side), str(kernel), str(stride), *cells)
    return table


def _settings(config: AppearanceConfig, seconds: float, slowest: float) -> Table:
    """Photos a second of every setting, in turn, the fastest step of each; the one that is chosen is marked."""
    backbone = starting_backbone(config)
    began = time.perf_counter()
    chosen = choose_computing(config, backbone)
    trial = time.perf_counter() - began
    threads = sorted({torch.get_num_threads(), max(torch.get_num_threads() // 2, 1)})
    steps = dict[Computing, Callable[[], None]]()
    for setting in [Computing(p, y, t) for p in ("float32", "bfloat16") for y in LAYOUTS for t in threads]:
        step = trial_step(config, backbone, setting, config.batch_size)
        if _seconds(setting, step) < slowest:  # the first step, which is not counted
            steps[setting] = step
    fastest = dict.fromkeys(steps, float("inf"))
    end = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < end:
        for setting, step in steps.items():
            fastest[setting] = min(fastest[setting], _seconds(setting, step))
    best = min(fastest.values())
    title = f"{config.backbone}, {config.image_size} pixels, {config.batch_size} photos a step; trial {trial:.1f} s"
    table = Table("precision", "layout", "threads", "photos a second", "of the best", "", title=title)
    for setting, taken in sorted(fastest.items(), key=lambda pair: pair[1]):
        rate = f"{config.batch_size / taken:.0f}"
        mark = "chosen" if setting == chosen else ""
        table.add_row(setting.precision, setting.layout, str(setting.threads), rate, f"{best / taken:.2f}", mark)
    return table


def _operations(config: AppearanceConfig) -> Table:
    """The operations that a step spends most of its time in, as torch's profiler sees them, in the chosen setting."""
    backbone = starting_backbone(config)
    chosen = choose_computing(config, backbone)
    step = trial_step(config, backbone, chosen, config.batch_size)
    with chosen.threading():
        step()
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            for _ in range(3):
                step()
    rows = sorted(seen.key_averages(), key=lambda row: -row.self_cpu_time_total)
    whole = sum(row.self_cpu_time_total for row in rows)
    table = Table(
        "operation", "share of the step", "calls a step", title=f"{config.backbone}, {config.image_size} pixels"
    )
    for row in rows[:8]:
        table.add_row(row.key, f"{row.self_cpu_time_total / whole:.0%}", f"{row.count / 3:.0f}")
    return table


def _seconds(setting: Computing, step: Callable[[], None]) -> float:
    with setting.threading():
        began = time.perf_counter()
        step()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
