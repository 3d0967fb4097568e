"""What every report is made of: one page, sections with a heading, plain tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Page:
    """A titled page; its parts stand apart by a line."""

    title: str
    remark: str
    parts: tuple[RenderableType, ...]

    def __rich__(self) -> RenderableType:
        heading = Text.assemble((self.title, "bold"), "  ", (self.remark, "dim"))
        apart = [piece for part in self.parts for piece in ("", part)]
        return Padding(Group(heading, *apart), (1, 1, 1, 1))


@dataclass(frozen=True)
class Section:
    """Parts under a heading."""

    heading: str
    remark: str
    parts: tuple[RenderableType, ...]

    def __rich__(self) -> RenderableType:
        return Group(Text.assemble((self.heading, "bold"), "  ", (self.remark, "dim")), *self.parts)


@dataclass(frozen=True)
class Picture:
    """A JPEG for pages that can show one; a terminal shows what it is about."""

    jpeg: bytes
    about: str

    def __rich__(self) -> RenderableType:
        return dim(self.about)


def page(title: str, remark: str, *parts: RenderableType | None) -> Page:
    """A page of the parts that are not None."""
    return Page(title, remark, tuple(part for part in parts if part is not None))


def section(heading: str, *parts: RenderableType, remark: str = "") -> Section:
    """Parts under a heading, with a remark beside it."""
    return Section(heading, remark, parts)


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
