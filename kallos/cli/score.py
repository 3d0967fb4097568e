"""`kallos score`: scores of photos."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Fold, Json, Parquet, Protocol, Sav, StorePath
from kallos.cli.outputs import output

if TYPE_CHECKING:
    from featurestore.records import Prediction


def score(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    overlay: Annotated[
        Path | None, typer.Option(help="Write pictures with landmarks and scores here.", callback=output)
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Subset of the training data whose calibration fits, such as AF.")
    ] = None,
    data_set: Annotated[
        str | None,
        typer.Option(
            help="Whose scores to give: of a data set trained on, by default the first, or of one validated on."
        ),
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Score by this bundle; no store is needed.")] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
    csv: Csv = None,
    parquet: Parquet = None,
    sav: Sav = None,
) -> None:
    """Score, sub-scores and weights of photos. Photos that cannot be used are named, and the others go on.

    Of 32 photos and more each has one line, without sub-scores, which --json and the tables of --csv, --parquet and
    --sav have. In a table a photo that cannot be used has a row with the reason.
    """
    from extractors.errors import PhotoError
    from kallos.cli.console import note, out, progress
    from kallos.cli.table_files import TableOut
    from kallos.workflows.score import photos_in, score_photos
    from kallos.workflows.trained_models import open_parts
    from reports.pages.prediction_table import row, table
    from reports.stats.simpler_models import doubts

    files, rows = TableOut(csv, parquet, sav), []
    chosen, refused = photos_in(photos)
    failed = refused > 0
    parts = open_parts(store, bundle, protocol, fold, data_set)
    is_shown = json or not files

    def predictions() -> Iterator[Prediction]:
        nonlocal failed
        # lines on a terminal show the progress, and would break up a bar
        with progress(visible=not (is_shown and out.is_terminal)) as advance:
            answers = score_photos(parts, chosen, overlay, group, advance)
            for photo, answer in zip(chosen, answers, strict=True):
                if files:
                    rows.append(row(photo, answer, group))
                if isinstance(answer, PhotoError):
                    note(f"kallos: {answer}")
                    failed = True
                else:
                    yield answer

    if is_shown:
        _show(predictions(), chosen, json)
    else:
        deque(predictions(), maxlen=0)
        for doubt in doubts(parts.origin):
            note(f"! {doubt}")
    files.write(*table(rows))
    if failed:
        raise typer.Exit(PhotoError.exit_code)


def _show(predictions: Iterator[Prediction], chosen: list[Path], json: bool) -> None:
    from kallos.cli.console import out, plain
    from kallos.workflows.score import MIN_PARALLEL
    from reports.pages.prediction import as_dict, lines, render
    from reports.render.json import stream_json

    if json:
        for piece in stream_json("predictions", map(as_dict, predictions)):
            plain(piece)
        return
    for part in map(render, predictions) if len(chosen) < MIN_PARALLEL else lines(predictions, chosen):
        out.print(part, soft_wrap=len(chosen) >= MIN_PARALLEL)
