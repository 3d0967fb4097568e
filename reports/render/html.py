"""A report as one HTML file that needs no network: what a terminal shows, as headings, tables and drawings."""

from __future__ import annotations

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
    """Write what that command says, and the queries behind it. Raises UsageError where the file cannot be."""
    made = f"Made by `kallos {command}` of kallos {version('kallos')} on {datetime.now():%Y-%m-%d %H:%M}."
    try:
        file.write_text(to_html(f"kallos {command}", report, made, queries), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error


def to_html(title: str, report: RenderableType, made: str, queries: Sequence[str] = ()) -> str:
    """The whole file. `made` says where it comes from; `queries` stand at its end, to be opened."""
    shell = TEMPLATES.get_template("report.html")
    return shell.render(title=title, report=report, made=made, queries=queries, meaning=MEANING)


def part(of: Any) -> Markup:
    """One part of a report. Raises TypeError for what has no HTML yet."""
    for kind, to_markup in KINDS.items():
        if isinstance(of, kind):
            return Markup(to_markup(of))
    raise TypeError(f"no HTML for {type(of).__name__}")


def cell(of: RenderableType) -> str:
    """What stands in a table's cell, or within a paragraph."""
    if isinstance(of, Drawing):
        return Markup(_macro(type(of).__name__.lower())(of, str(of).split("\n")))
    return Markup(_macro("inline")(_runs(of))) if isinstance(of, Text) else str(of)


def _runs(text: Text) -> Iterator[tuple[str, Style]]:
    """The pieces of a text that have one style, each with it."""
    edges = sorted({0, len(text), *(edge for span in text.spans for edge in (span.start, span.end))})
    for start, end in pairwise(edges):
        styles = [text.style, *(span.style for span in text.spans if span.start <= start and end <= span.end)]
        yield text.plain[start:end], Style.combine(Style.parse(s) if isinstance(s, str) else s for s in styles)


def _table(of: Table) -> str:
    rows = zip(of.rows, zip(*(column.cells for column in of.columns), strict=True), strict=True)
    return _macro("table")(of, rows)


def _macro(name: str) -> Callable[..., str]:
    macro: Callable[..., str] = getattr(TEMPLATES.get_template("parts.html").module, name)
    return macro


KINDS: Mapping[type, Callable[[Any], str]] = {
    Page: lambda of: _macro("page")(of),
    Section: lambda of: _macro("section")(of),
    Group: lambda of: _macro("group")(of.renderables),
    str: lambda of: _macro("paragraph")(of),
    Text: lambda of: _macro("paragraph")(cell(of)),
    Drawing: lambda of: _macro("paragraph")(cell(of)),
    Table: _table,
    Picture: lambda of: _macro("picture")(of, b64encode(of.jpeg).decode()),
    Plot: svg,
}
TEMPLATES = Environment(loader=PackageLoader("reports.render"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
TEMPLATES.globals |= {"part": part, "cell": cell, "style_of": Style.parse}
PARTS = TEMPLATES.get_template("parts.css").render()
"""What the parts of a report look like."""
