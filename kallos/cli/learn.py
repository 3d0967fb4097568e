"""`kallos train` and `kallos benchmark`: models from stored tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Download, Fold, Json, Protocol, StorePath, Weights

MEMBERS = ("baseline", "b", "a", "ensemble")
"""What `benchmark` trains; baseline is LightGBM and ridge, b is both forms of Model B."""

Encoder = Annotated[str | None, typer.Option(help="Whose embeddings Model B takes.")]
Backbone = Annotated[
    str, typer.Option(help="Model A: any torchvision network, or laplacian_pyramid for few photos and no weights.")
]
Epochs = Annotated[int, typer.Option(help="Model A: epochs.", min=1)]
ImageSize = Annotated[int, typer.Option(help="Model A: pixels a side.", min=32, max=256)]
BatchSize = Annotated[int, typer.Option(help="Model A: photos a step.", min=2)]
Optimizer = Annotated[str, typer.Option(help="Model A: adamw or adam.")]
Precision = Annotated[
    str, typer.Option(help="Model A: float32, bfloat16, or auto, the fastest here by a trial of a second or two.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]


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
    encoder: Encoder = None,
    backbone: Backbone = "efficientnet_v2_s",
    weights: Weights = "imagenet",
    download: Download = False,
    epochs: Epochs = 12,
    image_size: ImageSize = 224,
    batch_size: BatchSize = 32,
    optimizer: Optimizer = "adamw",
    precision: Precision = "auto",
    seed: Seed = 0,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Train on the training rows of one fold. Interrupted and run again, it goes on where it stopped."""
    from kallos.workflows.extras import TRAINING, need

    need("train", *TRAINING)
    from featurestore.store import Store
    from kallos.cli.console import out
    from kallos.workflows.train import Trainer
    from models.appearance import AppearanceConfig
    from reports.pages import evaluation
    from reports.render.json import to_json
    from reports.stats.selection import Selection

    config = AppearanceConfig(
        backbone=backbone,
        weights=weights,
        download=download,
        epochs=epochs,
        image_size=image_size,
        batch_size=batch_size,
        optimizer=optimizer,
        precision=precision,
        seed=seed,
    )
    with Store.open(store, must_exist=True) as opened:
        opened.publish()
        trainer = Trainer(opened, protocol, fold or 1, encoder, config)
        trainer.train([w.value for w in What if w is not What.ALL] if what is What.ALL else [what.value])
        report = evaluation.data(opened, Selection(protocol=trainer.protocol, fold=trainer.fold))
    out.print_json(to_json("evaluation", report)) if json else out.print(evaluation.render(report))


def benchmark(
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="scut-5fold, scut-60-40, identity-disjoint ...")],
    members: Annotated[str, typer.Option(help="What to train on every fold, with commas between.")] = ",".join(MEMBERS),
    encoder: Encoder = None,
    backbone: Backbone = "efficientnet_v2_s",
    weights: Weights = "imagenet",
    download: Download = False,
    epochs: Epochs = 12,
    image_size: ImageSize = 224,
    batch_size: BatchSize = 32,
    optimizer: Optimizer = "adamw",
    precision: Precision = "auto",
    seed: Seed = 0,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Train what is missing on every fold, then figures by fold, their mean, subgroups and published figures.

    Interrupted and run again, it goes on where it stopped, at the epoch.
    """
    from kallos.workflows.extras import TRAINING, need

    need("train", *TRAINING)
    from featurestore.errors import UsageError
    from featurestore.store import Store
    from featurestore.training_sets import folds_of
    from kallos.cli.console import out
    from kallos.workflows.train import Trainer
    from models.appearance import AppearanceConfig
    from reports.pages import benchmark as report
    from reports.render.json import to_json
    from reports.stats.selection import Selection

    wanted = [name.strip() for name in members.split(",")]
    if unknown := set(wanted) - set(MEMBERS):
        raise UsageError(f"There is no member {min(unknown)!r}: choose from {', '.join(MEMBERS)}.")
    config = AppearanceConfig(
        backbone=backbone,
        weights=weights,
        download=download,
        epochs=epochs,
        image_size=image_size,
        batch_size=batch_size,
        optimizer=optimizer,
        precision=precision,
        seed=seed,
    )
    with Store.open(store, must_exist=True) as opened:
        opened.publish()
        for fold in folds_of(opened, protocol):
            Trainer(opened, protocol, fold, encoder, config).train([name for name in MEMBERS if name in wanted])
        made = report.data(opened, Selection(protocol=protocol))
    out.print_json(to_json("benchmark", made)) if json else out.print(report.render(made))
