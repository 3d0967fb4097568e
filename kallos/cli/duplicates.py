"""`kallos duplicates`: near-duplicate photos, what they leak, and a protocol without them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def duplicates(
    data_set: Annotated[str | None, typer.Option(help="Make the protocol of this data set only.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Whose embeddings are compared.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw the nearest pairs side by side, .png or .svg.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Find photos that look like one, and write the protocol identity-disjoint, which keeps them together."""
    from featurestore import statistics
    from featurestore.duplicates import find_near_duplicates, make_protocol
    from featurestore.store import Store
    from kallos.cli.console import note, out
    from reports.pages import duplicates as report_module
    from reports.render.json import to_json
    from reports.stats.selection import Selection, chosen_data_sets

    with Store.open(store, must_exist=True) as opened:
        chosen_data_sets(opened, Selection(data_set=data_set))
        find_near_duplicates(opened, encoder)
        make_protocol(opened, data_set)
        statistics.fit(opened)
        report = report_module.data(opened)
    out.print_json(to_json("duplicates", report)) if json else out.print(report_module.render(report))
    if sheet and report.photos:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        report_module.sheet(report).savefig(sheet)
        note(f"wrote {sheet}")
