"""Building blocks of every report: a page, sections with a heading, plain tables."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

FOLDED = 20
"""Columns: a longer word without a figure is folded rather than that a table becomes lists."""

LONG_PATH = 32
"""Columns: a longer path too, whatever is in it."""


@dataclass(frozen=True)
class Page:
    """A titled page; a blank line separates its parts."""

    title: str
    remark: str
    parts: tuple[RenderableType, ...]

    def __rich__(self) -> RenderableType:
        heading = Text.assemble((self.title, "bold"), "  ", (self.remark, "dim"))
        spaced = [piece for part in self.parts for piece in ("", part)]
        return Padding(Group(heading, *spaced), 1)


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


class PlainTable(Table):
    """A table that cuts no figure, however narrow the terminal.

    Where it does not fit, columns that only draw the numbers of others are left out, and then each row is written as a
    list of its own, a line a column.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        informative = [column for column in self.columns if not self.rows or not all(map(_only_draws, column.cells))]
        for columns in (self.columns, informative):
            if widths := self._widths(console, options, columns):
                some, pairs = copy(self), zip(columns, widths, strict=True)
                some.columns = [replace(column, width=width, _index=i) for i, (column, width) in enumerate(pairs)]
                yield from super(PlainTable, some).__rich_console__(console, options)
                return
        yield from self._lists(informative, options.max_width)

    def _widths(self, console: Console, options: ConsoleOptions, columns: Sequence[Column]) -> list[int]:
        """What each column gets, the first ones all that they want; nothing when there is too little for all."""
        room = options.max_width - len(columns) * (self.padding[1] + self.padding[3]) - len(columns) + 1
        least, most = [], []
        for column in columns:
            cells = [*([column.header] if self.show_header else []), *column.cells]
            most.append(max((console.measure(cell).maximum for cell in cells), default=0))
            least.append(most[-1] if column.no_wrap else max(map(_longest_word, cells), default=0))
        room -= sum(least)
        if room < 0:
            return []
        widths = []
        for needs, wants in zip(least, most, strict=True):
            widths.append(min(wants, needs + room))
            room -= widths[-1] - needs
        return widths

    def _lists(self, columns: Sequence[Column], room: int) -> Iterator[RenderableType]:
        if not self.rows:
            yield Text(", ".join(str(column.header) for column in columns), style=self.header_style)
            return
        labels = max(cell_len(str(column.header)) for column in columns)
        for row, cells in zip(self.rows, zip(*(column.cells for column in columns), strict=True), strict=True):
            for column, cell in zip(columns, cells, strict=True):
                if not str(cell):
                    continue
                label = Text(str(column.header), style=self.header_style)
                if _longest_word(cell) > room - labels - 2:
                    yield Group(label, Padding(cell, (0, 0, 0, 2)))
                    continue
                line = Table.grid(padding=(0, 2, 0, 0))
                line.add_column(width=labels)
                line.add_column(overflow="fold", style=row.style or "")
                line.add_row(label, cell)
                yield line
            yield ""


def _longest_word(cell: RenderableType) -> int:
    """Columns that the longest word of a cell needs: a word without a figure may be folded, and a long name."""
    return max(map(_least, str(cell).split()), default=0)


def _least(word: str) -> int:
    if not any(map(str.isdigit, word)):
        return min(cell_len(word), FOLDED)
    return min(cell_len(word), LONG_PATH) if "/" in word else cell_len(word)


def _only_draws(cell: RenderableType) -> bool:
    """Whether a cell holds a drawing and no word, or nothing."""
    return not any(character.isalnum() for character in str(cell))


def plain_table(
    *columns: str, rows: Iterable[Sequence[RenderableType]] = (), text: Collection[int] = (0,)
) -> PlainTable:
    """A table without frame; columns at the places `text` hold text, the others figures."""
    grid = PlainTable(box=box.SIMPLE_HEAD, border_style="dim", pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    grid.header_style = "dim"
    for i, name in enumerate(columns):
        is_text = i in text
        grid.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    for row in rows:
        grid.add_row(*row)
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
    """A duration for people: 42 s, 3 min 05."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d}" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def plural(count: int, noun: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
