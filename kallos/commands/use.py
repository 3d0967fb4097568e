"""`kallos predict` and `kallos export`: trained models at work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.commands.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath

if TYPE_CHECKING:
    from featurestore.records import Prediction


def predict(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    overlay: Annotated[Path | None, typer.Option(help="Write pictures with landmarks and scores here.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Subset of the training data whose calibration fits, such as AF.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Predict from this bundle; no store is needed.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Score, sub-scores and weights of photos. A photo that cannot be used is named, the rest go on.

    Of 32 photos and more each has one line, without sub-scores, which --json has.
    """
    from featurestore.errors import PhotoError
    from kallos.console import note, out
    from kallos.prediction import FEW, open_parts, photos_in, predict_each
    from reports.json import stream_json
    from reports.prediction import as_dict, lines, render

    chosen, refused = photos_in(photos)
    failed = refused > 0

    def predictions() -> Iterator[Prediction]:
        nonlocal failed
        for answer in predict_each(open_parts(store, bundle, protocol, fold), chosen, overlay, group):
            if isinstance(answer, PhotoError):
                note(f"kallos: {answer}")
                failed = True
            else:
                yield answer

    if json:
        for piece in stream_json("predictions", map(as_dict, predictions())):
            typer.echo(piece, nl=False)
    else:
        for part in map(render, predictions()) if len(chosen) < FEW else lines(predictions(), chosen):
            out.print(part, soft_wrap=len(chosen) >= FEW)
    if failed:
        raise typer.Exit(PhotoError.exit_code)


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
    from kallos.extras import TRAINING, need

    if onnx:
        need("train", *TRAINING)
    from ensemble.bundle import export as write_bundle
    from ensemble.parts import parts_of_store
    from kallos.console import note
    from kallos.stores import open_for_reading
    from reports.cards import cards

    with open_for_reading(store) as opened:
        parts = parts_of_store(opened, protocol, fold)
        made = cards(opened, parts.run_ids["ensemble"])
    if space:
        need("web", "gradio")
        from kallos.space import export_space

        note(f"wrote the Space {export_space(parts, made, folder, onnx=onnx)}")
    else:
        note(f"wrote the bundle {write_bundle(parts, made, folder, onnx=onnx)}")
