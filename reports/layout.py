"""How every report looks: one page, sections with a heading, plain tables."""

from __future__ import annotations

import math

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def page(title: str, remark: str, *sections: RenderableType | None) -> RenderableType:
    """A titled page; sections that are None are left out, the others stand apart by a line."""
    parts: list[RenderableType] = [Text.assemble((title, "bold"), "  ", (remark, "dim"))]
    for part in sections:
        if part is not None:
            parts += ["", part]
    return Padding(Group(*parts), (1, 1, 1, 1))


def section(heading: str, *parts: RenderableType, remark: str = "") -> RenderableType:
    """Parts under a heading."""
    return Group(Text.assemble((heading, "bold"), "  ", (remark, "dim")), *parts)


def table(*columns: str) -> Table:
    """A table without frame: the first column is text, the others are figures."""
    grid = Table(
        box=box.SIMPLE_HEAD,
        header_style="dim",
        border_style="dim",
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for i, name in enumerate(columns):
        grid.add_column(name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return grid


def dim(text: str) -> Text:
    """A remark."""
    return Text(text, style="dim")


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """A figure with a fixed number of digits; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:{'+' if sign else ''},.{digits}f}"


def digits_for(sd: float) -> int:
    """As many digits as show two significant ones of a standard deviation."""
    return min(max(1 - math.floor(math.log10(sd)), 0), 4) if sd > 0 else 2


def share(part: int, whole: int) -> str:
    """A percentage that says 100 only when nothing is left out."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if part in (0, whole) else f"{min(max(percent, 0.1), 99.9):.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d}" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def plural(count: int, noun: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
