"""Figures for papers: what their axes look like and how they are written, as PNG or SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reports.render.palette import ACCENT, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#333a41"
GRID = "#e6e9ec"


def figure(width: float, height: float, title: str, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of width x height inches and its axes, row by row."""
    # a terminal report should not wait for matplotlib to load
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    made.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    axes = [made.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color("#aab2ba")
        each.tick_params(colors=INK, labelsize=8)
        each.set_axisbelow(True)
    return made, axes


def save(made: Figure, folder: Path, name: str, suffix: str) -> Path:
    """Write `folder/name.suffix`; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{suffix}"
    made.savefig(path, dpi=150, metadata={"Date": None} if suffix == "svg" else None)
    return path


def jpeg(made: Figure) -> bytes:
    """The figure as a JPEG for a page: of a photo it is a quarter of a PNG, and sooner written."""
    file = io.BytesIO()
    made.savefig(file, dpi=110, format="jpeg", pil_kwargs={"quality": 90})
    return file.getvalue()


def label(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Labels and a small title."""
    axes.set_xlabel(x, color=INK, fontsize=9)
    axes.set_ylabel(y, color=INK, fontsize=9)
    axes.set_title(title, color=INK, fontsize=10, loc="left")


def horizontal_bars(axes: Axes, values: Mapping[str, float], colours: Sequence[str]) -> None:
    """One bar a name, the first on top, its value written beside it."""
    places = np.arange(len(values))
    bars = axes.barh(places, list(values.values()), color=colours, height=0.7)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8, color=INK)
    axes.set_yticks(places, list(values), fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.grid(axis="x", color=GRID)


def draw_scatter(axes: Axes, truth: Sequence[float], predicted: Sequence[float], low: float, high: float) -> None:
    """Predicted against true with the diagonal, on equal axes."""
    low, high = min(low, *predicted), max(high, *predicted)
    axes.plot([low, high], [low, high], color="#aab2ba", linewidth=1)
    axes.scatter(truth, predicted, s=9, color=ACCENT, alpha=0.45, linewidths=0)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.grid(color=GRID)


def draw_curve(axes: Axes, x: Sequence[float], y: Sequence[float], name: str, i: int) -> None:
    """One curve, named in the legend."""
    axes.plot(x, y, color=SERIES[i % len(SERIES)], marker="o", markersize=3, linewidth=1.6, label=name)
    axes.grid(color=GRID)
