"""How far groups of photos differ in their features: by data set, and by subset within each."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from featurestore.checks.drift import ks_statistics
from reports.render.bars import bar
from reports.render.layout import PlainTable, number, plain_table

FEWEST = 10
"""Groups of fewer images have no distribution to compare."""
LARGEST = 3
"""Features listed for each group."""


@dataclass(frozen=True)
class Drift:
    """A group beside all other images: its Kolmogorov-Smirnov statistics, 0 the same to 1 no value in common.

    median    over all features
    furthest  (feature, statistic) of the features that differ most, the largest first
    """

    group: str
    images: int
    median: float
    furthest: tuple[tuple[str, float], ...]


def drift(rows: pl.DataFrame, features: list[str]) -> tuple[Drift, ...]:
    """Of each data set where there are several, then of each subset; `rows` has data_set, subset and the features."""
    values = rows.select(features).to_numpy().astype(np.float64)
    found = []
    for column in ("data_set", "subset"):
        counts = rows[column].drop_nulls().value_counts().sort(column)
        large = counts.filter(pl.col("count").is_between(FEWEST, len(rows) - FEWEST))
        for name, images in large.iter_rows():
            gaps = ks_statistics(values, (rows[column] == name).fill_null(False).to_numpy())
            furthest = tuple((features[i], float(gaps[i])) for i in np.argsort(-gaps, kind="stable")[:LARGEST])
            found.append(Drift(name, images, float(np.median(gaps)), furthest))
    return tuple(found)


def drift_table(drifts: tuple[Drift, ...]) -> PlainTable:
    table = plain_table("group", "images", "median", "differs most in", "KS", "")
    table.columns[3].justify = "left"
    for drift in drifts:
        head = (drift.group, f"{drift.images:,}", number(drift.median, 2))
        for feature, gap in drift.furthest:
            table.add_row(*head, feature, number(gap, 2), bar(gap, 12))
            head = ("", "", "")
    return table
