"""`kallos doctor`: diagnostics of the installation and the store."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every value, every photo and every trained model.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Diagnostics: installed packages, the machine, available weights, and the health of the store."""
    from featurestore.errors import CheckError
    from kallos.cli.console import show
    from kallos.workflows.doctor import doctor as examine
    from reports.pages.doctor import render

    report = examine(store, deep=deep)
    show("doctor", report, render, json)
    if report.failed:
        raise CheckError(f"Failed: {', '.join(report.failed)}; the report says what to do.")
