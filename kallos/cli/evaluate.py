"""`kallos evaluate`: trained models on a data set of other photos and raters."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath


def evaluate(
    data_set: Annotated[str, typer.Option("--data-set", help="Any ingested and extracted data set with scores.")],
    bundle: Annotated[Path | None, typer.Option(help="Evaluate this bundle; the store is only read.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Evaluate trained models on other photos, raters and scales. Their training photos are left out."""
    from kallos.cli.console import progress, show
    from kallos.workflows.evaluate import evaluate as evaluate_models
    from reports.pages.external_evaluation import NAME, render

    with progress() as advance:
        report = evaluate_models(store, data_set, bundle=bundle, protocol=protocol, fold=fold, on_progress=advance)
    show(NAME, report, render, json)
