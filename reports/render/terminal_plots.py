"""Plots for a terminal: they take the width that is there and need no colour to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from reports.render.bars import column
from reports.render.palette import ACCENT, SERIES, WARM

MAX_WIDTH = 92
LONGEST_NAME = 24
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
"""Bits of a braille cell: 4 rows of 2 dots."""

Values = Sequence[float] | NDArray[np.float64]
Ticks = Mapping[int, str]


@dataclass(frozen=True)
class Histogram:
    """Columns of counts over equal bins from `low` to `high`; whole numbers are labelled.

    span  values whose columns stand out, such as an interval
    """

    counts: Sequence[int]
    low: float
    high: float
    label: str
    height: int = 8
    span: tuple[float, float] | None = None

    def styles(self) -> list[str]:
        """The colour of each column."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        middles = (edges[:-1] + edges[1:]) / 2
        return [WARM if self.span and self.span[0] <= middle <= self.span[1] else ACCENT for middle in middles]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        top = max(self.counts, default=0) or 1
        gutter = len(f"{top:,}")
        step = max((min(options.max_width, MAX_WIDTH) - gutter - 2) // len(self.counts), 1)
        gap = " " if step > 2 else ""
        rows = []
        for row in reversed(range(self.height)):
            levels = (8 * (self.height * count / top - row) for count in self.counts)
            cells = (column(level) * (step - len(gap)) + gap for level in levels)
            rows.append(Text.assemble(*zip(cells, self.styles(), strict=True)))
        width = step * len(self.counts)
        places = {v: round((v - self.low) / (self.high - self.low) * width) for v in whole_numbers(self.low, self.high)}
        x_ticks = {min(place, width - 1): f"{value:g}" for value, place in places.items()}
        yield _framed(rows, width, {0: f"{top:,}", self.height - 1: "0"}, x_ticks, self.label)


@dataclass(frozen=True)
class Scatter:
    """Points (x, y) on equal axes from `low` to `high` with their diagonal; the denser, the brighter."""

    x: Values
    y: Values
    low: float
    high: float
    x_label: str
    y_label: str
    height: int = 20

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width - 8, 2 * self.height + 12)
        points, diagonal = _Canvas(width, self.height), _Canvas(width, self.height)
        along = np.linspace(0, 1, 2 * width)
        diagonal.dot(along, along)
        scale = self.high - self.low
        points.dot((np.asarray(self.x) - self.low) / scale, (np.asarray(self.y) - self.low) / scale)
        dense = np.quantile(points.counts[points.counts > 0], 0.8) if points.counts.any() else 1
        rows = []
        for y in range(self.height):
            row = Text()
            for x in range(width):
                if points.bits[y, x]:
                    row.append(points.char(x, y), style=f"bold {ACCENT}" if points.counts[y, x] > dense else ACCENT)
                else:
                    row.append(diagonal.char(x, y), style="dim")
            rows.append(row)
        values = whole_numbers(self.low, self.high)
        places = {v: (v - self.low) / scale for v in values}
        y_ticks = {round((1 - p) * (self.height - 1)): f"{v:g}" for v, p in places.items()}
        x_ticks = {round(p * (width - 1)): f"{v:g}" for v, p in places.items()}
        yield Text(self.y_label, style="dim")
        yield _framed(rows, width, y_ticks, x_ticks, self.x_label)


@dataclass(frozen=True)
class Lines:
    """Curves name -> (x, y), each named where it ends; of a long name its end is shown."""

    curves: Mapping[str, tuple[Values, Values]]
    x_label: str
    y_label: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = max(13, len(self.curves))
        xs, ys = (np.concatenate([np.asarray(c[axis]) for c in self.curves.values()]) for axis in (0, 1))
        (x_low, x_high), (y_low, y_high) = value_range(xs), value_range(ys)
        middle = (height - 1) // 2
        y_ticks = {0: f"{y_high:.3g}", middle: f"{(y_high + y_low) / 2:.3g}", height - 1: f"{y_low:.3g}"}
        names = [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in self.curves]
        beside = max(map(len, names)) + max(map(len, y_ticks.values())) + 3
        width = min(options.max_width, MAX_WIDTH) - beside
        fractions = [
            ((np.asarray(x) - x_low) / (x_high - x_low), (np.asarray(y) - y_low) / (y_high - y_low))
            for x, y in self.curves.values()
        ]
        rows = _curve_rows(fractions, width, height)
        ends = [(1 - y[-1]) * (height - 1) for _, y in fractions]
        for i, place in enumerate(apart(ends, height)):
            rows[place].append(f" {names[i]}", style=_style(i))
        yield Text(self.y_label, style="dim")
        yield _framed(rows, width, y_ticks, {0: f"{x_low:g}", width - 1: f"{x_high:g}"}, self.x_label)


