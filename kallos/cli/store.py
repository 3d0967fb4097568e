"""`kallos store export` and `kallos store import`: a store as a folder of Parquet files, and back again."""

from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath
from kallos.cli.outputs import output, wrote

store = typer.Typer(
    name="store", help="Export and import a store as Parquet files with schema and checksums.", no_args_is_help=True
)


@store.command("export")
def export_folder(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the export: new, empty, or an earlier export.", callback=output)
    ],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Write every table as Parquet, schema, comments, trained models, and checksums that `sha256sum -c` checks.

    It contains all of the store, including personal data, and `kallos erase` does not reach it.
    """
    from kallos.cli.console import out
    from kallos.workflows.upkeep import export_store
    from reports.render.json import to_json

    exported = export_store(store, folder)
    if json:
        out.print_json(to_json("store_export", exported))
    else:
        wrote(
            exported.folder,
            f": {exported.tables} tables, {exported.rows:,} rows, "
            f"{exported.models} folders of models, {exported.size / 2**20:,.1f} MiB",
        )


@store.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="A folder that `kallos store export DIR` made.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Create a store equal to the exported one. No code in the folder is executed."""
    from kallos.cli.console import note, out
    from kallos.workflows.upkeep import import_store
    from reports.render.json import to_json

    imported = import_store(folder, store)
    if json:
        out.print_json(to_json("store_import", imported))
    else:
        note(f"made {imported.store}: {imported.tables} tables, {imported.rows:,} rows")
        if imported.views:
            note(f"this kallos defines other views than the exporting one: {', '.join(imported.views)}")
