"""A report as one HTML file that needs no network: what a terminal shows, as headings, tables and drawings."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import singledispatch
from html import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from featurestore.errors import UsageError
from reports.render.layout import Page, Picture, Section
from reports.render.meaning import MEANING
from reports.render.svg_plots import histogram_svg, lines_svg, scatter_svg
from reports.render.terminal_plots import Histogram, Lines, Scatter

PAGE = """
:root { color-scheme: light dark; --ink: #20262c; --faint: #68737d; --paper: #fff; --rule: #dfe4e8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaee; --faint: #98a3ad; --paper: #15191d; --rule: #343b42; }
}
body {
  margin: 0 auto; padding: 1rem 1.2rem 4rem; max-width: 60rem;
  background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
}
footer { margin-top: 3rem; border-top: 1px solid var(--rule); color: var(--faint); font-size: .85rem; }
@media print {
  :root { --ink: #000; --faint: #555; --paper: #fff; --rule: #ccc; }
  body { max-width: none; padding: 0; }
  tr, svg { break-inside: avoid; }
  h1, h2 { break-after: avoid; }
  .wide { overflow: visible; }
}
"""
PARTS = """
h1 { font-size: 1.5rem; margin: 2rem 0 0; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; }
h1 small, h2 small { font-weight: normal; font-size: .85rem; color: var(--faint); margin-left: .6rem; }
p { margin: .5rem 0; }
.dim { color: var(--faint); }
.bar { font-family: monospace; white-space: pre; line-height: 1; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th { font-weight: normal; color: var(--faint); border-bottom: 1px solid var(--rule); vertical-align: bottom; }
th, td { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }
.right { text-align: right; white-space: nowrap; }
svg { display: block; width: 100%; height: auto; margin: .6rem 0; fill: var(--faint); font-size: 12px; }
img { max-width: 100%; }
.axis { stroke: var(--faint); fill: none; }
.grid { stroke: var(--rule); fill: none; }
.dots { stroke-width: 4; stroke-linecap: round; stroke-opacity: .45; fill: none; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--rule); padding-left: .8rem; }
"""
"""What the parts of a report look like, on a page that sets --ink, --faint and --rule."""
BAR = re.compile(r"[━╸─│●▁▂▃▄▅▆▇█ \n]*[━╸─│●▁▂▃▄▅▆▇█][━╸─│●▁▂▃▄▅▆▇█ \n]*")


def write_html(file: Path, command: str, report: RenderableType, queries: Sequence[str]) -> None:
    """Write what that command says, and the queries behind it. Raises UsageError where the file cannot be."""
    made = f"Made by `kallos {command}` of kallos {version('kallos')} on {datetime.now():%Y-%m-%d %H:%M}."
    try:
        file.write_text(to_html(f"kallos {command}", report, made, queries), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error


def to_html(title: str, report: RenderableType, made: str, queries: Sequence[str] = ()) -> str:
    """The whole file. `made` says where it comes from; `queries` stand at its end, to be opened."""
    behind = "".join(f"<pre>{escape(query)}</pre>" for query in queries)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{PAGE}{PARTS}</style></head>\n<body><main>\n{part(report)}\n</main>\n"
        + (f"<details><summary>The SQL behind it</summary>{behind}</details>\n" if behind else "")
        + f"<footer><p>{escape(MEANING)}</p><p>{escape(made)}</p></footer></body></html>\n"
    )


@singledispatch
def part(of: Any) -> str:
    """One part of a report. Raises TypeError for what has no HTML yet."""
    raise TypeError(f"no HTML for {type(of).__name__}")


@part.register
def _(of: Page) -> str:
    return "\n".join([_heading(1, of.title, of.remark), *map(part, of.parts)])


@part.register
def _(of: Section) -> str:
    return "\n".join(["<section>", _heading(2, of.heading, of.remark), *map(part, of.parts), "</section>"])


@part.register
def _(of: Group) -> str:
    return "\n".join(map(part, of.renderables))


@part.register
def _(of: str) -> str:
    return f"<p>{escape(of)}</p>" if of else ""


@part.register
def _(of: Text) -> str:
    return f"<p>{_inline(of)}</p>" if of.plain else ""


@part.register
def _(of: Table) -> str:
    sides = ["right" if column.justify == "right" else "left" for column in of.columns]
    heads = [
        f'<th scope="col" class="{side}">{_cell(c.header)}</th>' for c, side in zip(of.columns, sides, strict=True)
    ]
    rows = [f"<thead><tr>{''.join(heads)}</tr></thead>"] if of.show_header else []
    for line, cells in zip(of.rows, zip(*(column.cells for column in of.columns), strict=True), strict=True):
        looks = ' class="dim"' if line.style == "dim" else ""
        tds = [f'<td class="{side}">{_cell(cell)}</td>' for cell, side in zip(cells, sides, strict=True)]
        rows.append(f"<tr{looks}>{''.join(tds)}</tr>")
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


@part.register
def _(of: Picture) -> str:
    return f'<img alt="{escape(of.about)}" src="data:image/jpeg;base64,{b64encode(of.jpeg).decode()}">'


part.register(Histogram, histogram_svg)
part.register(Scatter, scatter_svg)
part.register(Lines, lines_svg)


def _heading(level: int, text: str, remark: str) -> str:
    beside = f"<small>{escape(remark)}</small>" if remark else ""
    return f"<h{level}>{escape(text)}{beside}</h{level}>"


def _cell(of: RenderableType) -> str:
    return _inline(of) if isinstance(of, Text) else escape(str(of))


def _inline(text: Text) -> str:
    """A text with its styles; a bar of characters is a picture, of which a screen reader says nothing."""
    pieces, plain = [], text.plain
    edges = sorted({0, len(plain), *(edge for span in text.spans for edge in (span.start, span.end))})
    for start, end in pairwise(edges):
        styles = [text.style, *(span.style for span in text.spans if span.start <= start and end <= span.end)]
        words = escape(plain[start:end]).replace("\n", "<br>")
        pieces.append(_styled(words, Style.combine(Style.parse(s) if isinstance(s, str) else s for s in styles)))
    made = "".join(pieces)
    return f'<span class="bar" aria-hidden="true">{made}</span>' if BAR.fullmatch(plain) else made


def _styled(words: str, style: Style) -> str:
    looks = f' style="color:{style.color.name}"' if style.color else ""
    tone = ' class="dim"' if style.dim else ""
    words = f"<strong>{words}</strong>" if style.bold else words
    return f"<span{tone}{looks}>{words}</span>" if tone or looks else words
