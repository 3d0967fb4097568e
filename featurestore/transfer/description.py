"""The description of an exported store, `schema.json`: tables and views, with the types and comments of their columns.

Whoever made the folder may have written anything here: names and types are checked against patterns before any of them
is put into SQL, and the SQL of the views is for reading only.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as package_version
from typing import Any

from featurestore.errors import ExportError
from featurestore.schema import SCHEMA_VERSION, TABLES
from featurestore.store import Store
from featurestore.table_description import Column, Table

FORMAT = "kallos.store/1"
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
TYPE = re.compile(r"(BOOLEAN|INTEGER|UBIGINT|FLOAT|DOUBLE|VARCHAR|TIMESTAMP|JSON)(\[[0-9]{0,5}\])?")


@dataclass(frozen=True)
class ViewDescription:
    """A view as DuckDB's catalogue shows it; columns that it computes may have no comment."""

    name: str
    comment: str | None
    sql: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Description:
    """Everything in a store's catalogue.

    kallos  version of the program that wrote it down
    rows    table -> number of rows
    """

    kallos: str
    schema_version: int
    tables: tuple[Table, ...]
    rows: Mapping[str, int]
    views: tuple[ViewDescription, ...]

    @property
    def version_tables(self) -> tuple[Table, ...]:
        """The tables that hold what extractors wrote."""
        core = {table.name for table in TABLES}
        return tuple(table for table in self.tables if table.name not in core)

    def check(self) -> None:
        """Raises ExportError unless the tables are those that this kallos knows and can create from their names."""
        if self.schema_version != SCHEMA_VERSION:
            raise ExportError(
                f"The export has schema version {self.schema_version}, this kallos reads {SCHEMA_VERSION}: import it "
                f"with kallos {self.kallos!r}, which wrote it, and open that store with this one."
            )
        for table in self.tables:
            _check_table(table)
        for view in self.views:
            _check_name(view.name)
        described = {table.name: _types(table) for table in self.tables}
        if len(described) != len(self.tables):
            raise ExportError("schema.json describes a table twice: get the export again.")
        for table in TABLES:
            if described.get(table.name) != _types(table):
                raise ExportError(f"The table {table.name} is not that of schema version {SCHEMA_VERSION}.")

    def check_versions(self, registered: set[str]) -> None:
        """Raises ExportError unless the other tables are exactly those that `extractor_versions` names."""
        if differing := {table.name for table in self.version_tables} ^ registered:
            name = min(differing)
            what = "is not there" if name in registered else "is not among them"
            raise ExportError(f"An export holds the tables that extractor_versions names and no others: {name} {what}.")

    def to_json(self) -> str:
        """The text of `schema.json`; `parse` reads it."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=1, ensure_ascii=False)


def describe(store: Store) -> Description:
    """The description of an open store."""
    listed = store.frame(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal "
        "ORDER BY table_name, column_index"
    )
    columns: dict[str, list[Column]] = {}
    for name, *column in listed.iter_rows():
        columns.setdefault(name, []).append(Column(*column))
    tables = store.frame("SELECT table_name, comment FROM duckdb_tables() ORDER BY table_name").rows()
    views = store.frame("SELECT view_name, comment, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_name")
    return Description(
        kallos=package_version("kallos"),
        schema_version=int(store.value("SELECT schema_version FROM store_info")),
        tables=tuple(Table(name, comment, tuple(columns[name])) for name, comment in tables),
        rows={name: int(store.value(f'SELECT count(*) FROM "{name}"')) for name, _ in tables},
        views=tuple(ViewDescription(name, about, sql, tuple(columns[name])) for name, about, sql in views.iter_rows()),
    )


def parse(text: str) -> Description:
    """What `Description.to_json` wrote. Raises ExportError for anything else."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ExportError(f"schema.json has another format than {FORMAT}: export the store again.")
        return Description(
            kallos=str(content["kallos"]),
            schema_version=int(content["schema_version"]),
            tables=tuple(Table(t["name"], t["comment"], _columns(t)) for t in content["tables"]),
            rows={str(name): int(count) for name, count in content["rows"].items()},
            views=tuple(ViewDescription(v["name"], v["comment"], v["sql"], _columns(v)) for v in content["views"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(f"schema.json is damaged ({error}): get the export again.") from error


def _columns(described: dict[str, Any]) -> tuple[Column, ...]:
    return tuple(Column(c["name"], c["type"], c["comment"]) for c in described["columns"])


def _types(table: Table) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in table.columns]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ExportError(f"{name!r} is not a name that kallos gives to a table, view or column.")


def _check_table(table: Table) -> None:
    for name in (table.name, *(column.name for column in table.columns)):
        _check_name(name)
    for column in table.columns:
        if not isinstance(column.type, str) or not TYPE.fullmatch(column.type):
            raise ExportError(f"The column {table.name}.{column.name} has a type that kallos does not use.")
    for comment in (table.comment, *(column.comment for column in table.columns)):
        if not isinstance(comment, str) or "\0" in comment:
            raise ExportError(f"The table {table.name} has no comment, or a column of it has none.")
