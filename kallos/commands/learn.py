"""`kallos train`: models from stored tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kallos.commands.options import DEFAULT_STORE, Download, Fold, Json, Protocol, StorePath, Weights


class What(StrEnum):
    """What can be trained."""

    BASELINE = "baseline"
    A = "a"
    B = "b"
    ENSEMBLE = "ensemble"
    ALL = "all"


def train(
    what: Annotated[What, typer.Argument(help="baseline, a, b, ensemble, or all of them in that order.")],
    protocol: Protocol = None,
    fold: Fold = 1,
    encoder: Annotated[str | None, typer.Option(help="Whose embeddings Model B takes.")] = None,
    backbone: Annotated[str, typer.Option(help="Model A: any torchvision network.")] = "efficientnet_v2_s",
    weights: Weights = "imagenet",
    download: Download = False,
    epochs: Annotated[int, typer.Option(help="Model A: epochs.", min=1)] = 8,
    image_size: Annotated[int, typer.Option(help="Model A: pixels a side.", min=32, max=256)] = 224,
    batch_size: Annotated[int, typer.Option(help="Model A: photos a step.", min=2)] = 32,
    optimizer: Annotated[str, typer.Option(help="Model A: adamw or adam.")] = "adamw",
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Train on the training rows of one fold. Interrupted and run again, it goes on where it stopped."""
    from featurestore.store import Store
    from kallos.console import out
    from kallos.training import Trainer
    from models.appearance import AppearanceConfig
    from reports import evaluation
    from reports.json import to_json
    from reports.selection import Selection

    config = AppearanceConfig(
        backbone=backbone,
        weights=weights,
        download=download,
        epochs=epochs,
        image_size=image_size,
        batch_size=batch_size,
        optimizer=optimizer,
        seed=seed,
    )
    with Store.open(store, must_exist=True) as opened:
        opened.publish()
        trainer = Trainer(opened, protocol, fold or 1, encoder, config)
        trainer.train([w.value for w in What if w is not What.ALL] if what is What.ALL else [what.value])
        report = evaluation.data(opened, Selection(protocol=trainer.protocol, fold=trainer.fold))
    out.print_json(to_json("evaluation", report)) if json else out.print(evaluation.render(report))
