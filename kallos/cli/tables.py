"""`kallos tables`: what can be queried."""

from __future__ import annotations

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def tables(
    table: Annotated[str | None, typer.Argument(help="Only this table, with its columns.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Every table and column of the store, and what one row is."""
    from kallos.cli.console import out, plain
    from kallos.workflows.stores import open_for_reading
    from reports.pages import tables as listing

    with open_for_reading(store) as opened:
        described = listing.data(opened, table)
    plain(described.write_json() + "\n") if json else out.print(listing.render(described))
