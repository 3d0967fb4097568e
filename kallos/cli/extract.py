"""`kallos extract`: features, shapes and embeddings of photos."""

from enum import StrEnum
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Download, Encoder, EncoderWeights, Json, StorePath


class EngineName(StrEnum):
    """Where extractors run."""

    LOCAL = "local"
    RAY = "ray"


def extract(
    encoder: Encoder = None,
    weights: EncoderWeights = None,
    download: Download = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try photos that failed once more.")] = False,
    engine: Annotated[
        EngineName, typer.Option(help="Where extractors run: on this machine, or on a Ray cluster (see docs/scale.md).")
    ] = EngineName.LOCAL,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Landmarks, features, shapes, fingerprints and embeddings for photos missing current-version outputs."""
    from kallos.cli.console import note, progress, show
    from kallos.workflows.extract import extract as extract_photos
    from reports.pages.extraction import render

    with progress() as advance:
        extraction = extract_photos(
            store,
            encoder=encoder,
            weights=weights,
            download=download,
            retry_failed=retry_failed,
            engine=engine.value,
            on_progress=advance,
        )
    counts, seconds, report = extraction.counts, extraction.seconds, extraction.report
    if counts.processed:
        note(f"{counts.processed:,} photos in {seconds:.0f} s")
    elif counts.measured:
        note(f"{counts.measured:,} photos measured again from their landmarks in {seconds:.1f} s")
    else:
        note("Nothing to do: every photo has been tried by the current extractors.")
    show("extraction", report, render, json)
