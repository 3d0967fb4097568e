"""Opening a store: one that is not there is made, an older one is brought up to date."""

from pathlib import Path

import duckdb

from featurestore import snapshots
from featurestore.connection import connect, remove_empty
from featurestore.errors import StoreError
from featurestore.migrations import migrate
from featurestore.schema import SCHEMA_VERSION, TABLES, VIEWS
from featurestore.store import Store


def open_store(path: Path, *, read_only: bool = False, must_exist: bool = False) -> Store:
    """Open a store; one that is not there is created, unless it must exist or is only read.

    A reader beside a writer gets the newest snapshot that the writer has published. A store of an earlier
    schema is brought up to date by whoever opens it for writing, after a backup.
    Raises StoreError when it is missing, locked, not a store, or of another version.
    """
    empty = path.is_file() and not path.stat().st_size
    if (read_only or must_exist) and (empty or not path.is_file()):
        raise StoreError(
            f"There is no store at {path}: choose another --store, or make one, `kallos ingest --help` shows how."
        )
    if empty:
        remove_empty(path)
    if not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} for the store does not exist: make it first.")
    store = Store(path, *connect(path, read_only))
    try:
        # DuckDB's own progress bar would write over kallos's tables; in a notebook without ipywidgets it is off,
        # and DuckDB refuses the setting
        if store.value("SELECT current_setting('enable_progress_bar')"):
            store.execute("SET enable_progress_bar = false")
        # `now()` is local time by itself
        store.execute("SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
        # checkpoints would put small row groups together, all rows again each time: twice the file, and time that
        # grows faster than the rows; `compact` does so once
        store.execute("SET max_vacuum_tasks = 0")
        # new, or killed while it was made: the file comes before its first table
        found = _schema_version(store)
        if found is None and not read_only and not _holds_anything(store):
            _create_tables(store)
        else:
            _bring_up_to_date(store, found, read_only)
        if not read_only:
            snapshots.remove_all(path)
    except BaseException as problem:
        store.__exit__(type(problem), problem)
        raise
    return store


def _holds_anything(store: Store) -> bool:
    return bool(store.value("SELECT count(*) FROM duckdb_tables() WHERE NOT internal"))


def _create_tables(store: Store) -> None:
    with store.transaction():
        for table in TABLES:
            store.create_table(table)
        for view in VIEWS:
            store.create_view(view)
        store.execute(f"INSERT INTO store_info VALUES ({SCHEMA_VERSION}, now()::TIMESTAMP)")
    store.execute("CHECKPOINT")


def _schema_version(store: Store) -> object:
    """What stands where stores have theirs, or None."""
    try:
        return store.value("SELECT schema_version FROM store_info")
    except (duckdb.CatalogException, duckdb.BinderException, LookupError):
        return None


def _bring_up_to_date(store: Store, found: object, read_only: bool) -> None:
    if not isinstance(found, int) or found < 1:
        if not _holds_anything(store):
            raise StoreError(f"The store {store.path} is empty: fill it, `kallos ingest --help` shows how.")
        raise StoreError(f"{store.path} is a DuckDB file of another program: choose another --store.")
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{store.path} has schema version {found}, this kallos knows {SCHEMA_VERSION}: use a newer kallos."
        )
    if found < SCHEMA_VERSION and read_only:
        raise StoreError(
            f"{store.path} has schema version {found}, this kallos reads {SCHEMA_VERSION}: "
            "bring it up to date with `kallos compact` (a backup is kept)."
        )
    if found < SCHEMA_VERSION:
        migrate(store, found)
