"""Columns of counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.text import Text

from reports.render.bars import column
from reports.render.palette import ACCENT, SERIES, WARM
from reports.render.plots.plot import GRID, Axes, Plot, ticks
from reports.render.plots.terminal import MAX_WIDTH, framed


@dataclass(frozen=True)
class Histogram(Plot):
    """Columns of counts over equal bins from `low` to `high`.

    span    values whose columns stand out, such as an interval
    groups  name -> its part of the counts, which pictures stack
    """

    counts: Sequence[int]
    low: float
    high: float
    x_label: str
    height: int = 8
    span: tuple[float, float] | None = None
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    colour: str = ACCENT
    y_label: str = "images"
    size = 5.2, 2.3

    def text(self, width: int) -> Text:
        top = max(self.counts, default=0) or 1
        gutter = len(f"{top:,}")
        step = max((min(width, MAX_WIDTH) - gutter - 2) // len(self.counts), 1)
        gap = " " if step > 2 else ""
        rows = []
        for row in reversed(range(self.height)):
            levels = (8 * (self.height * count / top - row) for count in self.counts)
            cells = (column(level) * (step - len(gap)) + gap for level in levels)
            rows.append(Text.assemble(*zip(cells, self._colours(), strict=True)))
        drawn = step * len(self.counts)
        places = {v: round((v - self.low) / (self.high - self.low) * drawn) for v in ticks(self.low, self.high)}
        x_ticks = {min(place, drawn - 1): f"{value:.3g}" for value, place in places.items()}
        return framed(rows, drawn, {0: f"{top:,}", self.height - 1: "0"}, x_ticks, self.x_label)

    def _colours(self) -> list[str]:
        """Of each column."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        middles = (edges[:-1] + edges[1:]) / 2
        return [WARM if self.span and self.span[0] <= middle <= self.span[1] else self.colour for middle in middles]

    def draw(self, axes: Axes) -> None:
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        below = np.zeros(len(self.counts))
        for i, (name, counts) in enumerate((self.groups or {"": self.counts}).items()):
            colours = SERIES[i % len(SERIES)] if self.groups else self._colours()
            columns = axes.bar(
                edges[:-1], counts, 0.94 * np.diff(edges), below, align="edge", color=colours, label=name
            )
            below += counts
            for patch, low, high, count in zip(columns, edges, edges[1:], counts, strict=False):
                # HTML shows it when the pointer is over the column
                patch.set_gid(f"{name} {low:.3g} to {high:.3g}: {count:,}".strip())
        if self.groups:
            axes.legend()
        axes.set_xlim(self.low, self.high)
        axes.set_xticks(ticks(self.low, self.high))
        axes.locator_params(axis="y", nbins=4, integer=True)
        axes.grid(axis="y", color=GRID)
