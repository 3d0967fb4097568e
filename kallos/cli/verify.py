"""`kallos verify`: whether a run's training set can still be derived."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def verify(
    run: Annotated[str, typer.Argument(help="A run, as `kallos report training` lists them.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Derive the training set of a run again and compare: rows, values, versions, statistics, roles."""
    from featurestore.errors import CheckError
    from kallos.cli.console import show
    from kallos.workflows.data_quality import verify as compare
    from reports.pages.verification import render

    report = compare(store, run)
    show("verification", report, render, json)
    if not report.holds:
        raise CheckError(f"{run} cannot be reproduced from this store: train it again, or restore what changed.")
