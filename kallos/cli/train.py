"""`kallos train`: train models."""

from enum import StrEnum
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath
from kallos.cli.training_options import TrainingOptions, with_training_options
from models.registry import FAST, TRAINABLE

ALL = "all"
ModelChoice = StrEnum("ModelChoice", {name.upper(): name for name in (*TRAINABLE, ALL)})  # type: ignore[misc]


@with_training_options
def train(
    what: Annotated[ModelChoice, typer.Argument(help=f"{', '.join(TRAINABLE)}, or all of them.")],
    training: TrainingOptions,
    fast: Annotated[bool, typer.Option("--fast", help="With all: without Model A, minutes instead of hours.")] = False,
    protocol: Protocol = None,
    fold: Fold = 1,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Train on the training rows of one fold. Run again after an interruption, it resumes."""
    from featurestore.errors import UsageError
    from kallos.workflows.extras import TRAINING, need

    need("train", *TRAINING)
    if fast and what != ALL:
        raise UsageError("--fast leaves out Model A of all models: type `kallos train all --fast`, or leave it out.")
    from kallos.cli.console import progress, show
    from kallos.workflows.train import train as train_models
    from reports.pages.evaluation import render

    with progress() as advance:
        report = train_models(
            store,
            (FAST if fast else TRAINABLE) if what == ALL else [what.value],
            protocol=protocol,
            fold=fold or 1,
            encoder=training.encoder,
            options=training.options,
            on_progress=advance,
        )
    show("evaluation", report, render, json)
