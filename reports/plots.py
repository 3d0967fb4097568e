"""Plots for a terminal: they take the width that is there and need no colour to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from reports.bars import column
from reports.palette import ACCENT, SERIES

MAX_WIDTH = 92
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
"""Bits of a braille cell: 4 rows of 2 dots."""

Values = Sequence[float] | NDArray[np.float64]
Ticks = Mapping[int, str]


@dataclass(frozen=True)
class Histogram:
    """Columns of counts over equal bins from `low` to `high`; whole numbers are labelled."""

    counts: Sequence[int]
    low: float
    high: float
    label: str
    height: int = 8

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        top = max(self.counts, default=0) or 1
        gutter = len(f"{top:,}")
        step = max((min(options.max_width, MAX_WIDTH) - gutter - 2) // len(self.counts), 1)
        gap = " " if step > 2 else ""
        rows = []
        for row in reversed(range(self.height)):
            levels = (8 * (self.height * count / top - row) for count in self.counts)
            cells = (column(level) * (step - len(gap)) + gap for level in levels)
            rows.append(Text("".join(cells), style=ACCENT))
        width = step * len(self.counts)
        places = {v: (v - self.low) / (self.high - self.low) * (width - 1) for v in _whole(self.low, self.high)}
        x_ticks = {round(place): f"{value:g}" for value, place in places.items()}
        yield _framed(rows, {0: f"{top:,}", self.height - 1: "0"}, x_ticks, self.label)


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
        values = _whole(self.low, self.high)
        places = {v: (v - self.low) / scale for v in values}
        y_ticks = {round((1 - p) * (self.height - 1)): f"{v:g}" for v, p in places.items()}
        x_ticks = {round(p * (width - 1)): f"{v:g}" for v, p in places.items()}
        yield Text(self.y_label, style="dim")
        yield _framed(rows, y_ticks, x_ticks, self.x_label)


@dataclass(frozen=True)
class Lines:
    """Curves name -> (x, y), each named where it ends."""

    curves: Mapping[str, tuple[Values, Values]]
    x_label: str
    y_label: str
    height: int = 12

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        xs, ys = (np.concatenate([np.asarray(c[axis]) for c in self.curves.values()]) for axis in (0, 1))
        (x_low, x_high), (y_low, y_high) = _range(xs), _range(ys)
        names = max(len(name) for name in self.curves)
        width = min(options.max_width, MAX_WIDTH) - names - 9
        rows = [Text() for _ in range(self.height)]
        canvases = []
        for x, y in self.curves.values():
            canvas = _Canvas(width, self.height)
            along = np.linspace(x[0], x[-1], 4 * width)
            canvas.dot((along - x_low) / (x_high - x_low), (np.interp(along, x, y) - y_low) / (y_high - y_low))
            canvases.append(canvas)
        for y in range(self.height):
            for x in range(width):
                drawn = [i for i, canvas in enumerate(canvases) if canvas.bits[y, x]]
                char = canvases[drawn[-1]].char(x, y) if drawn else " "
                rows[y].append(char, style=_style(drawn[-1]) if drawn else "")
        ends = [(y_high - y[-1]) / (y_high - y_low) * (self.height - 1) for _, y in self.curves.values()]
        for (i, name), place in zip(enumerate(self.curves), _apart(ends, self.height), strict=True):
            rows[place].append(f" {name}", style=_style(i))
        y_ticks = {0: f"{y_high:.3g}", self.height // 2: f"{(y_high + y_low) / 2:.3g}", self.height - 1: f"{y_low:.3g}"}
        yield Text(self.y_label, style="dim")
        yield _framed(rows, y_ticks, {0: f"{x_low:g}", width - 1: f"{x_high:g}"}, self.x_label)


class _Canvas:
    """A field of braille cells; (0, 0) is its lower left, (1, 1) its upper right corner."""

    def __init__(self, width: int, height: int) -> None:
        self.bits = np.zeros((height, width), dtype=np.uint8)
        self.counts = np.zeros((height, width), dtype=np.int64)

    def dot(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Dots at fractions of the field; those outside are left out."""
        height, width = self.bits.shape
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        column = np.round(x[inside] * (2 * width - 1)).astype(int)
        row = np.round((1 - y[inside]) * (4 * height - 1)).astype(int)
        np.bitwise_or.at(self.bits, (row // 4, column // 2), _DOTS[row % 4, column % 2])
        np.add.at(self.counts, (row // 4, column // 2), 1)

    def char(self, x: int, y: int) -> str:
        """The cell as a character, blank where there is no dot."""
        return chr(0x2800 + int(self.bits[y, x])) if self.bits[y, x] else " "


def _framed(rows: Sequence[Text], y_ticks: Ticks, x_ticks: Ticks, x_label: str) -> Text:
    """Rows between a left and a lower axis. Ticks: row or column -> label."""
    gutter = max(len(label) for label in y_ticks.values())
    width = max(max(x_ticks), *(len(row.plain.rstrip()) for row in rows)) + 1 if x_ticks else 0
    lines = []
    for i, row in enumerate(rows):
        axis = f"{y_ticks.get(i, ''):>{gutter}} {'┤' if i in y_ticks else '│'}"
        lines.append(Text.assemble((axis, "dim"), row))
    end = max(x_ticks) + 1
    ruler = "".join("┬" if i in x_ticks else "─" for i in range(end))
    labels = [" "] * (width + gutter + 12)
    for place, label in x_ticks.items():
        start = gutter + 2 + place - (len(label) - 1 if place == end - 1 else len(label) // 2)
        labels[start : start + len(label)] = label
    lines.append(Text(" " * gutter + " └" + ruler, style="dim"))
    lines.append(Text("".join(labels).rstrip(), style="dim"))
    lines.append(Text(" " * (gutter + 2) + x_label.center(end).rstrip(), style="dim"))
    return Text("\n", no_wrap=True).join(lines)


def _whole(low: float, high: float) -> list[int]:
    """The whole numbers from low to high."""
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _apart(places: Sequence[float], height: int) -> list[int]:
    """A row of its own for each of at most `height` places, as near to it as that allows."""
    taken: dict[int, int] = {}
    for i in np.argsort(places, kind="stable"):
        free = [row for row in range(height) if row not in taken.values()]
        taken[int(i)] = min(free, key=lambda row: abs(row - places[i]))
    return [taken[i] for i in range(len(places))]


def _style(i: int) -> str:
    return SERIES[i % len(SERIES)]
