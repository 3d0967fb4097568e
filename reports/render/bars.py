"""Bars that fit into a table's cell, legible with and without colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from reports.render.palette import ACCENT, WARM

_BLOCKS = " ▁▂▃▄▅▆▇█"


def bar(fraction: float, width: int = 16, style: str = ACCENT) -> Text:
    """A bar on a track, filled from the left; the fraction is held within 0 and 1, no number is 0."""
    halves = round(2 * width * min(max(fraction, 0.0), 1.0)) if math.isfinite(fraction) else 0
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return Text.assemble((filled, style), ("─" * (width - len(filled)), "dim"))


def score_bar(score: float, low: float, high: float, width: int = 16, style: str = ACCENT) -> Text:
    """Where a score lies between the ends of its scale."""
    return bar((score - low) / (high - low), width, style)


@dataclass(frozen=True)
class Scale:
    """A score between the ends of its scale, which are named: as wide as there is room, at most `width`."""

    score: float
    low: float
    high: float
    style: str = ACCENT
    width: int = 44

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(options.max_width, 8), min(options.max_width, self.width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        low, high = f"{self.low:g} ", f" {self.high:g}"
        width = max(min(options.max_width, self.width) - len(low) - len(high), 1)
        yield Text.assemble(
            (low, "dim"), score_bar(self.score, self.low, self.high, width, self.style), (high, "dim"), no_wrap=True
        )


def signed_bar(value: float, limit: float, width: int = 17) -> Text:
    """A bar from the middle, as long as half of `width` at the limit: to the left where negative."""
    half = width // 2
    cells = round(half * min(abs(value) / limit, 1)) if limit and math.isfinite(value) else 0
    left, right = ("━" * cells, "") if value < 0 else ("", "━" * cells)
    return Text.assemble(
        ("─" * (half - len(left)), "dim"),
        (left, WARM),
        "│",
        (right, ACCENT),
        ("─" * (half - len(right)), "dim"),
    )


def interval_bar(low: float, value: float, high: float, limit: float, width: int = 31) -> Text:
    """A value with its interval on a line from -limit to limit with zero in its middle."""
    ends = (low, value, high) if limit and math.isfinite(low + value + high) else ()
    start, point, end = (
        (round((min(max(v / limit, -1), 1) + 1) / 2 * (width - 1)) for v in ends) if ends else (width, -1, -1)
    )
    made = Text()
    for cell in range(width):
        if cell == point:
            made.append("●", style=ACCENT)
        elif start <= cell <= end:
            made.append("━", style=ACCENT)
        else:
            made.append("│" if cell == width // 2 else "─", style="dim")
    return made


def spark(counts: Sequence[int], style: str = ACCENT, height: int = 1) -> Text:
    """A histogram in one line, or in as many as `height`; an empty bin is a blank, any other shows."""
    top = max(counts, default=0) or 1
    levels = [max(round(8 * height * c / top), 1) if c else 0 for c in counts]
    rows = ("".join(column(level - 8 * row) for level in levels) for row in reversed(range(height)))
    return Text("\n".join(rows), style=style)


def column(level: float) -> str:
    """One cell of a column that is filled to `level` eighths."""
    return _BLOCKS[min(max(round(level), 0), 8)]
