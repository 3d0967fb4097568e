"""`kallos benchmark`: every fold of a protocol, beside published figures."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath
from kallos.cli.training_options import TrainingOptions, with_training_options
from models.registry import FAST, TRAINABLE

EVERY = ",".join(TRAINABLE)


@with_training_options
def benchmark(
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="scut-5fold, scut-60-40, identity-disjoint ...")],
    training: TrainingOptions,
    members: Annotated[str, typer.Option(help="What to train on every fold, comma-separated.")] = EVERY,
    fast: Annotated[bool, typer.Option("--fast", help="Without Model A: minutes instead of hours.")] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Train missing models on every fold, then show figures by fold, their mean, subgroups and published figures.

    Run again after an interruption, it resumes at the last epoch.
    """
    from featurestore.errors import UsageError
    from kallos.workflows.extras import TRAINING, need

    need("train", *TRAINING)
    if fast and members != EVERY:
        raise UsageError("--fast chooses what to train, and so does --members: give one of them.")
    from kallos.cli.console import progress, show
    from kallos.workflows.train import benchmark as train_every_fold
    from reports.pages.benchmark import render

    with progress() as advance:
        report = train_every_fold(
            store,
            protocol,
            FAST if fast else [name.strip() for name in members.split(",")],
            encoder=training.encoder,
            options=training.options,
            on_progress=advance,
        )
    show("benchmark", report, render, json)
