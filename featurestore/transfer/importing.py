"""`kallos store import`: a store from an export. Nothing that the folder holds is run.

Checksums first, then every name and type against what kallos knows, then rows into tables that kallos creates; views
are kallos's own. The store is made beside its place and moved there at the end.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from featurestore.errors import ExportError, StoreError
from featurestore.opening import open_store
from featurestore.schema import VIEWS
from featurestore.staging import staging
from featurestore.store import Store
from featurestore.table_description import Table
from featurestore.transfer.description import Description, ViewDescription, describe, parse
from featurestore.transfer.folder import MODELS, SCHEMA, parquet, verify
from featurestore.transfer.trust import check_rows
from featurestore.views import create_views


@dataclass(frozen=True)
class ImportResult:
    """What was read.

    views  those that this kallos makes otherwise than the one that exported them, by query, columns or comments
    """

    store: Path
    tables: int
    rows: int
    views: tuple[str, ...]


def import_store(folder: Path, path: Path) -> ImportResult:
    """Make the store `path`, which must not exist, from an export.

    Raises StoreError when something lies at `path`, InputError when the folder is not an export, and ExportError, with
    nothing made, when a file is missing, added or altered, or holds what kallos never writes.
    """
    path = path.resolve()
    models = path.with_suffix(".runs")
    if taken := [place for place in (path, models) if place.exists()]:
        raise StoreError(f"{taken[0]} exists already: choose another --store for the import.")
    if not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} for the store does not exist: make it first.")
    files = verify(folder)
    description = _described(folder, files)
    with staging(path) as partial:
        with open_store(partial / path.name) as store:
            _load(store, description, folder)
            loaded = describe(store)
        if (folder / MODELS).is_dir():
            shutil.copytree(folder / MODELS, partial / models.name)
            (partial / models.name).rename(models)
        (partial / path.name).rename(path)
    views = tuple(sorted(_differing(description.views, loaded.views)))
    return ImportResult(path, len(loaded.tables), sum(loaded.rows.values()), views)


def _described(folder: Path, files: list[str]) -> Description:
    """The folder's description, checked, as is that it holds the files for it and no others."""
    description = parse((folder / SCHEMA).read_text(encoding="utf-8"))
    description.check()
    expected = {SCHEMA, *(parquet(table.name) for table in description.tables)}
    found = {name for name in files if not name.startswith(f"{MODELS}/")}
    if differing := expected ^ found:
        raise ExportError(f"{folder} and its {SCHEMA} differ in {min(differing)!r}: get the export again.")
    return description


def _differing(exported: tuple[ViewDescription, ...], loaded: tuple[ViewDescription, ...]) -> set[str]:
    before, now = ({view.name: view for view in views} for views in (exported, loaded))
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def _load(store: Store, description: Description, folder: Path) -> None:
    versions = description.version_tables
    try:
        with store.transaction():
            store.execute("DELETE FROM store_info")
            for table in description.tables:
                if table in versions:
                    store.create_table(table)
                for comment in table.comments():
                    store.execute(comment)
                _load_rows(store, table, description.rows.get(table.name), folder)
            check_rows(store)
            description.check_versions(set(store.frame("SELECT table_name FROM extractor_versions")["table_name"]))
            for view in VIEWS:
                store.create_view(view)
            create_views(store)
        store.execute("CHECKPOINT")
    except (duckdb.Error, RecursionError) as error:
        raise ExportError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from error


def _load_rows(store: Store, table: Table, rows: int | None, folder: Path) -> None:
    """The rows of one Parquet file, which must have the columns of the table: nothing is cast but list to array."""
    file = str(folder / parquet(table.name))
    # a folder may be called a=1, which DuckDB would take for a column
    read = "FROM read_parquet($file, hive_partitioning = false)"
    columns = store.connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {read})", {"file": file})
    expected = [(column.name, re.sub(r"\[\d+\]", "[]", column.type)) for column in table.columns]
    if columns.fetchall() != expected:
        raise ExportError(f"{parquet(table.name)} has other columns than {SCHEMA} lists: get the export again.")
    loaded = store.connection.execute(f'INSERT INTO "{table.name}" {read}', {"file": file}).fetchall()[0][0]
    if loaded != rows:
        raise ExportError(f"{parquet(table.name)} has {loaded:,} rows, {SCHEMA} lists {rows}: get the export again.")
