"""Two features side by side: how each is spread, and how they go together, by subset."""

from __future__ import annotations

import numpy as np
import polars as pl

from featurestore.errors import UsageError
from featurestore.store import Store
from reports.render.figures import GRID, figure, jpeg, label
from reports.render.layout import Picture
from reports.render.palette import SERIES

BINS = 30


def features_of(store: Store) -> list[str]:
    """Names of the measured features."""
    return sorted(set(store.frame("FROM geometric_features LIMIT 0").columns) - {"image_id"})


def data(store: Store, first: str, second: str) -> pl.DataFrame:
    """subset, first and second of every image that has both. Raises UsageError for an unknown feature."""
    if unknown := {first, second} - set(features_of(store)):
        raise UsageError(f"There is no feature {min(unknown)!r}: `kallos features` lists them.")
    return store.frame(
        f'SELECT coalesce(subset, \'none\') AS subset, "{first}" AS first, "{second}" AS second '
        "FROM geometric_features JOIN images USING (image_id) "
        f'WHERE isfinite("{first}") AND isfinite("{second}")'
    )


def render(values: pl.DataFrame, first: str, second: str) -> Picture:
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
