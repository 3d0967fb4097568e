"""A square of correlations."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from rich.text import Text

from reports.render.palette import ACCENT, WARM
from reports.render.plots.plot import INK, Axes, Plot

_SHADES = " ░▒▓█"


@dataclass(frozen=True)
class Matrix(Plot):
    """Values (n, n) from -1 to 1; `groups` names the group of each row and column, which lie together."""

    values: Sequence[Sequence[float]]
    groups: Sequence[str]
    x_label: str = ""
    y_label: str = ""
    size = 6.4, 5.8

    def _starts(self) -> list[int]:
        """The first row of each group."""
        return [i for i, name in enumerate(self.groups) if not i or self.groups[i - 1] != name]

    def text(self, width: int) -> Text:
        """A cell a value, the darker the further from 0, orange where negative; what is too wide is left out."""
        longest = max(map(len, self.groups))
        lines = []
        for i, row in enumerate(self.values):
            name = self.groups[i] if i in self._starts() else ""
            cells = [
                (_SHADES[round(4 * abs(value))], WARM if value < 0 else ACCENT)
                for value in np.nan_to_num(row)[: width - longest - 1]
            ]
            lines.append(Text.assemble(f"{name:>{longest}} ", *cells))
        return Text("\n", no_wrap=True).join(lines)

    def draw(self, axes: Axes) -> None:
        drawn = axes.imshow(np.array(self.values), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        starts = self._starts()
        middles = [(a + b - 1) / 2 for a, b in zip(starts, [*starts[1:], len(self.groups)], strict=True)]
        names = [name for name, _ in groupby(self.groups)]
        axes.set_xticks(middles, names, rotation=45, ha="right")
        axes.set_yticks(middles, names)
        for edge in starts[1:]:
            axes.axhline(edge - 0.5, color=INK, linewidth=0.6)
            axes.axvline(edge - 0.5, color=INK, linewidth=0.6)
        axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
