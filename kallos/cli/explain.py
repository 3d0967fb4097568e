"""`kallos explain`: why a photo got its score."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, PictureFormat, Protocol, StorePath
from kallos.cli.outputs import output_option, wrote


def explain(
    photo: Annotated[str, typer.Argument(help="A photo file, an image_id, or its end such as P0001.jpg.")],
    group: Annotated[
        str | None, typer.Option(help="Subset whose calibration and percentiles are used, such as AF.")
    ] = None,
    html: Annotated[Path | None, output_option("Write it into this HTML file instead, the photo in it.")] = None,
    overlay: Annotated[
        Path | None, output_option("Also draw it on the photo: regions shaded, measured lines. .png or .svg.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Explain by this bundle; a store is not needed then.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Why a photo got its score: additive contributions of models, regions and features, nearest faces, warnings."""
    from rich.console import Group

    from featurestore.errors import UsageError
    from kallos.cli.console import show
    from kallos.workflows.explain import explain as explain_photo
    from reports.pages.explanation import render
    from reports.pages.explanation_overlay import picture, write_picture
    from reports.render.html import write_html

    if overlay and overlay.suffix[1:] not in list(PictureFormat):
        raise UsageError(f"{overlay} is not a supported picture format: name it .{' or .'.join(PictureFormat)}.")
    report, explained = explain_photo(photo, store, bundle=bundle, group=group, protocol=protocol, fold=fold)
    if html:
        write_html(html, "explain", Group(picture(explained), render(report)), ())
        wrote(html)
    else:
        show("explanation", report, render, json)
    if overlay:
        wrote(write_picture(explained, overlay))
