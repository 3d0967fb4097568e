"""The door for people's SQL, fit to stand behind a web page: one SELECT on the tables that `kallos tables` lists.

What a query may do is an allow list over DuckDB's own syntax tree. What it may cost is held by a process of its own:
within a process DuckDB's limits do not hold (`repeat('x', 2000000000)` ran ten times its time limit and took
eight times its memory limit, `levenshtein` cannot be interrupted), and its settings would hold for every other
connection of the process to the same store. The process starts without the caller's environment.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import polars as pl

from extractors.errors import KallosError
from featurestore.errors import QueryError, StoreError
from featurestore.opening import open_store
from featurestore.sql_text import nodes
from featurestore.store import Store

MAX_ROWS = 100_000
MAX_SECONDS = 60
MAX_CHARACTERS = 100_000
MAX_RESULT = 256 << 20
"""Bytes of the rows that are handed over."""

MAX_MEMORY = 2 << 30
"""Bytes that the process may take for a query; DuckDB itself gets half of it and fails in good order."""

THREADS = 2
SETTINGS = (
    f"SET memory_limit = '{MAX_MEMORY >> 21} MiB'",
    f"SET threads = {THREADS}",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)

HIDDEN_TABLES = {"locations"}
PERSONAL_TABLES = ("personal_ratings",)
"""Tables that are shown on their own machine alone."""

TABLE_FUNCTIONS = ("range", "generate_series", "unnest", "json_each")
NODES = {
    *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
    *("BASE_TABLE", "SUBQUERY", "JOIN", "PIVOT", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "SHOW_REF"),
    *("ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"),
    *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
}
"""Parts of a statement that are not expressions: no INSERT, UPDATE or DELETE, which may stand in a WITH."""

IMPURE_FUNCTIONS = {"random", "setseed", "now", "today", *TABLE_FUNCTIONS}
PURE_FUNCTIONS = r"""
    SELECT lower(function_name) FROM duckdb_functions()
    WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro')
    GROUP BY ALL
    HAVING bool_and(coalesce(stability, 'CONSISTENT') = 'CONSISTENT') AND NOT regexp_full_match(lower(function_name),
        '__.*|pg_.*|has_.*privilege|inet_.*|current_.*|(session_)?user|.*_description|format_(pg_)?type|version|'
        'get_block_size|json_(de)?serialize_.*|parse_duckdb_.*|finalize|combine(_aggr)?|to_aggregate_state|'
        '(create|icu)_sort_key|index_key|variant_bytes_.*')"""
"""Functions of their arguments alone, less those that reveal the process, run SQL from a string or take raw states."""

EXISTING = "SELECT lower(table_name) FROM duckdb_tables() UNION SELECT lower(view_name) FROM duckdb_views()"

SYSTEM_COLUMNS = {"current_catalog", "current_schema", "current_role", "current_user", "session_user", "user"}
"""Names that DuckDB takes for functions where no column has them."""

TOO_MUCH = "The query takes too much memory: narrow it with WHERE or make it simpler."
PLAIN_MISTAKES = (
    *(duckdb.ParserException, duckdb.SyntaxException, duckdb.BinderException, duckdb.CatalogException),
    *(duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException),
    *(duckdb.NotImplementedException, duckdb.InvalidTypeException, duckdb.TypeMismatchException),
)
"""Errors whose first line speaks of the query alone; that of others may name files."""


def select(path: Path, query: str, hidden: Sequence[str] = ()) -> pl.DataFrame:
    """The rows of one SELECT on the store at `path`, in which no table of `hidden` may stand.

    Raises QueryError for anything that is not exactly one SELECT on the store's tables, that DuckDB cannot run, or
    that goes over one of the limits above; StoreError when the store cannot be opened.
    """
    if len(query) > MAX_CHARACTERS:
        raise QueryError(f"The query is longer than {MAX_CHARACTERS:,} characters: shorten it.")
    command = [sys.executable, "-P", "-m", "featurestore.user_sql", str(path), *hidden]
    environment = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        done = subprocess.run(
            command,
            input=query.encode(errors="replace"),
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise QueryError(f"The query ran longer than {MAX_SECONDS} s: narrow it with WHERE or LIMIT.") from error
    if done.returncode == 0:
        return pl.read_ipc(io.BytesIO(done.stdout))
    for kind in (QueryError, StoreError):
        if done.returncode == kind.exit_code:
            raise kind(done.stdout.decode())
    if done.returncode > 0:
        raise RuntimeError("The process of the query has a bug; its traceback is on stderr.")
    raise QueryError("The query takes too much memory or processor time: narrow it with WHERE or make it simpler.")


def _main(path: Path, hidden: Sequence[str]) -> int:
    """The process of one query: SQL on stdin, on stdout Arrow IPC or, with an error's exit code, its sentence."""
    try:
        with open_store(path, read_only=True) as store:
            _limit_process()
            for setting in SETTINGS:
                store.execute(setting)
            rows(store, sys.stdin.buffer.read().decode(), hidden).write_ipc(sys.stdout.buffer)
    except KallosError as error:
        sys.stdout.buffer.write(str(error).encode())
        return error.exit_code
    return 0


