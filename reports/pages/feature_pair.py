"""Two features side by side: how each is spread, and how they go together, by subset."""

import numpy as np
import polars as pl
from rich.console import Group

from featurestore.errors import UsageError
from featurestore.store import Store
from reports.render.plots import Histogram, Scatter

BINS = 30


def features_of(store: Store) -> list[str]:
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


def render(values: pl.DataFrame, first: str, second: str) -> Group:
    r = np.corrcoef(values["first"], values["second"])[0, 1] if len(values) > 1 else np.nan
    x, y = (values[column].to_numpy() for column in ("first", "second"))
    first, second = (name.replace("_", " ") for name in (first, second))
    return Group(
        f"{first} and {second} by subset; correlation {r:.2f} over {len(values):,} images.",
        _histogram(values, "first", first),
        _histogram(values, "second", second),
        Scatter(x, y, first, second, groups=values["subset"].to_list()),
    )


def _histogram(values: pl.DataFrame, column: str, label: str) -> Histogram:
    edges = np.histogram_bin_edges(values[column].to_numpy(), BINS)
    groups = {
        f"{subset}, {len(rows):,}": np.histogram(rows[column].to_numpy(), edges)[0].tolist()
        for (subset,), rows in values.sort("subset").group_by("subset", maintain_order=True)
    }
    counts = np.histogram(values[column].to_numpy(), edges)[0].tolist()
    return Histogram(counts, float(edges[0]), float(edges[-1]), label, groups=groups)
