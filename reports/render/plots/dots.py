"""A value a name, with its interval where one is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from reports.render.bars import interval_bar
from reports.render.palette import ACCENT, WARM
from reports.render.plots.plot import GRID, Axes, Plot
from reports.render.plots.terminal import MAX_WIDTH


@dataclass(frozen=True)
class Dots(Plot):
    """A dot a name, the first on top, beside a reference, which is not drawn where it is NaN.

    ends     name -> low and high end of its interval
    scale    ends of the axis; None for as much as the values need
    colours  of the dots, taken in turn
    """

    values: Mapping[str, float]
    x_label: str
    ends: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference: float = 0
    scale: tuple[float, float] | None = None
    colours: Sequence[str] = (ACCENT,)
    y_label: str = ""

    @property
    def size(self) -> tuple[float, float]:
        return 5.2, 0.8 + 0.24 * len(self.values)

    def text(self, width: int) -> Text:
        everything = (*self.values.values(), *(end for ends in self.ends.values() for end in ends), self.reference)
        known = [value for value in everything if math.isfinite(value)] or [0.0]
        start, end = self.scale or (min(known), max(known))
        longest, figure = max(map(len, self.values)), max(len(f"{value:.3g}") for value in self.values.values())
        width = max(min(width, MAX_WIDTH) - longest - figure - 2, 1)
        lines = []
        for name, value in self.values.items():
            low, high = self.ends.get(name, (value, value))
            drawn = interval_bar(low, value, high, start, end, self.reference, width)
            lines.append(Text.assemble(f"{name:>{longest}} ", drawn.text(), f" {value:>{figure}.3g}"))
        return Text("\n", no_wrap=True).join([*lines, Text(self.x_label, style="dim")])

    def draw(self, axes: Axes) -> None:
        for place, (name, value) in enumerate(self.values.items()):
            colour = self.colours[place % len(self.colours)]
            axes.plot(self.ends.get(name, (value, value)), (place, place), color=colour, linewidth=3, alpha=0.5)
            axes.plot(value, place, "o", color=colour, markersize=5)
        axes.axvline(self.reference, color=WARM, linewidth=1)
        axes.set_yticks(range(len(self.values)), [f"{name}  {value:.3g}" for name, value in self.values.items()])
        axes.set_ylim(len(self.values) - 0.5, -0.5)
        if self.scale:
            axes.set_xlim(*self.scale)
        axes.grid(axis="x", color=GRID)
