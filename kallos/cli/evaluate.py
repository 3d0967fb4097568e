"""`kallos evaluate`: trained models on a data set of other photos and raters, or on faces without their background."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath


def evaluate(
    data_set: Annotated[
        str | None, typer.Option("--data-set", help="Any ingested and extracted data set with scores.")
    ] = None,
    face_alone: Annotated[
        bool, typer.Option("--face-alone", help="Test photos of the fold, with all but the face in grey.")
    ] = False,
    bundle: Annotated[Path | None, typer.Option(help="Evaluate this bundle; the store is only read.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Evaluate trained models on other photos, raters and scales, or on faces without hair and background.

    Of a data set, photos that the models were trained on are left out.
    """
    from featurestore.errors import UsageError
    from kallos.cli.console import progress, show
    from kallos.workflows.evaluate import evaluate as evaluate_models
    from kallos.workflows.face_alone import evaluate_face_alone
    from reports.pages import external_evaluation
    from reports.pages import face_alone as face_alone_page

    if (data_set is None) != face_alone:
        raise UsageError("Give one of --data-set NAME and --face-alone.")
    if face_alone and bundle:
        raise UsageError("A bundle has no test photos: leave out --bundle to evaluate the models of the store.")
    if data_set is not None:
        with progress() as advance:
            report = evaluate_models(store, data_set, bundle=bundle, protocol=protocol, fold=fold, on_progress=advance)
        show(external_evaluation.NAME, report, external_evaluation.render, json)
        return
    with progress() as advance:
        faces = evaluate_face_alone(store, protocol=protocol, fold=fold, on_progress=advance)
    show(face_alone_page.NAME, faces, face_alone_page.render, json)
