"""Two features side by side: how each is spread, and how they go together, by subset."""

from __future__ import annotations

import numpy as np
import polars as pl

from reports.figures import GRID, figure, jpeg, label
from reports.layout import Picture
from reports.palette import SERIES

BINS = 30


def feature_pair(values: pl.DataFrame, first: str, second: str) -> Picture:
    """`values` has subset, first and second: histograms of both, and one against the other."""
    made, (left, middle, right) = figure(12, 4, "", 1, 3)
    for i, ((subset,), rows) in enumerate(values.sort("subset").group_by("subset", maintain_order=True)):
        colour, name = SERIES[i % len(SERIES)], f"{subset}, {len(rows):,}"
        for axes, column in ((left, "first"), (middle, "second")):
            edges = np.histogram_bin_edges(values[column].to_numpy(), BINS).tolist()
            axes.hist(rows[column], edges, histtype="step", color=colour, linewidth=1.5, label=name)
        right.scatter(rows["first"], rows["second"], s=5, color=colour, alpha=0.4, linewidths=0)
    for axes, x, y in ((left, first, "images"), (middle, second, "images"), (right, first, second)):
        axes.grid(color=GRID)
        label(axes, x, y)
    left.legend(frameon=False, fontsize=8)
    r = np.corrcoef(values["first"], values["second"])[0, 1] if len(values) > 1 else np.nan
    return Picture(jpeg(made), f"{first} and {second} by subset; correlation {r:.2f} over {len(values):,} images.")
