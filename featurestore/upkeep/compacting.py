"""Keeping a store small and whole: dropping what no view shows, and rewriting the file without the dropped bytes."""

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from featurestore.errors import StoreError
from featurestore.opening import open_store
from featurestore.sql_text import quote
from featurestore.store import Store
from featurestore.versions import computed_tables


@dataclass(frozen=True)
class CompactionResult:
    """What `compact` did.

    versions    extractor and version of every output that was dropped
    orphans     rows of photos that are no image of the store any more
    unverified  finished runs whose training set cannot be derived again without these versions
    before, after  bytes of the file
    """

    versions: tuple[tuple[str, str], ...]
    orphans: int
    unverified: tuple[str, ...]
    before: int
    after: int


def compact(path: Path) -> CompactionResult:
    """Drop versions that are not shown and values of photos that are gone, then rewrite the file.

    Raises StoreError as `open_store`.
    """
    before = path.stat().st_size if path.is_file() else 0
    with open_store(path, must_exist=True) as store, store.transaction():
        orphans = _drop_orphans(store)
        dropped = _drop_versions(store)
        unverified = _unverified(store, {version for _, version in dropped})
    rewrite(path)
    return CompactionResult(dropped, orphans, unverified, before, path.stat().st_size)


def _drop_versions(store: Store) -> tuple[tuple[str, str], ...]:
    gone = store.frame("SELECT extractor, version, table_name FROM extractor_versions WHERE NOT active ORDER BY ALL")
    for extractor, version, table in gone.iter_rows():
        store.execute(f'DROP TABLE "{table}"')
        for ledger, column in (("extractor_versions", "version"), ("attempts", "version")):
            store.execute(f"DELETE FROM {ledger} WHERE extractor = $e AND {column} = $v", e=extractor, v=version)
        store.execute("DELETE FROM feature_definitions WHERE extractor_version = $v", v=version)
    store.execute(
        "DELETE FROM statistics WHERE NOT current AND statistics_id NOT IN "
        "(SELECT statistics_id FROM manifests SEMI JOIN runs USING (manifest_id) WHERE statistics_id IS NOT NULL)"
    )
    return tuple((extractor, version) for extractor, version, _ in gone.iter_rows())


def _drop_orphans(store: Store) -> int:
    gone = "WHERE sha256 NOT IN (SELECT sha256 FROM images WHERE sha256 IS NOT NULL)"
    deleted = (store.connection.execute(f'DELETE FROM "{table}" {gone}').fetchall() for table in computed_tables(store))
    return sum(int(rows[0][0]) for rows in deleted)


def _unverified(store: Store, dropped: set[str]) -> tuple[str, ...]:
    runs = store.frame(
        "SELECT run_id, versions FROM runs JOIN manifests USING (manifest_id) WHERE status = 'done' ORDER BY run_id"
    )
    return tuple(run_id for run_id, versions in runs.iter_rows() if any(version in versions for version in dropped))


def rewrite(path: Path) -> None:
    """Copy what the store holds into a new file that takes its place.

    DELETE leaves bytes in DuckDB's file until something else is written there, and VACUUM does not remove them: only
    a new file is free of them. Killed at any time, one of the two whole files is the store. Raises StoreError.
    """
    fresh = path.with_name(f".{path.name}.rewritten")
    _remove(fresh)
    try:
        with open_store(path, must_exist=True) as store:
            try:
                _copy(store, fresh)
            except duckdb.Error as error:
                reason = str(error).partition("\n")[0]
                raise StoreError(f"{path} could not be rewritten ({reason}): it is as it was.") from error
            fresh.chmod(path.stat().st_mode)
            # while the old file is still held, so that nobody writes into it in between
            fresh.replace(path)
    finally:
        _remove(fresh)


def _copy(store: Store, fresh: Path) -> None:
    """All that the store holds, in a new file, on the disk when this returns."""
    connection = store.connection
    (name,) = connection.execute("SELECT current_database()").fetchall()[0]
    connection.execute("CHECKPOINT")
    connection.execute(f"ATTACH {quote(str(fresh))} AS fresh")
    connection.execute(f'COPY FROM DATABASE "{name}" TO fresh')
    # detaching would do it too, but not report what went wrong
    connection.execute("CHECKPOINT fresh; DETACH fresh")
    with fresh.open("rb") as file:
        os.fsync(file.fileno())


def _remove(fresh: Path) -> None:
    """The new file and its write-ahead log, which a full disk leaves and the next new file would take for its own."""
    for file in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        file.unlink(missing_ok=True)
