"""Values as SQL text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import dedent


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def with_values(query: str, parameters: Mapping[str, object]) -> str:
    """The query with its values in place of its parameters."""
    return re.sub(r"\$(\w+)", lambda name: _literal(parameters[name[1]]), dedent(query).strip())


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool | int | float):
        return str(value)
    return "NULL" if value is None else quote(str(value))
