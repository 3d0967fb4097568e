"""The read-only door for people's SQL: one SELECT, no files, no settings, a time, memory and row limit."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import polars as pl

from featurestore.errors import QueryError
from featurestore.store import Store

MAX_ROWS = 100_000
MAX_SECONDS = 60
LIMITS = (
    "SET memory_limit = '2GB'",
    "SET enable_external_access = false",
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)


def select(path: Path, query: str) -> pl.DataFrame:
    """The rows of one SELECT on the store at `path`.

    Raises QueryError for anything that is not exactly one SELECT, that DuckDB cannot run, that runs
    longer than MAX_SECONDS or that gives more than MAX_ROWS rows.
    """
    _check_one_select(query)
    with Store.open(path, read_only=True) as store:
        for limit in LIMITS:
            store.execute(limit)
        alarm = threading.Timer(MAX_SECONDS, store.connection.interrupt)
        alarm.start()
        try:
            rows: pl.DataFrame = store.connection.sql(query).limit(MAX_ROWS + 1).pl()
        except duckdb.InterruptException as error:
            raise QueryError(f"The query ran longer than {MAX_SECONDS} s: narrow it with WHERE or LIMIT.") from error
        except duckdb.Error as error:
            raise QueryError(f"{str(error).splitlines()[0]} (`kallos tables` lists what can be queried).") from error
        finally:
            alarm.cancel()
    if len(rows) > MAX_ROWS:
        raise QueryError(f"The query gives more than {MAX_ROWS:,} rows: add a LIMIT.")
    return rows


def _check_one_select(query: str) -> None:
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise QueryError(str(error).splitlines()[0]) from error
    if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
        raise QueryError("Only one SELECT can be run: the store is read-only for SQL.")
