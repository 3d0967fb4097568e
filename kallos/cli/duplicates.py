"""`kallos duplicates`: near-duplicate photos, their leakage, and a protocol without it."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath
from kallos.cli.outputs import output_option, wrote


def duplicates(
    data_set: Annotated[str | None, typer.Option(help="Write the protocol for this data set only.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Whose embeddings are compared.")] = None,
    sheet: Annotated[Path | None, output_option("Also draw the nearest pairs side by side, .png or .svg.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Find near-duplicate photos, and write the protocol identity-disjoint, which keeps them in one fold."""
    from kallos.cli.console import note, show
    from kallos.workflows.data_quality import duplicates as find_duplicates
    from reports.pages.duplicates import render, write_sheet

    report = find_duplicates(store, data_set=data_set, encoder=encoder)
    show("duplicates", report, render, json)
    if sheet and report.photos:
        wrote(write_sheet(report, sheet))
    elif sheet:
        note(f"{sheet} was not written: there is no pair to draw")
