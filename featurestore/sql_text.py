"""Values as SQL text, and the tree of a statement."""

import re
from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Any


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def next_time(table: str, column: str) -> str:
    """The SQL of now, but later than all times that a table has: these order its rows, and clocks are put back."""
    return f"greatest(now()::TIMESTAMP, (SELECT max({column}) + INTERVAL 1 MICROSECOND FROM {table}))"


def with_values(query: str, parameters: Mapping[str, object]) -> str:
    """The query with its values in place of its parameters."""
    return re.sub(r"\$(\w+)", lambda name: _literal(parameters[name[1]]), dedent(query).strip())


def nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every object within JSON, such as a statement's tree. A stack: people nest deeper than Python can call."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool | int | float):
        return str(value)
    return "NULL" if value is None else quote(str(value))
