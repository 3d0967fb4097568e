"""`kallos extract`: photos into numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Download, Encoder, EncoderWeights, Json, StorePath
from kallos.workflows.extras import need


class Where(StrEnum):
    """Where photos are looked at."""

    LOCAL = "local"
    RAY = "ray"


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
    from kallos.cli.console import note, out
    from kallos.workflows.encoders import chosen_encoders, run_extract
    from reports.pages.extraction import render, summary
    from reports.render.json import to_json

    if engine is Where.RAY:
        need("ray", "ray")
        from kallos.engines.ray_cluster import look_on_ray as look
    else:
        from kallos.engines.local import look_here as look
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
