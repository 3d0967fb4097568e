"""How a table and a view of the store are described: names, types, comments, and the DDL that makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from featurestore.sql_text import quote


@dataclass(frozen=True)
class Column:
    """One column: its name, its DuckDB type and what it means."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """One table, what one of its rows is, and its columns."""

    name: str
    comment: str
    columns: tuple[Column, ...]

    def statements(self) -> list[str]:
        """The DDL that makes the table and its comments."""
        body = ", ".join(f'"{c.name}" {c.type}' for c in self.columns)
        return [f'CREATE TABLE "{self.name}" ({body})', *self.comments()]

    def comments(self) -> list[str]:
        """The DDL that documents the table and its columns."""
        columns = [f'COMMENT ON COLUMN "{self.name}"."{c.name}" IS {quote(c.comment)}' for c in self.columns]
        return [f'COMMENT ON TABLE "{self.name}" IS {quote(self.comment)}', *columns]


@dataclass(frozen=True)
class View:
    """A stable view: its query, what one of its rows is, and where its columns' comments come from.

    tables   columns take the comments of the columns of the same name there
    columns  comments that those tables lack
    """

    name: str
    comment: str
    query: str
    tables: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


def table(name: str, comment: str, *columns: tuple[str, str, str]) -> Table:
    """A table from (name, type, comment) of each of its columns."""
    return Table(name, comment, tuple(Column(*c) for c in columns))


IMAGE = ("image_id", "VARCHAR", "data set / path of the photo inside it")
CONTENT = ("sha256", "VARCHAR", "hash of the photo's bytes, see images")
TRAIT = ("trait", "VARCHAR", "what was rated, see traits")
FOLD = ("fold", "INTEGER", "fold of the protocol, from 1")
"""Columns that many tables have."""
