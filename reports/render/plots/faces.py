"""Shapes of faces beside each other, as wireframes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from reports.render.palette import ACCENT
from reports.render.plots.plot import RULE, Axes, Plot
from reports.render.plots.terminal import MAX_WIDTH, Canvas, layered

NARROWEST = 24
"""Columns that a face needs to be seen; of more faces than fit, a terminal shows the outer ones and the middle."""


@dataclass(frozen=True, eq=False)
class Faces(Plot):
    """Wireframes in one row.

    shapes  caption -> (M, 2) landmarks, y down, all in one unit
    lines   landmarks of each line in drawing order
    edges   (E, 2) edges of the mesh, which pictures show beneath the lines
    """

    shapes: Mapping[str, NDArray[np.float64]]
    lines: Sequence[Sequence[int]]
    edges: NDArray[np.int64]
    x_label: str
    y_label: str = ""

    @property
    def size(self) -> tuple[float, float]:
        return 1.75 * len(self.shapes), 2.5

    def _box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The middle, and half the width and height, of all shapes on top of each other."""
        points = np.concatenate(list(self.shapes.values()))
        low, high = points.min(axis=0), points.max(axis=0)
        return (low + high) / 2, (high - low) / 2

    def text(self, width: int) -> Text:
        names, width = list(self.shapes), min(width, MAX_WIDTH)
        if len(names) * NARROWEST > width:
            names = [names[0], names[len(names) // 2], names[-1]]
        each = max(width // len(names), 4)
        middle, half = self._box()
        # a dot is as high as it is wide
        height = max(round((each - 2) * half[1] / half[0] / 2), 1)
        drawn = [self._drawn(self.shapes[name], middle, half, each - 2, height) for name in names]
        rows = [Text("  ").join(row) for row in zip(*drawn, strict=True)]
        captions = Text("  ".join(name.center(each - 2) for name in names).rstrip(), style="dim")
        return Text("\n", no_wrap=True).join([*rows, captions, Text(self.x_label, style="dim")])

    def _drawn(
        self,
        shape: NDArray[np.float64],
        middle: NDArray[np.float64],
        half: NDArray[np.float64],
        width: int,
        height: int,
    ) -> list[Text]:
        canvas = Canvas(width, height)
        x, y = ((shape - middle) / half * (0.5, -0.5) + 0.5).T
        for line in self.lines:
            steps = np.linspace(0, len(line) - 1, 12 * len(line))
            canvas.dot(*(np.interp(steps, np.arange(len(line)), axis[list(line)]) for axis in (x, y)))
        return layered((canvas, ACCENT))

    def draw(self, axes: Axes) -> None:
        middle, half = self._box()
        for place, (name, shape) in enumerate(self.shapes.items()):
            x, y = (shape - middle).T
            x = x + 2.2 * half[0] * place
            # one path, with a gap after each edge
            gaps = np.full(len(self.edges), np.nan)
            wires = (np.column_stack([*axis[self.edges].T, gaps]).ravel() for axis in (x, y))
            axes.plot(*wires, color=RULE, linewidth=0.3, rasterized=True)
            for line in self.lines:
                axes.plot(x[list(line)], y[list(line)], color=ACCENT, linewidth=0.9)
            axes.text(2.2 * half[0] * place, 1.12 * half[1], name, ha="center", va="top", fontsize=8)
        axes.set(aspect=1, xticks=[], yticks=[], ylim=(1.25 * half[1], -1.05 * half[1]))
        axes.spines[:].set_visible(False)
