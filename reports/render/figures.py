"""Plots and photos drawn by matplotlib: SVG for a page, PNG or SVG files for papers."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from reports.render.plots import Panel, Plot
from reports.render.plots.plot import GRID, INK, RULE

if TYPE_CHECKING:
    import matplotlib.figure

PIXELS = 120
"""Of an inch, on a page: letters are then as large as those of its tables."""
STYLE: Any = {
    "font.size": 8,
    "legend.frameon": False,
    "svg.hashsalt": "kallos",
    "text.parse_math": False,  # a file's name is no formula, whatever dollars it holds
    **{f"axes.spines.{side}": False for side in ("top", "right")},
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), INK),
    "axes.edgecolor": RULE,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
}
_DRAWING = Lock()
"""matplotlib's settings are those of the process, and the page answers on several threads."""


@dataclass(frozen=True)
class Figure:
    """A picture for a paper: panels, each with its title, row by row; `name` is that of its file."""

    name: str
    title: str
    panels: Sequence[tuple[str, Panel]]
    columns: int = 3


def write(figure: Figure, file: Path) -> Path:
    """Write it as .png or .svg; the folder is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if file.suffix == ".svg" else None
    file.write_bytes(_rendered(figure, file.suffix[1:], dpi=200, metadata=metadata))
    return file


def jpeg(figure: Figure) -> bytes:
    """For a page with photos: of a photo it is a quarter of a PNG, and sooner written."""
    return _rendered(figure, "jpeg", dpi=110, pil_kwargs={"quality": 90})


def svg(plot: Plot) -> str:
    """An element for a page that sets --faint and --rule, which its text and its axes are drawn in."""
    omitted = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    style = STYLE | {"svg.fonttype": "none"}
    file = _rendered(Figure("", "", [("", plot)]), "svg", style, dpi=200, transparent=True, metadata=omitted)
    # what follows matplotlib's own head and its style of every element
    markup = file.decode().partition("</defs>")[2]
    for pattern, replacement in (
        (r' id="[\w.]+_\d+"', ""),
        (r'<g id="([^"]+)">', r"<g><title>\1</title>"),
        (r" font-family: [^;]+;", ""),
        (INK, "var(--faint)"),
        (f"{RULE}|{GRID}", "var(--rule)"),
    ):
        markup = re.sub(pattern, replacement, markup)
    width, height = plot.size
    about = f"{plot.y_label} against {plot.x_label}" if plot.y_label else plot.x_label
    return (
        f'<svg class="plot" viewBox="0 0 {72 * width:g} {72 * height:g}" style="max-width: {PIXELS * width:.0f}px" '
        f'role="img" aria-label="{escape(about)}">{markup}'
    )


def _rendered(figure: Figure, format: str, style: Any = STYLE, **options: Any) -> bytes:
    """The file. `options` are those of matplotlib's `savefig`."""
    # a terminal report should not wait for matplotlib to load
    import matplotlib

    file = io.BytesIO()
    with _DRAWING, matplotlib.rc_context(style):
        on_paper(figure).savefig(file, format=format, **options)
    return file.getvalue()


def on_paper(figure: Figure) -> matplotlib.figure.Figure:
    """The panels side by side, in cells as large as the largest."""
    from matplotlib.figure import Figure as Paper

    columns = min(len(figure.panels), figure.columns)
    rows = -(-len(figure.panels) // columns)
    width, height = (max(panel.size[side] for _, panel in figure.panels) for side in (0, 1))
    paper = Paper(figsize=(columns * width, rows * height + (0.4 if figure.title else 0)), layout="constrained")
    if figure.title:
        paper.suptitle(figure.title)
    for i, (title, panel) in enumerate(figure.panels):
        axes = paper.add_subplot(rows, columns, i + 1)
        if title:
            axes.set_title(title)
        panel.draw(axes)
        if isinstance(panel, Plot):
            axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    return paper
