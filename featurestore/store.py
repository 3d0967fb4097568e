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
from featurestore.errors import DiskError, StoreError
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
        rows: pl.DataFrame = self.connection.sql(query, params=parameters or None).pl()
        return rows

    def parts(self, query: str) -> Iterator[pl.DataFrame]:
        """The rows of a query, some thousand at a time; the connection is not to be used meanwhile."""
        for batch in self.connection.sql(query).to_arrow_reader(2048):
            yield pl.DataFrame(pl.from_arrow(batch))

    def value(self, query: str, **parameters: object) -> Any:
        """The first column of the first row."""
        self._record(query, parameters)
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
