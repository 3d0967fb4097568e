"""`kallos store export` and `kallos store import`: a store as a folder of Parquet files, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath

store = typer.Typer(
    name="store", help="Take a store elsewhere: as Parquet files with schema and checksums.", no_args_is_help=True
)


@store.command("export")
def export_folder(
    folder: Annotated[Path, typer.Argument(help="Folder for the export: new, empty, or an earlier export.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Write every table as Parquet, schema, comments, trained models, and checksums that `sha256sum -c` checks.

    It holds what the store holds, people's values among them, and `kallos erase` does not reach it.
    """
    from kallos.cli.console import note, out
    from kallos.workflows.upkeep import export_store
    from reports.render.json import to_json

    done = export_store(store, folder)
    if json:
        out.print_json(to_json("store_export", done))
    else:
        note(
            f"wrote {done.folder}: {done.tables} tables, {done.rows:,} rows, {done.models} folders of models, "
            f"{done.size / 2**20:,.1f} MiB"
        )


@store.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="A folder that `kallos store export DIR` made.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Make a new store, equal to the one that was exported. Nothing in the folder is run."""
    from kallos.cli.console import note, out
    from kallos.workflows.upkeep import import_store
    from reports.render.json import to_json

    done = import_store(folder, store)
    if json:
        out.print_json(to_json("store_import", done))
    else:
        note(f"made {done.store}: {done.tables} tables, {done.rows:,} rows")
        if done.views:
            note(f"this kallos makes other views than the one that exported: {', '.join(done.views)}")
