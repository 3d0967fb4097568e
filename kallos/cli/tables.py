"""`kallos tables`: the tables and columns of the store."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def tables(
    table: Annotated[str | None, typer.Argument(help="Only this table, with its columns.")] = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Every table and column of the store, with descriptions."""
    from kallos.cli.console import out, plain
    from kallos.workflows.query import tables as list_tables
    from reports.pages.tables import render

    described = list_tables(store, table)
    plain(described.write_json() + "\n") if json else out.print(render(described))
