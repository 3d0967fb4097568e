"""Work on one part of the rows after the other: the same values as on all at once, in memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest

from featurestore import normalization
from featurestore.normalization import averageness, matrix, statistics
from featurestore.store import Store

ROWS = 5000
VALUES = f"""
    SELECT [sin(i), 1e6 * cos(i)]::DOUBLE[2] AS geometry, [if(i % 7 = 0, 'nan', sqrt(i))]::DOUBLE[1] AS skin,
           list_transform(range(936), lambda x: sin(x * i))::FLOAT[936] AS shape
    FROM range({ROWS}) t(i) ORDER BY i"""


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "s.duckdb") as made:
        yield made


@pytest.mark.parametrize("few", [0, ROWS])
def test_statistics_summed_part_by_part_are_bit_for_bit_those_of_all_rows_at_once(store, monkeypatch, few):
    """Also where the parts are kept from the first pass on."""
    monkeypatch.setattr(normalization, "FEW", few)
    made = statistics(store, VALUES, ["a", "b", "c"]).row(0, named=True)
    rows = store.frame(VALUES)
    shapes = matrix(rows["shape"])
    mean_shape = shapes.astype(np.float64).mean(axis=0).astype(np.float32)
    columns = np.column_stack([matrix(rows["geometry"]), matrix(rows["skin"]), averageness(shapes, mean_shape)])
    assert len(list(store.parts(VALUES))) > 1
    assert np.array_equal(made["mean_shape"], mean_shape)
    assert np.array_equal(made["mean"], np.nanmean(columns, axis=0))
    assert np.array_equal(made["sd"], np.nanstd(columns, axis=0))


def test_memory_is_limited_inside_and_not_afterwards(store):
    asked = "SELECT current_setting('memory_limit')"
    before = store.value(asked)
    with store.passing():
        assert store.value(asked) == "122.0 MiB"
    assert store.value(asked) == before
