"""`kallos doctor`, `kallos compact` and `kallos erase`: looking after a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every value, every photo and every trained model.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """What is installed, what the machine has, which weights are at hand, and whether the store is well."""
    from featurestore.errors import CheckError
    from kallos.cli.console import out
    from kallos.workflows.doctor import examine_all
    from reports.pages.doctor import render
    from reports.render.json import to_json

    report = examine_all(store, deep=deep)
    out.print_json(to_json("doctor", report)) if json else out.print(render(report))
    if report.failed:
        raise CheckError(f"Not well: {', '.join(report.failed)}; the report says what to do.")


def compact(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """Drop earlier versions and values of photos that are gone, and rewrite the file without them."""
    from featurestore.upkeep.compacting import compact as compact_store
    from kallos.cli.console import out
    from reports.pages.upkeep import render_compacted
    from reports.render.json import to_json

    done = compact_store(store)
    out.print_json(to_json("compacted", done)) if json else out.print(render_compacted(done))


def erase(
    image_ids: Annotated[list[str], typer.Argument(help="Images, as the table images names them.", metavar="IMAGE_ID")],
    receipt: Annotated[Path | None, typer.Option(help="Where the receipt goes.  [default: beside the store]")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Erase photos from every table, version, snapshot and backup, and from the bytes of the file.

    Exports elsewhere are not reached.
    """
    from datetime import UTC, datetime

    from featurestore.errors import CheckError
    from featurestore.upkeep.erasure import Receipt
    from featurestore.upkeep.erasure import erase as erase_photos
    from kallos.cli.console import note, out
    from reports.pages.upkeep import render_erased
    from reports.render.json import to_json

    written = receipt or store.with_name(f"{store.stem}.erased-{datetime.now(UTC):%Y%m%dT%H%M%S}.json")

    def keep(made: Receipt) -> None:
        written.write_text(to_json("erasure", made) + "\n", encoding="utf-8")

    erased = erase_photos(store, image_ids, keep)
    out.print_json(to_json("erasure", erased.receipt)) if json else out.print(render_erased(erased))
    note(f"wrote the receipt {written}, which names nobody")
    if erased.receipt.found:
        raise CheckError(f"Something is left in {', '.join(erased.receipt.found)}: run the same command again.")
