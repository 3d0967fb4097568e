"""Markdown as the Hugging Face Hub, GitHub and Quarto render it. What comes from data stays text."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from reports.render.layout import Page, Section
from reports.render.plots import Plot

_MARKS = re.compile(r"[\\`*_\[\]<>|~$&]")


def escape(text: object) -> str:
    """A value of the store, such as a subset's name, on one line and with its markup escaped.

    Put it into a cell or behind other words: at the start of a line it could still begin a list.
    """
    return _MARKS.sub(r"\\\g<0>", _plain(str(text)))


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]], text: int | Collection[int] = 1) -> str:
    """A table of cells that are Markdown already; the first `text` columns, or those, are text, others figures."""
    places = range(text) if isinstance(text, int) else text
    lines = [columns, [":--" if i in places else "--:" for i in range(len(columns))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(head: Mapping[str, Any], *parts: str | None) -> str:
    """A document with the YAML head that the Hub reads; parts that are None are left out.

    The values of the head are written as JSON, which YAML contains.
    """
    fields = "\n".join(f"{key}: {json.dumps(_plain_all(value), ensure_ascii=False)}" for key, value in head.items())
    return "\n\n".join([f"---\n{fields}\n---", *(part for part in parts if part is not None)]) + "\n"


def document(content: Any, picture: Callable[[Plot], str], level: int = 1) -> Iterator[str]:
    """The paragraphs of a report as a terminal shows it, without its title; `picture` gives the path of a plot's file.

    Raises TypeError for what has no Markdown.
    """
    match content:
        case Page():
            yield escape(content.remark)
            yield from _documents(content.parts, picture, level)
        case Section():
            yield f"{'#' * level} {escape(content.heading)}"
            yield from [f"*{escape(content.remark)}*"] if content.remark else []
            yield from _documents(content.parts, picture, level + 1)
        case Group():
            yield from _documents(content.renderables, picture, level)
        case Table():
            text = [i for i, column in enumerate(content.columns) if column.justify == "left"]
            rows = zip(*(map(escape, column.cells) for column in content.columns), strict=True)
            yield grid([escape(column.header) for column in content.columns], list(rows), text=text)
        case Plot():
            yield f"![{escape(content.x_label)}]({picture(content)})"
        case str() | Text():
            yield "\\\n".join(escape(line) for line in str(content).splitlines() if line.strip())
        case _:
            raise TypeError(f"no Markdown for {type(content).__name__}")


def _documents(parts: Iterable[Any], picture: Callable[[Plot], str], level: int) -> Iterator[str]:
    for part in parts:
        yield from document(part, picture, level)


def _plain(text: str) -> str:
    """One line of printable characters: no control character, no change of the direction of writing."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def _plain_all(value: Any) -> Any:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _plain_all(item) for key, item in value.items()}
    return [_plain_all(item) for item in value] if isinstance(value, list) else value
