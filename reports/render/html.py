"""A report as one HTML file that needs no network: what a terminal shows, as headings, tables and drawings."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from featurestore.errors import UsageError
from reports.render.bars import Drawing
from reports.render.figures import svg
from reports.render.layout import Page, Picture, Section
from reports.render.meaning import MEANING
from reports.render.plots import Plot


def write_html(file: Path, command: str, report: RenderableType, queries: Sequence[str]) -> None:
    """Write the report of that command and the queries behind it. Raises UsageError if the file cannot be written."""
    origin = f"Made by `kallos {command}` of kallos {version('kallos')} on {datetime.now():%Y-%m-%d %H:%M}."
    try:
        file.write_text(to_html(f"kallos {command}", report, origin, queries), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error


def to_html(title: str, report: RenderableType, origin: str, queries: Sequence[str] = ()) -> str:
    """The whole file. `origin` names the command that made it; `queries` are folded away at its end."""
    shell = TEMPLATES.get_template("report.html")
    return shell.render(title=title, report=report, origin=origin, queries=queries, meaning=MEANING)


def part(content: Any) -> Markup:
    """One part of a report. Raises TypeError for what has no HTML yet."""
    for kind, to_markup in KINDS.items():
        if isinstance(content, kind):
            return Markup(to_markup(content))
    raise TypeError(f"no HTML for {type(content).__name__}")


def cell(content: RenderableType) -> str:
    """The content of a table's cell, or of a paragraph."""
    if isinstance(content, Drawing):
        return Markup(_macro(type(content).__name__.lower())(content, str(content).split("\n")))
    return Markup(_macro("inline")(_runs(content))) if isinstance(content, Text) else str(content)


def _runs(text: Text) -> Iterator[tuple[str, Style]]:
    """The pieces of a text that have one style, each with it."""
    edges = sorted({0, len(text), *(edge for span in text.spans for edge in (span.start, span.end))})
    for start, end in pairwise(edges):
        styles = [text.style, *(span.style for span in text.spans if span.start <= start and end <= span.end)]
        yield text.plain[start:end], Style.combine(Style.parse(s) if isinstance(s, str) else s for s in styles)


def _table(table: Table) -> str:
    rows = zip(table.rows, zip(*(column.cells for column in table.columns), strict=True), strict=True)
    return _macro("table")(table, rows)


def _macro(name: str) -> Callable[..., str]:
    macro: Callable[..., str] = getattr(TEMPLATES.get_template("parts.html").module, name)
    return macro


KINDS: Mapping[type, Callable[[Any], str]] = {
    Page: lambda content: _macro("page")(content),
    Section: lambda content: _macro("section")(content),
    Group: lambda content: _macro("group")(content.renderables),
    str: lambda content: _macro("paragraph")(content),
    Text: lambda content: _macro("paragraph")(cell(content)),
    Drawing: lambda content: _macro("paragraph")(cell(content)),
    Table: _table,
    Picture: lambda content: _macro("picture")(content, b64encode(content.jpeg).decode()),
    Plot: svg,
}
TEMPLATES = Environment(loader=PackageLoader("reports.render"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
TEMPLATES.globals |= {"part": part, "cell": cell, "style_of": Style.parse}
PARTS = TEMPLATES.get_template("parts.css").render()
"""The style sheet of a report's parts."""
