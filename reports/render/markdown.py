"""Markdown as the Hugging Face Hub, GitHub and Quarto render it. What comes from data stays text."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
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


def document(content: Any, picture: Callable[[Plot], str], level: int = 1) -> Iterator[str]:
    """The paragraphs of a report as a terminal shows it, without its title; `picture` gives the path of a plot's file.

    Raises TypeError for what has no Markdown.
    """
    match content:
        case Page():
            yield escape(content.remark)
            for part in content.parts:
                yield from document(part, picture, level)
        case Section():
            yield f"{'#' * level} {escape(content.heading)}"
            if content.remark:
                yield f"*{escape(content.remark)}*"
            for part in content.parts:
                yield from document(part, picture, level + 1)
        case Group():
            for part in content.renderables:
                yield from document(part, picture, level)
        case Table():
            text = sum(column.justify == "left" for column in content.columns)
            rows = zip(*(map(_cell, column.cells) for column in content.columns), strict=True)
            yield grid([escape(column.header) for column in content.columns], list(rows), text=text)
        case Plot():
            yield f"![{escape(content.x_label)}]({picture(content)})"
        case str() | Text():
            yield from (escape(line) for line in str(content).splitlines() if line.strip())
        case _:
            raise TypeError(f"no Markdown for {type(content).__name__}")


def _cell(content: RenderableType) -> str:
    return escape(str(content))


def _plain(text: str) -> str:
    """One line of printable characters: no control character, no change of the direction of writing."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def _plain_all(value: Any) -> Any:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {key: _plain_all(item) for key, item in value.items()}
    return [_plain_all(item) for item in value] if isinstance(value, list) else value
