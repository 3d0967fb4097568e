"""One DuckDB file, one writer. Frames come and go as Polars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from featurestore.errors import StoreError
from featurestore.schema import SCHEMA_VERSION, TABLES

_LOCKED = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)")


class Store:
    """A feature store. Use it as a context manager; only one process can have it open for writing."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, must_exist: bool = False) -> Self:
        """Open a store; one that is not there is made, unless it must exist or is only read.

        Raises StoreError when it is missing, locked, not a store, or of another version.
        """
        if (read_only or must_exist) and not path.is_file():
            raise StoreError(f"There is no store at {path}: make one with `kallos ingest`.")
        fresh = not path.exists()
        if fresh and not path.parent.is_dir():
            raise StoreError(f"The folder {path.parent} for the store does not exist: make it first.")
        try:
            connection = duckdb.connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            raise _open_error(path, error) from error
        store = cls(path, connection)
        try:
            # DuckDB's own progress bar would write over kallos's tables.
            connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = true")
            store._make_tables() if fresh else store._check_version()
        except BaseException:
            connection.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def _make_tables(self) -> None:
        with self.transaction():
            for table in TABLES:
                for statement in table.statements():
                    self.connection.execute(statement)
            self.connection.execute(f"INSERT INTO store_info VALUES ({SCHEMA_VERSION}, now()::TIMESTAMP)")
        self.connection.execute("CHECKPOINT")

    def _check_version(self) -> None:
        try:
            found = self.value("SELECT schema_version FROM store_info")
        except (duckdb.CatalogException, LookupError) as error:
            raise StoreError(f"{self.path} is a DuckDB file of another program: choose another --store.") from error
        if found != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {found}, this kallos reads {SCHEMA_VERSION}: "
                "use the kallos that made it or ingest into a new store."
            )

    @property
    def runs_folder(self) -> Path:
        """Where trained models lie: beside the store, under its name."""
        return self.path.with_suffix(".runs")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: an exception or a kill in between leaves the store as it was."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def frame(self, query: str, **parameters: object) -> pl.DataFrame:
        """The rows of a query; `$name` in it stands for a keyword argument."""
        rows: pl.DataFrame = self.connection.sql(query, params=parameters or None).pl()
        return rows

    def value(self, query: str, **parameters: object) -> Any:
        """The first column of the first row."""
        # fetchall and not fetchone: a result that is not read to its end blocks the connection
        rows = self.connection.execute(query, parameters or None).fetchall()
        if not rows:
            raise LookupError(f"no row: {query}")
        return rows[0][0]

    def execute(self, statement: str, **parameters: object) -> None:
        """Run one statement for its effect."""
        self.connection.execute(statement, parameters or None)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Add rows; columns are matched by name."""
        with self._registered(rows):
            self.connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming')

    def sync(self, table: str, rows: pl.DataFrame, scope: str = "true", **parameters: object) -> int:
        """Make the rows of `table` within `scope` equal to `rows`; returns how many were added or removed.

        Rows that are already there are not written again, so syncing twice changes nothing.
        """
        same = " AND ".join(f't."{c}" IS NOT DISTINCT FROM i."{c}"' for c in rows.columns)
        with self._registered(rows):
            gone = self.connection.execute(
                f'DELETE FROM "{table}" t WHERE ({scope}) AND NOT EXISTS (SELECT 1 FROM incoming i WHERE {same})',
                parameters or None,
            ).fetchall()
            new = self.connection.execute(
                f'INSERT INTO "{table}" BY NAME SELECT i.* FROM incoming i '
                f'WHERE NOT EXISTS (SELECT 1 FROM "{table}" t WHERE {same})'
            ).fetchall()
        return int(gone[0][0]) + int(new[0][0])

    @contextmanager
    def _registered(self, rows: pl.DataFrame) -> Iterator[None]:
        self.connection.register("incoming", rows)
        yield
        # Not in a `finally`: an aborted transaction refuses it, which would hide the error that aborted it.
        self.connection.unregister("incoming")

    def has(self, name: str) -> bool:
        """Whether a table or view of that name exists."""
        query = "SELECT count(*) FROM information_schema.tables WHERE table_name = $name"
        return bool(self.value(query, name=name))

    def describe(self) -> pl.DataFrame:
        """Every table and view that people query, with each column's type and comment."""
        return self.frame("""
            SELECT table_name AS "table", coalesce(t.comment, v.comment) AS table_comment, column_name AS "column",
                   data_type AS type, c.comment
            FROM duckdb_columns() c
            LEFT JOIN duckdb_tables() t USING (schema_name, table_name)
            LEFT JOIN duckdb_views() v ON v.view_name = c.table_name AND NOT v.internal
            WHERE NOT c.internal AND NOT contains(table_name, '__')
            ORDER BY table_name, column_index""")


def _open_error(path: Path, error: duckdb.Error) -> StoreError:
    if locked := _LOCKED.search(str(error)):
        program = Path(locked["program"]).name
        return StoreError(
            f"The store {path} is in use by process {locked['pid']} ({program}): wait until it ends, or stop it."
        )
    return StoreError(f"{path} cannot be opened as a store: {str(error).splitlines()[0]}")
