"""One DuckDB file, one writer. Frames come and go as Polars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from weakref import WeakSet

import duckdb
import polars as pl

from featurestore import snapshots
from featurestore.connection import connect, remove_empty
from featurestore.errors import DiskError, StoreError
from featurestore.schema import SCHEMA_VERSION, TABLES, VIEWS
from featurestore.sql_text import quote, with_values
from featurestore.table_description import Table, View

BOUNDED_MEMORY = 128_000_000
"""Bytes that DuckDB may hold of rows that only pass through: with more its cache grows with the store, and so does what
each checkpoint loads to rewrite it. Nothing is slower for it."""

_OPEN: WeakSet[Store] = WeakSet()

_BROKEN = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)


class Store:
    """A feature store. Use it as a context manager; only one process can have it open for writing.

    snapshot_of  when the copy that is read was taken, while another process writes; None otherwise
    writer       that process, such as "process 4711 (kallos extract)"
    """

    def __init__(
        self,
        path: Path,
        connection: duckdb.DuckDBPyConnection,
        snapshot_of: datetime | None = None,
        writer: str | None = None,
    ) -> None:
        self.path, self.connection = path, connection
        self.snapshot_of, self.writer = snapshot_of, writer
        self._publisher: snapshots.Publisher | None = None
        self._queries: list[str] | None = None
        _OPEN.add(self)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, must_exist: bool = False) -> Self:
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
        store = cls(path, *connect(path, read_only))
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
            found = store._schema_version()
            if found is None and not read_only and not store._holds_anything():
                store._create_tables()
            else:
                store._bring_up_to_date(found, read_only)
            if not read_only:
                snapshots.remove_all(path)
        except BaseException as problem:
            store.__exit__(type(problem), problem)
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, *_: object) -> None:
        """Raises StoreError for a damaged file and DiskError for a full disk, in place of DuckDB's errors."""
        self.close()
        if not isinstance(problem, duckdb.Error):
            return
        reason = str(problem).partition("\n")[0]
        if "No space left" in reason:
            raise DiskError(f"The disk is full, {self.path} could not grow: make room, then go on.") from problem
        if isinstance(problem, _BROKEN) or "Corrupt" in reason:
            raise StoreError(
                f"{self.path} is damaged or cannot be reached ({reason}): put a copy in its place, "
                "or make it again, `kallos ingest --help` shows how."
            ) from problem

    def close(self) -> None:
        """Close the connection; a writer's snapshots go with it."""
        _OPEN.discard(self)
        self.connection.close()
        if self._publisher:
            snapshots.remove_all(self.path)

    def _holds_anything(self) -> bool:
        return bool(self.value("SELECT count(*) FROM duckdb_tables() WHERE NOT internal"))

    def _create_tables(self) -> None:
        with self.transaction():
            for table in TABLES:
                self.create_table(table)
            for view in VIEWS:
                self.create_view(view)
            self.execute(f"INSERT INTO store_info VALUES ({SCHEMA_VERSION}, now()::TIMESTAMP)")
        self.execute("CHECKPOINT")

    def _schema_version(self) -> object:
        """What stands where stores have theirs, or None."""
        try:
            return self.value("SELECT schema_version FROM store_info")
        except (duckdb.CatalogException, duckdb.BinderException, LookupError):
            return None

    def _bring_up_to_date(self, found: object, read_only: bool) -> None:
        if not isinstance(found, int) or found < 1:
            if not self._holds_anything():
                raise StoreError(f"The store {self.path} is empty: fill it, `kallos ingest --help` shows how.")
            raise StoreError(f"{self.path} is a DuckDB file of another program: choose another --store.")
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {found}, this kallos knows {SCHEMA_VERSION}: use a newer kallos."
            )
        if found < SCHEMA_VERSION and read_only:
            raise StoreError(
                f"{self.path} has schema version {found}, this kallos reads {SCHEMA_VERSION}: "
                "bring it up to date with `kallos compact` (a backup is kept)."
            )
        if found < SCHEMA_VERSION:
            from featurestore.upkeep.migrations import migrate

            migrate(self, found)

    @property
    def runs_folder(self) -> Path:
        """Where trained models lie: beside the store, under its name."""
        return self.path.with_suffix(".runs")

    def publish(self) -> None:
        """From now on, publish snapshots for readers as the store is written."""
        self._publisher = snapshots.Publisher(self.path, self.connection)
        self._publisher.publish_if_due()

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
        if self._publisher:
            self._publisher.publish_if_due()

    @contextmanager
    def bounded_memory(self, sorted_bytes: int = 0) -> Iterator[None]:
        """Within it, memory does not grow with the store: for work on one batch of rows after the other.

        A query that sorts, joins or appends that many bytes at once is given as many more.
        """
        self.execute(f"SET memory_limit = '{BOUNDED_MEMORY + sorted_bytes}B'")
        try:
            yield
        finally:
            self.execute("RESET memory_limit")

    @contextmanager
    def record_queries(self) -> Iterator[list[str]]:
        """The queries that are run within it, as anyone can run them: with values in place of parameters."""
        queries: list[str] = []
        self._queries = queries
        yield queries
        self._queries = None

    def _record(self, query: str, parameters: Mapping[str, object]) -> None:
        if self._queries is not None and (filled := with_values(query, parameters)) not in self._queries:
            self._queries.append(filled)

    def frame(self, query: str, **parameters: object) -> pl.DataFrame:
        """The rows of a query; `$name` in it stands for a keyword argument."""
        self._record(query, parameters)
        return self.connection.sql(query, params=parameters or None).pl()

    def parts(self, query: str) -> Iterator[pl.DataFrame]:
        """The rows of a query, some thousand at a time; the connection is not to be used meanwhile."""
        for batch in self.connection.sql(query).to_arrow_reader(2048):
            yield pl.DataFrame(pl.from_arrow(batch))

    def value(self, query: str, **parameters: object) -> Any:
        """The first column of the first row."""
        self._record(query, parameters)
        # fetchall and not fetchone: a result that is not read to its end blocks the connection
        if not (rows := self.connection.execute(query, parameters or None).fetchall()):
            raise LookupError(f"no row: {query}")
        return rows[0][0]

    def column(self, query: str, **parameters: object) -> list[Any]:
        """The first column of the rows."""
        return self.frame(query, **parameters).to_series().to_list()

    def mapping(self, query: str, **parameters: object) -> dict[Any, Any]:
        """The first column of the rows -> the second."""
        return dict(self.frame(query, **parameters).iter_rows())

    def execute(self, statement: str, **parameters: object) -> None:
        """Run one statement for its effect."""
        self.connection.execute(statement, parameters or None)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Add rows; columns are matched by name."""
        with self.registered(rows):
            self.connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming')

    def sync(self, table: str, rows: pl.DataFrame, scope: str = "true", **parameters: object) -> int:
        """Make the rows of `table` within `scope` equal to `rows`; returns how many were added or removed.

        Rows that are already there are not written again, so syncing twice changes nothing.
        """
        same = " AND ".join(f't."{c}" IS NOT DISTINCT FROM i."{c}"' for c in rows.columns)
        with self.registered(rows):
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
    def registered(self, rows: pl.DataFrame) -> Iterator[None]:
        """The rows as a table called `incoming`, for the queries inside."""
        self.connection.register("incoming", rows)
        yield
        # Not in a `finally`: an aborted transaction refuses it, which would hide the error that aborted it.
        self.connection.unregister("incoming")

    def create_table(self, table: Table) -> None:
        """Create a table with its comments."""
        self.execute("; ".join(table.statements()))

    def create_view(self, view: View) -> None:
        """Create or replace a view that people query; its columns take the comments of the tables behind it."""
        self.execute(f'CREATE OR REPLACE VIEW "{view.name}" AS {view.query}')
        columns = self.frame(
            """
            SELECT column_name, any_value(comment) FILTER (list_contains($tables, table_name)) FROM duckdb_columns()
            GROUP BY column_name HAVING bool_or(table_name = $view)""",
            view=view.name,
            tables=list(view.tables),
        )
        texts = {column: view.columns.get(column, comment) for column, comment in columns.iter_rows()}
        comments = (f'COLUMN "{view.name}"."{column}" IS {quote(text)}' for column, text in texts.items() if text)
        about = [f'VIEW "{view.name}" IS {quote(view.comment)}', *comments]
        self.execute("; ".join(f"COMMENT ON {comment}" for comment in about))

    def has(self, name: str) -> bool:
        """Whether a table or view of that name exists."""
        query = "SELECT count(*) FROM information_schema.tables WHERE table_name = $name"
        return bool(self.connection.execute(query, {"name": name}).fetchall()[0][0])

    def describe(self) -> pl.DataFrame:
        """Every table and view that people query, with each column's type and comment."""
        return self.frame("""
            SELECT table_name AS "table", coalesce(t.comment, v.comment) AS table_comment, column_name AS "column",
                   data_type AS type, c.comment
            FROM duckdb_columns() c
            LEFT JOIN duckdb_tables() t USING (schema_name, table_name)
            LEFT JOIN duckdb_views() v ON v.view_name = c.table_name AND NOT v.internal
            WHERE NOT c.internal AND NOT contains(table_name, '__') AND table_name <> 'locations'
            ORDER BY table_name, column_index""")


def interrupt_queries() -> None:
    """End the queries that this process waits for with an error. May be called in the handler of a signal."""
    for store in list(_OPEN):
        store.connection.interrupt()
