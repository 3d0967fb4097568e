"""How features of the same photos differ between two stores, such as those of two landmarkers, as Markdown.

    python -m benchmarks.feature_drift before.duckdb now.duckdb

Both are only read. Rank correlation is Spearman's over the photos that both have measured; the shift is the difference
of the means in standard deviations of before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from scipy.stats import rankdata

from reports.cards.markdown import grid

ALIKE = 0.98


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
    below = [row for row in rows if row[1] < ALIKE]
    quartiles = ", ".join(f"{q:.3f}" for q in np.quantile(correlations, (0, 0.25, 0.5, 0.75)))
    print(f"{len(both):,} photos, {len(names)} features; rank correlation: least and quartiles {quartiles}.")
    print(f"{len(below)} below {ALIKE}, the largest shift {max(abs(row[2]) for row in rows):.2f} sd:\n")
    print(grid(("feature", "rank correlation", "shift, sd"), [(n, f"{r:.3f}", f"{s:+.2f}") for n, r, s in below]))
    _new_ones(arguments.now, [name for name in now.columns if name not in (*before.columns, "image_id")], now)


def _features(path: Path) -> pl.DataFrame:
    with duckdb.connect(str(path), read_only=True) as store:
        return store.sql("SELECT * FROM geometric_features").pl()


def _compare(both: pl.DataFrame, name: str) -> tuple[str, float, float]:
    values = both.select(name, f"{name} now").drop_nulls().to_numpy()
    there, here = values[np.isfinite(values).all(axis=1)].T
    return name, _spearman(there, here), float((here.mean() - there.mean()) / there.std())


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _new_ones(path: Path, names: list[str], now: pl.DataFrame) -> None:
    """Features that only the second store has, with their correlation with the score."""
    with duckdb.connect(str(path), read_only=True) as store:
        scored = now.join(store.sql("SELECT image_id, score FROM scores").pl(), on="image_id")
    rows = []
    for name in names:
        values, scores = scored.select(name, "score").drop_nulls().to_numpy().T
        rows.append((name, f"{_spearman(values, scores):+.3f}"))
    print("\n" + grid(("only now", "rank correlation with the score"), rows))


if __name__ == "__main__":
    main()