def _curve_rows(
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], width: int, height: int
) -> list[Text]:
    """Polylines through fractions of a field; where two meet, the cell has the colour of the later one."""
    canvases = [_Canvas(width, height) for _ in curves]
    whole = _Canvas(width, height)
    for canvas, (x, y) in zip(canvases, curves, strict=True):
        along = np.linspace(x[0], x[-1], 8 * width)
        for each in (canvas, whole):
            each.dot(along, np.interp(along, x, y))
    rows = [Text() for _ in range(height)]
    for row, cells in enumerate(rows):
        for place in range(width):
            drawn = [i for i, canvas in enumerate(canvases) if canvas.bits[row, place]]
            cells.append(whole.char(place, row), style=_style(drawn[-1]) if drawn else "")
    return rows


class _Canvas:
    """A field of braille cells; (0, 0) is its lower left, (1, 1) its upper right corner."""

    def __init__(self, width: int, height: int) -> None:
        self.bits = np.zeros((height, width), dtype=np.uint8)
        self.counts = np.zeros((height, width), dtype=np.int64)

    def dot(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Dots at fractions of the field; what lies outside is drawn on its edge."""
        height, width = self.bits.shape
        column = np.round(np.clip(x, 0, 1) * (2 * width - 1)).astype(int)
        row = np.round((1 - np.clip(y, 0, 1)) * (4 * height - 1)).astype(int)
        np.bitwise_or.at(self.bits, (row // 4, column // 2), _DOTS[row % 4, column % 2])
        np.add.at(self.counts, (row // 4, column // 2), 1)

    def char(self, x: int, y: int) -> str:
        """The cell as a character, blank where there is no dot."""
        return chr(0x2800 + int(self.bits[y, x])) if self.bits[y, x] else " "


def _framed(rows: Sequence[Text], width: int, y_ticks: Ticks, x_ticks: Ticks, x_label: str) -> Text:
    """Rows over a lower axis of `width` cells. Ticks: row or column -> label."""
    gutter = max(len(label) for label in y_ticks.values())
    lines = []
    for i, row in enumerate(rows):
        axis = f"{y_ticks.get(i, ''):>{gutter}} {'┤' if i in y_ticks else '│'}"
        lines.append(Text.assemble((axis, "dim"), row))
    labels = [" "] * width
    for place, label in x_ticks.items():
        start = min(max(place - len(label) // 2, 0), width - len(label))
        labels[start : start + len(label)] = label
    ruler = "".join("┬" if i in x_ticks else "─" for i in range(width))
    lines.append(Text(" " * gutter + " └" + ruler, style="dim"))
    for below in ("".join(labels), x_label.center(width)):
        lines.append(Text((" " * (gutter + 2) + below).rstrip(), style="dim"))
    return Text("\n", no_wrap=True).join(lines)


def whole_numbers(low: float, high: float) -> list[int]:
    """The whole numbers from low to high."""
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))


def value_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest value, apart from each other."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def apart(places: Sequence[float], height: int) -> list[int]:
    """A row of its own for each of at most `height` places, as near to it as that allows."""
    taken: dict[int, int] = {}
    for i in np.argsort(places, kind="stable"):
        free = [row for row in range(height) if row not in taken.values()]
        taken[int(i)] = min(free, key=lambda row: abs(row - places[i]))
    return [taken[i] for i in range(len(places))]


def _style(i: int) -> str:
    return SERIES[i % len(SERIES)]
