"""`kallos validate`: whether trained models may be used for other raters, from a sample that they rated."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath


def validate(
    data_set: Annotated[str, typer.Option("--data-set", help="30 to 200 photos that these raters rated, extracted.")],
    bundle: Annotated[Path | None, typer.Option(help="Validate the models of this bundle.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Say whether trained models may be used for other raters: use, recalibrate, do not use, or too few photos to tell.

    With use and recalibrate the map to these raters' scores is stored, for `kallos score --data-set`.
    """
    from kallos.cli.console import progress, show
    from kallos.workflows.validate import validate as validate_models
    from reports.pages import validation

    with progress() as advance:
        found = validate_models(store, data_set, bundle=bundle, protocol=protocol, fold=fold, on_progress=advance)
    show(validation.NAME, found, validation.render, json)
