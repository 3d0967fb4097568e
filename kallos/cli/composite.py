"""`kallos composite`: the average face of a selection, and what it would look like with another shape."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, StorePath
from kallos.cli.outputs import output, wrote

FORMATS = (".png", ".jpg", ".jpeg")


def composite(
    picture: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.", callback=output)],
    where: Annotated[
        str | None,
        typer.Option(help="Which photos: a condition on images, scores and features, or a SELECT of image_id."),
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(help="Move the shape along: mean (a caricature), score, sex (to men), or a component, pc1 …"),
    ] = None,
    by: Annotated[
        float, typer.Option(help="How far: in standard deviations, or differences from the mean face or of the sexes.")
    ] = 1,
    trait: Annotated[str | None, typer.Option(help="Trait whose scores are meant, where there are several.")] = None,
    size: Annotated[int, typer.Option(help="Pixels of the picture's side.")] = 512,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """The average face of any selection of photos: warped to their mean shape by their landmarks, and averaged.

    A picture made of photos of people is subject to the same consent as the photos, above all one of few.
    """
    from PIL import Image

    from featurestore.errors import UsageError
    from kallos.cli.console import progress
    from kallos.workflows.composite import composite as average
    from reports.render.layout import plural

    if picture.suffix.lower() not in FORMATS:
        raise UsageError(f"{picture} is not a supported picture format: name it .png or .jpg.")
    if not picture.parent.is_dir():
        raise UsageError(f"There is no folder {picture.parent}: choose one that exists.")
    with progress() as on_progress:
        found = average(store, where, along=along, by=by, trait=trait, size=size, on_progress=on_progress)
    Image.fromarray(found.image).save(picture, quality=95)
    wrote(picture, f": {plural(len(found.image_ids), 'face')}")
