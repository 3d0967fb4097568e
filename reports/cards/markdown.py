"""Markdown as the Hugging Face Hub and GitHub render it. What comes from data stays text."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MARKS = re.compile(r"[\\`*_\[\]<>|~$&]")


def escape(text: object) -> str:
    """A value of the store, such as a subset's name, on one line and with its markup escaped.

    Put it into a cell or behind other words: at the start of a line it could still begin a list.
    """
    return _MARKS.sub(r"\\\g<0>", _plain(str(text)))


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]], text: int = 1) -> str:
    """A table of cells that are Markdown already; the first `text` columns are text, the others are figures."""
    lines = [columns, [":--" if i < text else "--:" for i in range(len(columns))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(head: Mapping[str, Any], *parts: str | None) -> str:
    """A document with the YAML head that the Hub reads; parts that are None are left out.

    The values of the head are written as JSON, which YAML contains.
    """
    fields = "\n".join(f"{key}: {json.dumps(_plain_all(value), ensure_ascii=False)}" for key, value in head.items())
    return "\n\n".join([f"---\n{fields}\n---", *(part for part in parts if part is not None)]) + "\n"


def _plain(text: str) -> str:
    """One line of printable characters: no control character, no change of the direction of writing."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def _plain_all(value: Any) -> Any:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _plain_all(item) for key, item in value.items()}
    return [_plain_all(item) for item in value] if isinstance(value, list) else value
