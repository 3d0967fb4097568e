"""The plots of a terminal as inline SVG: drawn with lines, in the page's colours, on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from reports.render.palette import ACCENT, SERIES
from reports.render.terminal_plots import Histogram, Lines, Scatter, Values, apart, value_range, whole_numbers

LEFT, BOTTOM, TOP = 52, 44, 26
"""Room for the axes' numbers and names, in units of the drawing."""

LINE = 15
"""Height of a line of text."""


@dataclass(frozen=True)
class _Field:
    """A plot's field within its axes; points of it are fractions from its lower left corner."""

    width: float
    height: float

    def x(self, part: float) -> str:
        return f"{LEFT + part * self.width:.1f}"

    def y(self, part: float) -> str:
        return f"{TOP + (1 - part) * self.height:.1f}"


def histogram_svg(of: Histogram) -> str:
    """Columns over the bins; every one says its range and count where a pointer rests on it."""
    field, top, bins = _Field(560, 180), max(of.counts, default=0) or 1, len(of.counts)
    edges = np.linspace(of.low, of.high, bins + 1)
    columns = [
        f'<rect x="{field.x((i + 0.04) / bins)}" y="{field.y(count / top)}" width="{0.92 * field.width / bins:.1f}" '
        f'height="{count / top * field.height:.1f}" fill="{colour}">'
        f"<title>{edges[i]:.3g} to {edges[i + 1]:.3g}: {count:,}</title></rect>"
        for i, (count, colour) in enumerate(zip(of.counts, of.styles(), strict=True))
    ]
    ticks = {(v - of.low) / (of.high - of.low): f"{v:g}" for v in whole_numbers(of.low, of.high)}
    return _framed(field, ticks, {0.0: "0", 1.0: f"{top:,}"}, of.label, "images", columns)


def scatter_svg(of: Scatter) -> str:
    """Points and the diagonal, on equal axes."""
    field, scale = _Field(380, 380), of.high - of.low
    places = [((np.clip(axis, of.low, of.high) - of.low) / scale).tolist() for axis in (of.x, of.y)]
    # a line of no length with round ends is a dot, and thousands of them are one short path
    dots = "".join(f"M{field.x(x)} {field.y(y)}h0" for x, y in zip(*places, strict=True))
    marks = [
        f'<path d="M{field.x(0)} {field.y(0)}L{field.x(1)} {field.y(1)}" class="axis"/>',
        f'<path d="{dots}" class="dots" stroke="{ACCENT}"/>',
    ]
    ticks = {(v - of.low) / scale: f"{v:g}" for v in whole_numbers(of.low, of.high)}
    return _framed(field, ticks, ticks, of.x_label, of.y_label, marks)


def lines_svg(of: Lines) -> str:
    """Curves, each named where it ends."""
    field = _Field(460, max(200, LINE * len(of.curves)))
    xs, ys = (np.concatenate([np.asarray(curve[axis]) for curve in of.curves.values()]) for axis in (0, 1))
    (x_low, x_high), (y_low, y_high) = value_range(xs), value_range(ys)
    rows = int(field.height // LINE)
    ends = [(y_high - curve[1][-1]) / (y_high - y_low) * (rows - 1) for curve in of.curves.values()]
    marks = []
    for i, ((name, curve), row) in enumerate(zip(of.curves.items(), apart(ends, rows), strict=True)):
        colour = SERIES[i % len(SERIES)]
        across, up = _parts(curve[0], x_low, x_high), _parts(curve[1], y_low, y_high)
        points = " ".join(f"{field.x(x)},{field.y(y)}" for x, y in zip(across, up, strict=True))
        marks += [
            f'<polyline points="{points}" stroke="{colour}" stroke-width="2" fill="none"/>',
            _text(field.width + LEFT + 8, TOP + (row + 0.5) / rows * field.height + 4, name, "start", colour),
        ]
    y_ticks = {0.0: f"{y_low:.3g}", 0.5: f"{(y_low + y_high) / 2:.3g}", 1.0: f"{y_high:.3g}"}
    longest = max(map(len, of.curves))
    x_ticks = {0.0: f"{x_low:g}", 1.0: f"{x_high:g}"}
    return _framed(field, x_ticks, y_ticks, of.x_label, of.y_label, marks, right=16 + 7 * longest)


def _parts(values: Values, low: float, high: float) -> list[float]:
    parts: list[float] = ((np.asarray(values) - low) / (high - low)).tolist()
    return parts


def _framed(
    field: _Field,
    x_ticks: Mapping[float, str],
    y_ticks: Mapping[float, str],
    x_label: str,
    y_label: str,
    marks: Sequence[str],
    right: float = 16,
) -> str:
    """Marks over their axes; ticks: fraction -> label."""
    width, height = LEFT + field.width + right, TOP + field.height + BOTTOM
    floor = TOP + field.height
    axes = [f'<path d="M{LEFT} {TOP}V{floor}H{LEFT + field.width}" class="axis"/>']
    axes += [f'<path d="M{LEFT} {field.y(part)}H{LEFT + field.width}" class="grid"/>' for part in y_ticks if part]
    words = [_text(LEFT + part * field.width, floor + LINE + 1, label) for part, label in x_ticks.items()]
    words += [_text(LEFT - 6, float(field.y(part)) + 4, label, "end") for part, label in y_ticks.items()]
    words += [_text(LEFT + field.width / 2, floor + 2 * LINE + 5, x_label), _text(4, LINE - 3, y_label, "start")]
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" role="img" '
        f'aria-label="{escape(f"{y_label} against {x_label}")}">{"".join([*axes, *marks, *words])}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{fill}>{escape(text)}</text>'
