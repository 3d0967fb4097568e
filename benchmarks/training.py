"""`make bench-training`: Model A as kallos trains it beside a bare loop, epoch by epoch in turn, in one process.

The bare loop is what one would write in a notebook: the same network, optimiser, loss and number format on data in
memory, with no average of the weights, no held-out rows, no checkpoint and no progress. It is timed twice: with faces
varied as kallos varies them, and with faces that are never varied, which is the floor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from extractors.topologies import registry
from featurestore.records import Epoch, FaceBatch
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from models.image.augmentation import augment
from models.image.computing import Computing
from models.image.crop import centre_of
from models.image.model import AppearanceConfig
from models.image.start import freeze_statistics, starting_network
from models.image.tensors import as_images, resize_faces
from models.image.train import (
    choose_computing,
    starting_backbone,
    train_appearance,
)

DRAWN = 40
"""Portraits that are drawn; rows repeat them."""

WATCHED = 0.03
"""Held-out rows for each training row: a training on SCUT-FBP5500 looks at 100 for its 3,300."""


def main() -> None:
    arguments = _arguments()
    config = AppearanceConfig(backbone=arguments.backbone, weights=arguments.weights, epochs=arguments.epochs + 1)
    learned = _rows(arguments.rows)
    computing = choose_computing(config, starting_backbone(config))
    loops = {"bare loop, faces varied": _bare_loop(learned, config, computing, varied=True)}
    loops["bare loop, faces as they are"] = _bare_loop(learned, config, computing, varied=False)
    with computing.threading():
        seconds = _in_turn(loops, learned, config, computing)
    print(computing)
    Console(highlight=False).print(_table(seconds, len(learned)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="none", help="a .safetensors file, imagenet or none")
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--epochs", type=int, default=3, help="that are timed, after one that is not")
    return parser.parse_args()


def _rows(n: int) -> FaceBatch:
    random = np.random.default_rng(0)
    portraits = np.stack([paint(draw_parameters(seed), 256) for seed in range(DRAWN)])
    nothing = np.zeros((n, 0), dtype=np.float32)
    histograms = random.dirichlet(np.ones(5), n)
    return FaceBatch(
        image_ids=tuple(f"row{row}" for row in range(n)),
        feature_names=(),
        feature_regions=(),
        features=nothing.astype(np.float64),
        shapes=np.zeros((n, registry.current().shape_length), dtype=np.float32),
        embeddings=nothing,
        region_embeddings={},
        faces=portraits[np.arange(n) % DRAWN],
        scores=histograms @ np.arange(1, 6),
        histograms=histograms,
    )


def _bare_loop(
    learned: FaceBatch, config: AppearanceConfig, computing: Computing, *, varied: bool
) -> Callable[[], None]:
    """One epoch a call."""
    assert learned.faces is not None
    backbone = starting_backbone(config)
    network = starting_network(backbone, config, 3.0)
    computing.place(network)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=config.lr_body, fused=True)
    faces, size, view = learned.faces, config.image_size, config.view
    images = backbone.normalise(as_images(resize_faces(centre_of(faces, view), size)))
    scores, histograms = (torch.from_numpy(values).float() for values in (learned.scores, learned.histograms))
    random = np.random.default_rng(0)

    def batch(rows: NDArray[np.int64]) -> torch.Tensor:
        return backbone.normalise(augment(faces[rows], size, view, random)) if varied else images[rows]

    def epoch() -> None:
        network.train()
        if backbone.is_trained:
            freeze_statistics(network)
        for rows in np.array_split(random.permutation(len(faces)), -(-len(faces) // config.batch_size)):
            with computing.autocast("cpu"):
                score, logits = network(computing.lay(batch(rows)))
            surprise = -(histograms[rows] * logits.log_softmax(1)).sum(1).mean()
            loss = F.mse_loss(score, scores[rows]) + config.histogram * surprise
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def _in_turn(
    loops: dict[str, Callable[[], None]], learned: FaceBatch, config: AppearanceConfig, computing: Computing
) -> dict[str, list[float]]:
    """Seconds of every epoch but the first: after each one of kallos's, one of every bare loop."""
    seconds: dict[str, list[float]] = {name: [] for name in ("kallos", *loops)}
    began = 0.0

    def on_epoch(epoch: Epoch) -> None:
        nonlocal began
        taken = {"kallos": time.monotonic() - began}
        for name, loop in loops.items():
            start = time.monotonic()
            loop()
            taken[name] = time.monotonic() - start
        if epoch.epoch > 1:
            for name, value in taken.items():
                seconds[name].append(value)
        began = time.monotonic()

    held_out = learned.take(np.arange(round(WATCHED * len(learned))))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        train_appearance(
            starting_backbone(config),
            learned,
            held_out,
            config,
            on_epoch,
            lambda *_: None,
            Path(folder) / "checkpoint",
            computing,
        )
    return seconds


def _table(seconds: dict[str, list[float]], rows: int) -> Table:
    table = Table("", "photos a second", "kallos is at", title=f"Model A, {torch.get_num_threads()} threads")
    for name, others in seconds.items():
        ratios = [other / own for other, own in zip(others, seconds["kallos"], strict=True)]
        table.add_row(name, f"{rows / median(others):.1f}", f"{median(ratios):.3f}")
    return table


if __name__ == "__main__":
    main()
