"""`kallos evaluate`: trained models on a data set of other photos and raters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath


def evaluate(
    data_set: Annotated[str, typer.Option("--data-set", help="Any ingested and extracted data set with scores.")],
    bundle: Annotated[Path | None, typer.Option(help="Judge this bundle; the store is only read.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Judge trained models on other photos, raters and scales. Photos that they learnt from are left out."""
    from featurestore.errors import UsageError
    from kallos.cli.console import out
    from kallos.workflows.evaluate import evaluate_bundle, evaluate_runs
    from reports.pages import external_evaluation
    from reports.render.json import to_json

    if bundle and (protocol or fold):
        raise UsageError("A bundle knows its fold: give either --bundle or --protocol and --fold.")
    report = evaluate_bundle(store, data_set, bundle) if bundle else evaluate_runs(store, data_set, protocol, fold)
    out.print_json(to_json(external_evaluation.NAME, report)) if json else out.print(external_evaluation.render(report))