def _limit_process() -> None:
    """No file can be written, memory and processor time end; other systems than Linux enforce less of it."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limits = {
        resource.RLIMIT_DATA: pages * resource.getpagesize() + MAX_MEMORY,
        resource.RLIMIT_CPU: THREADS * MAX_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def rows(store: Store, query: str, hidden: Sequence[str] = ()) -> pl.DataFrame:
    """The rows of one SELECT on an open store that has SETTINGS; raises QueryError like `select`."""
    try:
        _check(store, query, hidden)
        found: pl.DataFrame = store.connection.sql(query).limit(MAX_ROWS + 1).pl()
    except (duckdb.OutOfMemoryException, MemoryError, RecursionError) as error:
        raise QueryError(TOO_MUCH) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise QueryError("A column has a type that cannot be shown: CAST it to VARCHAR.") from error
    except PLAIN_MISTAKES as error:
        # from Python 3.13 on DuckDB meets its limit before Python does
        if "max_expression_depth" in str(error):
            raise QueryError(TOO_MUCH) from error
        raise QueryError(f"{str(error).splitlines()[0]} (`kallos tables` lists what can be queried).") from error
    except duckdb.Error as error:
        raise QueryError("DuckDB cannot run the query: make it simpler.") from error
    if len(found) > MAX_ROWS:
        raise QueryError(f"The query gives more than {MAX_ROWS:,} rows: add a LIMIT.")
    if found.estimated_size() > MAX_RESULT:
        raise QueryError(f"The query gives more than {MAX_RESULT >> 20} MiB: select fewer rows or columns.")
    return found


def _check(store: Store, query: str, hidden: Sequence[str]) -> None:
    """Refuse a SELECT that names a table or function, or has a part, that is not on the lists."""
    tree = json.loads(store.value("SELECT json_serialize_sql($text::VARCHAR)", text=query))
    # Only a SELECT has a tree, and no PIVOT that must first read the data.
    if len(store.connection.extract_statements(query)) != 1 or tree["error"] or len(tree["statements"]) != 1:
        _refuse("Only one SELECT can be run, and PIVOT only with its columns named (ON column IN (...))")
    listed = set(store.describe()["table"].str.to_lowercase()) - HIDDEN_TABLES - set(hidden)
    named = {entry["key"].lower() for node in nodes(tree) for entry in node.get("cte_map", {}).get("map", ())}
    # A name in WITH holds only in its part of the statement; elsewhere the hidden table of that name would be read.
    if taken := named & _names(store, EXISTING) - listed:
        _refuse(f"WITH cannot take the name {taken.pop()}")
    functions = _names(store, PURE_FUNCTIONS) | IMPURE_FUNCTIONS
    for node in nodes(tree):
        _check_node(node, listed | named, functions)


def _names(store: Store, query: str) -> set[str]:
    return set(store.frame(query).to_series())


def _check_node(node: dict[str, Any], tables: set[str], functions: set[str]) -> None:
    kind = node.get("type")
    if "class" not in node and isinstance(kind, str) and kind not in NODES:
        _refuse("Only read-only SELECT statements are allowed")
    if kind == "SHOW_REF" and not node.get("query"):
        _refuse("SHOW cannot be used, only DESCRIBE and SUMMARIZE of a table")
    if kind == "BASE_TABLE":
        *schema, table = node["qualified_name"]["path"]
        if schema not in ([], ["main"]) or table.lower() not in tables:
            _refuse(f"{_shown(table)} is not a table that can be queried")
    if kind == "TABLE_FUNCTION" and (function := node["function"]["function_name"].lower()) not in TABLE_FUNCTIONS:
        _refuse(f"{_shown(function)} cannot stand in FROM; of functions only {', '.join(TABLE_FUNCTIONS)} can")
    if (function := node.get("function_name", "+").lower()) not in functions:
        _refuse(f"{_shown(function)} is not a function that only computes with its arguments")
    if kind == "COLUMN_REF" and (column := node["column_names"][-1].lower()) in SYSTEM_COLUMNS:
        _refuse(f"{column} cannot be used")


def _shown(name: str) -> str:
    """A name for a message; what people put in quotes may be anything."""
    return name if name.isidentifier() else "This"


def _refuse(what: str) -> NoReturn:
    raise QueryError(f"{what}: `kallos tables` lists what can be queried, docs/sql.md shows how.")


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
