"""What a store holds and shows, in a form in which equal means equal to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from featurestore.store import Store


def catalogue(store: Store) -> list[pl.DataFrame]:
    """Tables, columns and views of an open store, with types, comments, constraints and SQL."""
    return [
        store.frame("SELECT table_name, comment, sql FROM duckdb_tables() ORDER BY table_name"),
        store.frame(
            "SELECT table_name, column_index, column_name, data_type, is_nullable, column_default, comment "
            "FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
        ),
        store.frame("SELECT view_name, comment, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_name"),
    ]


def content(store: Store) -> dict[str, dict[str, Any]]:
    """table -> column -> values in the order of the rows, floats as their bits."""
    tables = store.frame("SELECT table_name FROM duckdb_tables() ORDER BY table_name")["table_name"]
    rows = {table: store.frame(f'SELECT * FROM "{table}" ORDER BY rowid') for table in tables}
    return {table: {column.name: _exact(column) for column in frame} for table, frame in rows.items()}


def _exact(values: pl.Series) -> Any:
    if values.dtype in (pl.Float32, pl.Float64):
        unsigned = np.uint32 if values.dtype == pl.Float32 else np.uint64
        return values.is_null().to_list(), values.fill_null(0.0).to_numpy().view(unsigned).tolist()
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.List):
        return values.list.len().to_list(), _exact(values.drop_nulls().explode())
    if isinstance(values.dtype, pl.Datetime):
        # Python's years end where DuckDB's do not
        return values.to_physical().to_list()
    return values.to_list()
