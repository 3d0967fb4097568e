"""Points, and how near they are to the diagonal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from reports.render.palette import ACCENT, SERIES
from reports.render.plots.plot import GRID, RULE, Axes, Plot, ticks
from reports.render.plots.terminal import Canvas, Values, framed, layered, value_range

MOST_VECTORS = 2000
"""Points: of more, HTML gets pixels instead of a mark each."""


@dataclass(frozen=True)
class Scatter(Plot):
    """Points (x, y).

    scale   ends of both axes, when they are the same: the diagonal is drawn, and what lies outside at the edge
    groups  of each point, which pictures colour; empty where there is one
    """

    x: Values
    y: Values
    x_label: str
    y_label: str
    scale: tuple[float, float] | None = None
    groups: Sequence[str] = ()
    height: int = 20
    size = 3.8, 3.8

    def _ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (self.scale, self.scale) if self.scale else (value_range(self.x), value_range(self.y))

    def text(self, width: int) -> Text:
        """The denser, the brighter."""
        (x_low, x_high), (y_low, y_high) = self._ends()
        y_ticks = {round((y_high - v) / (y_high - y_low) * (self.height - 1)): f"{v:.3g}" for v in ticks(y_low, y_high)}
        width = min(width - max(map(len, y_ticks.values())) - 2, 2 * self.height + 12)
        x_ticks = {round((v - x_low) / (x_high - x_low) * (width - 1)): f"{v:.3g}" for v in ticks(x_low, x_high)}
        diagonal, points, dense = (Canvas(width, self.height) for _ in range(3))
        along = np.linspace(0, 1, 2 * width if self.scale else 0)
        diagonal.dot(along, along)
        points.dot((np.asarray(self.x) - x_low) / (x_high - x_low), (np.asarray(self.y) - y_low) / (y_high - y_low))
        if points.counts.any():
            dense.bits[:] = points.bits * (points.counts > np.quantile(points.counts[points.counts > 0], 0.8))
        rows = layered((diagonal, "dim"), (points, ACCENT), (dense, f"bold {ACCENT}"))
        return framed(rows, width, y_ticks, x_ticks, self.x_label, self.y_label)

    def draw(self, axes: Axes) -> None:
        x, y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        if self.scale:
            x, y = np.clip(x, *self.scale), np.clip(y, *self.scale)
            axes.plot(self.scale, self.scale, color=RULE, linewidth=1)
            axes.set(xlim=self.scale, ylim=self.scale, xticks=ticks(*self.scale), yticks=ticks(*self.scale), aspect=1)
        names = np.array(self.groups or [""] * len(x))
        for i, name in enumerate(np.unique(names)):
            in_group = names == name
            axes.scatter(
                x[in_group],
                y[in_group],
                s=9,
                color=SERIES[i % len(SERIES)],
                alpha=0.45,
                linewidths=0,
                clip_on=False,
                rasterized=len(x) > MOST_VECTORS,
            )
        axes.grid(color=GRID)
