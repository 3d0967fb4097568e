"""The health of a store: what must hold in every store, and what a command that was killed may have left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from featurestore import snapshots
from featurestore.errors import StoreError
from featurestore.migrations import backups
from featurestore.opening import open_store
from featurestore.schema import SCHEMA_VERSION, TABLES, VIEWS
from featurestore.store import Store

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Symptom:
    """One thing that was examined; `message` names the remedy where it is not well."""

    what: str
    state: State
    message: str


def examine(path: Path) -> tuple[Symptom, ...]:
    """Every symptom of the store at `path`; one that cannot be opened has a single one. Nothing is written."""
    try:
        store = open_store(path, read_only=True)
    except StoreError as error:
        return (Symptom("store", "fail" if path.exists() else "warn", str(error)),)
    with store:
        return tuple(_symptoms(store))


def _symptoms(store: Store) -> Iterator[Symptom]:
    size = store.path.stat().st_size
    yield Symptom("store", "ok", f"{store.path}, schema version {SCHEMA_VERSION}, {size / 2**20:,.1f} MiB")
    if store.snapshot_of is not None:
        yield Symptom("writer", "ok", f"{store.writer} is writing; this is its snapshot")
    yield _tables(store)
    yield _views(store)
    yield _rows_and_ledger(store)
    yield _stopped(store, "erasures", "NOT finished", "run `kallos erase IMAGE_ID` again for the same images")
    yield _stopped(store, "runs", "status = 'running'", "run the same training command again to go on")
    yield _copies(store.path)


def _tables(store: Store) -> Symptom:
    expected = {(table.name, column.name, column.type) for table in TABLES for column in table.columns}
    found = set(
        store.frame("SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal").rows()
    )
    if missing := expected - found:
        table, column, _ = min(missing)
        message = f"{table}.{column} is missing or of another type: restore the store from a copy"
        return Symptom("tables", "fail", message)
    return Symptom("tables", "ok", f"all {len(TABLES)} are as they should be")


def _views(store: Store) -> Symptom:
    """Every view can be read."""
    names = store.frame("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL")["view_name"].to_list()
    for name in names:
        try:
            store.frame(f'SELECT * FROM "{name}" LIMIT 1')
        except duckdb.Error as error:
            return Symptom("views", "fail", f"{name} cannot be read ({str(error).splitlines()[0]}): extract again")
    if missing := {view.name for view in VIEWS} - set(names):
        return Symptom("views", "fail", f"{min(missing)} is missing: restore the store from a copy")
    return Symptom("views", "ok", f"all {len(names)} can be read")


def _rows_and_ledger(store: Store) -> Symptom:
    """Each version of an extractor has one row for each photo that its ledger calls ok, and no other."""
    rows = 0
    versions = store.frame("SELECT extractor, version, table_name FROM extractor_versions ORDER BY ALL")
    for extractor, version, table in versions.iter_rows():
        ledger = "SELECT sha256 FROM attempts WHERE status = 'ok' AND extractor = $extractor AND version = $version"
        count, photos, strays = store.frame(
            f"""
            SELECT count(*), count(DISTINCT sha256), (
                SELECT count(*) FROM (SELECT sha256 FROM "{table}") a FULL JOIN ({ledger}) b USING (sha256)
                WHERE a.sha256 IS NULL OR b.sha256 IS NULL)
            FROM "{table}" """,
            extractor=extractor,
            version=version,
        ).row(0)
        rows += count
        if count != photos or strays:
            message = (
                f"rows of {extractor} and its ledger disagree: restore the store from a copy, or extract into a new one"
            )
            return Symptom("rows and ledger", "fail", message)
    return Symptom("rows and ledger", "ok", f"{rows:,} rows, each with its line in the ledger")


def _stopped(store: Store, table: str, condition: str, remedy: str) -> Symptom:
    count = store.value(f"SELECT count(*) FROM {table} WHERE {condition}")
    return (
        Symptom(table, "warn", f"{count} stopped midway: {remedy}")
        if count
        else Symptom(table, "ok", "none unfinished")
    )


def _copies(path: Path) -> Symptom:
    """Copies hold everything that the store held when they were made."""
    copies = [*backups(path), *snapshots.files(path)]
    size = sum(file.stat().st_size for file in copies)
    message = f"{len(copies)} snapshots and backups, {size / 2**20:,.1f} MiB" if copies else "no snapshot, no backup"
    return Symptom("copies", "ok", message)
