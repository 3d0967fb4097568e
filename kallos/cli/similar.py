"""`kallos similar`: the faces nearest to one face."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, PictureFormat, StorePath
from kallos.cli.outputs import output_option, wrote


class By(StrEnum):
    """What faces can be compared by."""

    EMBEDDING = "embedding"
    GEOMETRY = "geometry"
    LANDMARKS = "landmarks"


def similar(
    image: Annotated[str, typer.Argument(help="An image_id, its end such as P0001.jpg, or a photo file.")],
    by: Annotated[By, typer.Option(help="What is compared.")] = By.EMBEDDING,
    k: Annotated[int, typer.Option("-k", help="How many neighbours.", min=1, max=100)] = 10,
    data_set: Annotated[str | None, typer.Option(help="Only neighbours of this data set.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Whose embeddings.")] = None,
    sheet: Annotated[Path | None, output_option("Also write a contact sheet here, .png or .svg.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SELECT that finds them instead.")] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """The nearest faces of the store, by exact search. Near means similar appearance, not identity."""
    from featurestore.errors import UsageError
    from kallos.cli.console import plain, show
    from kallos.workflows.similar import similar as find_similar
    from reports.pages.similar import render, write_sheet

    if sheet and sheet.suffix[1:] not in list(PictureFormat):
        raise UsageError(f"{sheet} is not a supported picture format: name it .{' or .'.join(PictureFormat)}.")
    report = find_similar(image, store, by=by.value, k=k, data_set=data_set, encoder=encoder)
    if sql:
        plain(report.sql + "\n")
    else:
        show("similar", report, render, json)
    if sheet:
        wrote(write_sheet(report, sheet))
