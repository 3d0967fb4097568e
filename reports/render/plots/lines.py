"""Curves over one axis."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from reports.render.palette import SERIES
from reports.render.plots.plot import GRID, Axes, Plot
from reports.render.plots.terminal import MAX_WIDTH, Canvas, Values, framed, layered, rows_apart, value_range

LONGEST_NAME = 24


@dataclass(frozen=True)
class Lines(Plot):
    """Curves name -> (x, y). A terminal names each where it ends, and of a long name shows the end."""

    curves: Mapping[str, tuple[Values, Values]]
    x_label: str
    y_label: str

    @property
    def size(self) -> tuple[float, float]:
        return 5.6, max(2.6, 0.2 * len(self.curves))

    def text(self, width: int) -> Text:
        height = max(13, len(self.curves))
        xs, ys = (np.concatenate([np.asarray(c[axis]) for c in self.curves.values()]) for axis in (0, 1))
        (x_low, x_high), (y_low, y_high) = value_range(xs), value_range(ys)
        middle = (height - 1) // 2
        y_ticks = {0: f"{y_high:.3g}", middle: f"{(y_high + y_low) / 2:.3g}", height - 1: f"{y_low:.3g}"}
        names = [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in self.curves]
        width = min(width, MAX_WIDTH) - max(map(len, names)) - max(map(len, y_ticks.values())) - 3
        layers, ends = [], []
        for i, (x, y) in enumerate(self.curves.values()):
            across, up = (np.asarray(x) - x_low) / (x_high - x_low), (np.asarray(y) - y_low) / (y_high - y_low)
            along = np.linspace(across[0], across[-1], 8 * width)
            layers.append((Canvas(width, height), SERIES[i % len(SERIES)]))
            layers[-1][0].dot(along, np.interp(along, across, up))
            ends.append((1 - up[-1]) * (height - 1))
        rows = layered(*layers)
        for i, place in enumerate(rows_apart(ends, height)):
            rows[place].append(f" {names[i]}", style=layers[i][1])
        x_ticks = {0: f"{x_low:g}", width - 1: f"{x_high:g}"}
        return framed(rows, width, y_ticks, x_ticks, self.x_label, self.y_label)

    def draw(self, axes: Axes) -> None:
        for i, (name, (x, y)) in enumerate(self.curves.items()):
            axes.plot(x, y, color=SERIES[i % len(SERIES)], marker="o", markersize=2.5, linewidth=1.5, label=name)
        axes.locator_params(axis="x", integer=True)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        axes.grid(color=GRID)
