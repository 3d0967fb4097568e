"""`kallos sql`: one SELECT on the store."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Csv, Json, Parquet, Sav, StorePath


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
    csv: Csv = None,
    parquet: Parquet = None,
    sav: Sav = None,
) -> None:
    """Run one SELECT, read-only. `kallos tables` lists tables and columns; docs/sql.md has a cookbook."""
    from kallos.cli.console import out, plain
    from kallos.cli.table_files import TableOut
    from kallos.workflows.query import sql as select
    from reports.pages.sql_rows import render
    from reports.render.table_files import bytes_as_hex

    files = TableOut(csv, parquet, sav)
    rows = select(query, store)
    files.write(rows)
    if json:
        plain(bytes_as_hex(rows).write_json() + "\n")
    elif not files:
        out.print(render(rows))
