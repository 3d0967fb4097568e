"""How features of the same photos differ between two stores, such as those of two landmarkers, as Markdown.

    python -m benchmarks.feature_drift before.duckdb now.duckdb

Both are only read. Rank correlation is Spearman's over the photos that both have measured; the shift is the difference
of the means in standard deviations of before.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from scipy.stats import rankdata

BANDS = (-1, 0.6, 0.8, 0.9, 0.95, 0.98, 1.01)
"""Of rank correlation: each feature stands in its band, with its shift."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("now", type=Path)
    arguments = parser.parse_args()
    before, now = (_features(path) for path in (arguments.before, arguments.now))
    names = [name for name in before.columns if name in now.columns and name != "image_id"]
    both = before.join(now, on="image_id", suffix=" now")
    rows = sorted((_compare(both, name) for name in names), key=lambda row: row[1])
    correlations = np.array([row[1] for row in rows])
    quartiles = ", ".join(f"{q:.3f}" for q in np.quantile(correlations, (0, 0.25, 0.5, 0.75)))
    print(f"{len(both):,} photos, {len(names)} features; rank correlation: least and quartiles {quartiles}.\n")
    for low, high in pairwise(BANDS):
        band = [f"{name} {r:.2f} {shift:+.1f}" for name, r, shift in rows if low <= r < high]
        print(f"- {low:g} to {high:g}, {len(band)}: {', '.join(band)}")
    _new_ones(arguments.now, [name for name in now.columns if name not in (*before.columns, "image_id")], now)


def _features(path: Path) -> pl.DataFrame:
    with duckdb.connect(str(path), read_only=True) as store:
        return store.sql("SELECT * FROM geometric_features").pl()


def _compare(both: pl.DataFrame, name: str) -> tuple[str, float, float]:
    values = both.select(name, f"{name} now").drop_nulls().to_numpy()
    before, after = values[np.isfinite(values).all(axis=1)].T
    return name, _spearman(before, after), float((after.mean() - before.mean()) / before.std())


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _new_ones(path: Path, names: list[str], now: pl.DataFrame) -> None:
    """Features that only the second store has, with their correlation with the score."""
    with duckdb.connect(str(path), read_only=True) as store:
        scored = now.join(store.sql("SELECT image_id, score FROM scores").pl(), on="image_id")
    columns = ((name, scored.select(name, "score").drop_nulls().to_numpy().T) for name in names)
    found = [f"{name} {_spearman(values, scores):+.2f}" for name, (values, scores) in columns]
    print(f"\nOnly now, rank correlation with the score: {', '.join(found)}")


if __name__ == "__main__":
    main()
