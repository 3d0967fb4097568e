"""`kallos score`: scores of photos and videos."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Fold, Json, Parquet, Protocol, Sav, StorePath
from kallos.cli.outputs import output_option

if TYPE_CHECKING:
    import polars as pl

    from kallos.workflows.photos import Source
    from kallos.workflows.score import Scored


def score(
    photos: Annotated[list[Path], typer.Argument(help="Photos, folders of photos, videos, or camera.")],
    overlay: Annotated[Path | None, output_option("Write pictures with landmarks and scores here.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Subset of the training data whose calibration fits, such as AF.")
    ] = None,
    data_set: Annotated[
        str | None,
        typer.Option(
            help="Whose scores to give: of a data set trained on, by default the first, or of one validated on."
        ),
    ] = None,
    every: Annotated[int, typer.Option(help="Of a video score each frame of so many.", min=1)] = 10,
    seconds: Annotated[
        float | None, typer.Option(help="How much of a video to score, by default all; of a camera 10.", min=0)
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
    --sav have. There a photo that cannot be used has its entry too, with the reason as `problem`. A video has a table
    of its faces and a plot over time, and in files a row for each face of each frame.
    """
    from extractors.errors import KallosError
    from kallos.cli.console import note, out, progress
    from kallos.cli.table_files import TableOut
    from kallos.workflows.photos import sources_in
    from kallos.workflows.score import ScoreOptions, score_photos
    from kallos.workflows.trained_models import open_parts
    from reports.pages.prediction_table import row, table
    from reports.stats.simpler_models import doubts

    files, rows, codes = TableOut(csv, parquet, sav), list[dict[str, Any]](), list[int]()
    sources, options = sources_in(photos), ScoreOptions(group, overlay, every=every, seconds=seconds)
    options.check(sources)
    parts = open_parts(store, bundle, protocol, fold, data_set)
    is_shown = json or not files
    # lines on a terminal show the progress, and would break up a bar
    has_bar = not (is_shown and out.is_terminal) or all(source.moves for source in sources)

    def scored() -> Iterator[Scored]:
        with progress(visible=has_bar) as advance:
            for each in score_photos(parts, sources, options, advance):
                if files or each.sight:
                    rows.append(row(each.source.name, each.answer, group, each.sight))
                if isinstance(each.answer, KallosError) and not each.sight:
                    note(f"kallos: {each.answer}")
                    codes.append(each.answer.exit_code)
                yield each

    if is_shown:
        _show(scored(), sources, json)
    else:
        deque(scored(), maxlen=0)
        for doubt in doubts(parts.origin):
            note(f"! {doubt}")
    whole, labels = table(rows)
    codes += _show_videos(whole, visible=is_shown and not json)
    files.write(whole, labels)
    if codes:
        raise typer.Exit(min(codes))


def _show(scored: Iterator[Scored], sources: list[Source], json: bool) -> None:
    from dataclasses import asdict

    from featurestore.records import Prediction
    from kallos.cli.console import out, plain
    from kallos.workflows.score import MIN_PARALLEL
    from reports.pages.prediction import as_dict, lines, render
    from reports.render.json import stream_json

    if json:
        found = (as_dict(e.source.name, e.answer) | (asdict(e.sight) if e.sight else {}) for e in scored)
        for piece in stream_json("predictions", found):
            plain(piece)
        return
    photos = [source.name for source in sources if not source.moves]
    predictions = (each.answer for each in scored if isinstance(each.answer, Prediction) and not each.sight)
    for part in map(render, predictions) if len(photos) < MIN_PARALLEL else lines(predictions, photos):
        out.print(part, soft_wrap=len(photos) >= MIN_PARALLEL)


def _show_videos(rows: pl.DataFrame, *, visible: bool) -> Iterator[int]:
    """Exit codes of those without a face."""
    from extractors.errors import NoFaceError
    from kallos.cli.console import note, out
    from reports.pages.prediction_over_time import render
    from reports.render.layout import plural

    video_rows = rows.drop_nulls("frame") if "frame" in rows.columns else rows.clear()
    for (video,), frames in video_rows.group_by("photo", maintain_order=True):
        if frames["score"].null_count() == len(frames):
            note(f"kallos: {video}: no face was found in {plural(len(frames), 'frame')}.")
            yield NoFaceError.exit_code
        elif visible:
            out.print(render(frames))
