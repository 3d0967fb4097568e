"""`kallos erase`: photos and persons who rated removed from the store, including the bytes of its file."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath
from kallos.cli.outputs import output_option, wrote


def erase(
    image_ids: Annotated[
        list[str] | None, typer.Argument(help="Images, as the table images names them.", metavar="IMAGE_ID")
    ] = None,
    rater: Annotated[
        list[str] | None, typer.Option(help="A person: all that was rated under that name by `kallos rate NAME`.")
    ] = None,
    receipt: Annotated[Path | None, output_option("Where the receipt goes.  [default: beside the store]")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Erase photos, or what a person rated, from every table, version, snapshot, backup, and the bytes of the file.

    Exports elsewhere are not reached.
    """
    from featurestore.errors import CheckError
    from kallos.cli.console import out
    from kallos.workflows.upkeep import erase as erase_photos
    from reports.pages.upkeep import render_erased
    from reports.render.json import to_json

    erased, written = erase_photos(store, image_ids or [], raters=rater or [], receipt=receipt)
    out.print_json(to_json("erasure", erased.receipt)) if json else out.print(render_erased(erased))
    wrote(written, ": the receipt, which names no photo and nobody")
    if erased.receipt.found:
        raise CheckError(f"Something is left in {', '.join(erased.receipt.found)}: run the same command again.")
