"""`kallos export`: trained models as a bundle to deploy."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Protocol, StorePath
from kallos.cli.outputs import output, wrote


def export(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the bundle: new, empty, or an earlier bundle.", callback=output)
    ],
    space: Annotated[
        bool, typer.Option("--space", help="Write a Hugging Face Space with it, which `python app.py` runs too.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="Write a static page instead, which scores photos in the browser.")
    ] = False,
    onnx: Annotated[
        bool, typer.Option(help="Model A as ONNX graphs, which are faster and need no torch, or as it was trained.")
    ] = True,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write the deployment bundle: models, normalisation, encoder, model card, data card, manifest with hashes."""
    from kallos.workflows.export import export as write

    written = write(store, folder, protocol=protocol, fold=fold, onnx=onnx, space=space, browser=browser)
    wrote(written, ": a Space" if space else ": a page" if browser else "")
