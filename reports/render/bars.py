"""Drawings that fit into a table's cell, legible with and without colour, in a terminal and in HTML."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from reports.render.palette import ACCENT, WARM

_BLOCKS = " ▁▂▃▄▅▆▇█"
FILL, POINT, REFERENCE = "━●│"


class Drawing(ABC):
    """Draws the number beside it: in a terminal by `text`, in HTML by a macro of its name."""

    @abstractmethod
    def text(self) -> Text:
        """Lines of the same number of characters."""

    def __rich__(self) -> Text:
        return self.text()

    def __str__(self) -> str:
        return self.text().plain


@dataclass(frozen=True)
class Span:
    """A part of a bar's track, from `start` to `end` of it: filled, a point or a reference."""

    start: float
    end: float
    glyph: str
    style: str


@dataclass(frozen=True)
class Bar(Drawing):
    """A track with spans on it, a later one above those before."""

    spans: Sequence[Span]
    width: int

    def text(self) -> Text:
        cells = [("─", "dim")] * self.width
        for span in self.spans:
            first, halves = round(span.start * self.width), round(2 * span.end * self.width)
            if span.glyph != FILL:
                first = min(int(span.start * self.width), self.width - 1)
                halves = 2 * first + 2
            cells[first : halves // 2] = [(span.glyph, span.style)] * (halves // 2 - first)
            if halves % 2:
                cells[halves // 2] = ("╸", span.style)
        return Text.assemble(*cells)


def _part(value: float, start: float, end: float) -> float:
    """Where a value lies between start and end, held within 0 and 1; in the middle where these are one number."""
    # halves, because the distance of two numbers may be larger than any number; half of the smallest number is 0
    length = end / 2 - start / 2
    return min(max((value / 2 - start / 2) / length, 0.0), 1.0) if length else 0.5


def bar(fraction: float, width: int = 16, style: str = ACCENT) -> Bar:
    """A bar on a track, filled from the left; the fraction is held within 0 and 1, no number is 0."""
    return Bar([Span(0, _part(fraction, 0, 1) if math.isfinite(fraction) else 0, FILL, style)], width)


def score_bar(score: float, low: float, high: float, width: int = 16, style: str = ACCENT) -> Bar:
    """Where a score lies between the ends of its scale."""
    return bar((score - low) / (high - low), width, style)


def signed_bar(value: float, limit: float, width: int = 17) -> Bar:
    """A bar from the middle, as long as half of `width` at the limit: to the left where negative."""
    spans = [Span(0.5, 0.5, REFERENCE, "")]
    if limit and math.isfinite(value):
        start, end = sorted((0.5, _part(value, -limit, limit)))
        spans.insert(0, Span(start, end, FILL, WARM if value < 0 else ACCENT))
    return Bar(spans, width)


def interval_bar(
    low: float, value: float, high: float, start: float, end: float, reference: float = 0, width: int = 31
) -> Bar:
    """A value with its interval on a line from `start` to `end`, where `reference` is marked."""
    spans = []
    if start < end and math.isfinite(reference):
        place = _part(reference, start, end)
        spans.append(Span(place, place, REFERENCE, "dim"))
    if start < end and math.isfinite(low + value + high):
        first, point, last = (_part(v, start, end) for v in (low, value, high))
        spans += [Span(first, last, FILL, ACCENT), Span(point, point, POINT, ACCENT)]
    return Bar(spans, width)


@dataclass(frozen=True)
class ScoreLine:
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
        drawn = score_bar(self.score, self.low, self.high, width, self.style)
        yield Text.assemble((low, "dim"), drawn.text(), (high, "dim"), no_wrap=True)


@dataclass(frozen=True)
class Spark(Drawing):
    """A histogram in one line, or in as many as `height`; an empty bin is a blank, any other shows."""

    counts: Sequence[int]
    style: str = ACCENT
    height: int = 1

    def text(self) -> Text:
        top = max(self.counts, default=0) or 1
        levels = [max(round(8 * self.height * c / top), 1) if c else 0 for c in self.counts]
        rows = ("".join(column(level - 8 * row) for level in levels) for row in reversed(range(self.height)))
        return Text("\n".join(rows), style=self.style)


def column(level: float) -> str:
    """One cell of a column that is filled to `level` eighths."""
    return _BLOCKS[min(max(round(level), 0), 8)]
