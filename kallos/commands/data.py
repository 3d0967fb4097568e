"""`kallos ingest` and `kallos extract`: labels and photos into the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.commands.options import DEFAULT_STORE, Download, Encoder, EncoderWeights, Json, StorePath
from kallos.extras import need

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet


class Where(StrEnum):
    """Where photos are looked at."""

    LOCAL = "local"
    RAY = "ray"


ingest = typer.Typer(help="Put a data set's labels, ratings and splits into the store.", no_args_is_help=True)


@ingest.command("scut")
def ingest_scut(
    folder: Annotated[Path, typer.Argument(help="The SCUT-FBP5500_v2 folder.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """SCUT-FBP5500 in its release's own layout; single ratings are read when they lie beside it."""
    from featurestore.ingest.scut import read_scut

    _ingest(store, read_scut(folder), json)


@ingest.command("mebeauty")
def ingest_mebeauty(
    folder: Annotated[Path, typer.Argument(help="The MEBeauty folder.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """MEBeauty: scores 1-10, official train, val and test lists."""
    from featurestore.ingest.mebeauty import read_mebeauty

    _ingest(store, read_mebeauty(folder), json)


@ingest.command("csv")
def ingest_csv(
    file: Annotated[Path, typer.Argument(help="A csv with a column for the image and one for the score.")],
    images: Annotated[Path, typer.Option("--images", help="Folder with the photos.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set; by default the csv's.")] = None,
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest rating.")] = (1.0, 5.0),
    image_column: Annotated[str | None, typer.Option(help="Column with the file name.")] = None,
    score_column: Annotated[str | None, typer.Option(help="Column with the score or rating.")] = None,
    rater_column: Annotated[str | None, typer.Option(help="Column with the rater: one row a rating.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Any csv of scores, or of single ratings when it has a rater column."""
    from featurestore.ingest.table import read_table

    columns = {"image_column": image_column, "score_column": score_column, "rater_column": rater_column}
    _ingest(store, read_table(file, images, name=name, scale=scale, **columns), json)


@ingest.command("demo")
def ingest_demo(
    folder: Annotated[Path, typer.Argument(help="Where the portraits are drawn.")] = Path("portraits"),
    count: Annotated[int, typer.Option(help="How many portraits.", min=20)] = 500,
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 0,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Portraits that kallos draws itself, rated by 60 simulated raters whose preference is known."""
    from featurestore.ingest.demo import read_demo
    from kallos.console import progress
    from kallos.portraits.dataset import write_demo

    with progress("drawing", "portraits") as advance:
        write_demo(folder, count, seed, advance)
    _ingest(store, read_demo(folder), json)


def _ingest(path: Path, data_set: DataSet, json: bool) -> None:
    from featurestore.ingest.dataset import write
    from featurestore.store import Store
    from kallos.console import out
    from reports.ingest import render
    from reports.json import to_json

    with Store.open(path) as store:
        summary = write(store, data_set)
    out.print_json(to_json("ingest", summary)) if json else out.print(render(summary))


def extract(
    encoder: Encoder = None,
    weights: EncoderWeights = None,
    download: Download = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try photos that failed once more.")] = False,
    engine: Annotated[
        Where, typer.Option(help="Where photos are looked at: here, or on a Ray cluster (see docs/scale.md).")
    ] = Where.LOCAL,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Landmarks, features, shapes, fingerprints and embeddings of every photo that has none of today's version."""
    from featurestore.store import Store
    from kallos.console import note, out
    from kallos.extraction import chosen_encoders, run_extract
    from reports.extraction import render, summary
    from reports.json import to_json

    if engine is Where.RAY:
        need("ray", "ray")
        from extractors.cluster import look_on_ray as look
    else:
        from extractors.pipeline import look_here as look
    with Store.open(store, must_exist=True) as opened:
        encoders = chosen_encoders(opened, encoder, weights, download)
        done, seconds = run_extract(opened, encoders, retry_failed=retry_failed, engine=look)
        report = summary(opened)
    if done.looked:
        note(f"{done.looked:,} photos in {seconds:.0f} s, {done.looked / seconds:.0f} a second")
    elif done.measured:
        note(f"{done.measured:,} photos measured again from their landmarks in {seconds:.1f} s")
    else:
        note("Nothing to do: every photo has been tried by the current extractors.")
    out.print_json(to_json("extraction", report)) if json else out.print(render(report))
