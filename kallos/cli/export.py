"""`kallos export`: trained models as a bundle to deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Protocol, StorePath


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the bundle: new, empty, or an earlier bundle.")],
    space: Annotated[
        bool, typer.Option("--space", help="Write a Hugging Face Space around it, which `python app.py` runs too.")
    ] = False,
    onnx: Annotated[
        bool, typer.Option(help="Model A as ONNX graphs, which need no torch and less time, or as it was trained.")
    ] = True,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write the deployment bundle: models, normalisation, encoder, model card, data card, manifest with hashes."""
    from kallos.workflows.extras import TRAINING, need

    if onnx:
        need("train", *TRAINING)
    from ensemble.bundle import export as write_bundle
    from kallos.cli.console import note
    from kallos.workflows.stores import open_for_reading
    from kallos.workflows.trained_models import trained_parts
    from models.registry import ENSEMBLE
    from reports.cards.write import cards

    with open_for_reading(store) as opened:
        parts = trained_parts(opened, protocol, fold)
        made = cards(opened, parts.run_ids[ENSEMBLE])
    if onnx:
        note("writing the networks as graphs")
    if space:
        need("web", "gradio")
        from kallos.workflows.space import export_space

        note(f"wrote the Space {export_space(parts, made, folder, onnx=onnx)}")
    else:
        note(f"wrote the bundle {write_bundle(parts, made, folder, onnx=onnx)}")
