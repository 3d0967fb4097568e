"""Building blocks of plots in a terminal: dots in braille cells, and a frame with ticks."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

MAX_WIDTH = 92
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
"""Bits of a braille cell: 4 rows of 2 dots."""

Values = Sequence[float] | NDArray[np.float64]
Ticks = Mapping[int, str]


class Canvas:
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


def layered(*layers: tuple[Canvas, str]) -> list[Text]:
    """Rows of canvases, each in its style: a cell is that of the last one that has a dot in it."""
    height, width = layers[0][0].bits.shape
    rows = [Text() for _ in range(height)]
    for y, x in np.ndindex(height, width):
        drawn = ((canvas.bits[y, x], style) for canvas, style in reversed(layers) if canvas.bits[y, x])
        bits, style = next(drawn, (0, ""))
        rows[y].append(chr(0x2800 + int(bits)) if bits else " ", style=style)
    return rows


def framed(rows: Sequence[Text], width: int, y_ticks: Ticks, x_ticks: Ticks, x_label: str, y_label: str = "") -> Text:
    """Rows over a lower axis of `width` cells, under the label of the other one. Ticks: row or column -> label."""
    gutter = max(len(label) for label in y_ticks.values())
    lines = [Text(y_label, style="dim")] if y_label else []
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


def value_range(values: Values) -> tuple[float, float]:
    """Lowest and highest value; half a unit below and above where they are one."""
    known = np.asarray(values) if len(values) else np.zeros(1)
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def rows_apart(places: Sequence[float], height: int) -> list[int]:
    """A row of its own for each of at most `height` places, as near to it as that allows."""
    taken: dict[int, int] = {}
    for i in np.argsort(places, kind="stable"):
        free = [row for row in range(height) if row not in taken.values()]
        taken[int(i)] = min(free, key=lambda row: abs(row - places[i]))
    return [taken[i] for i in range(len(places))]
