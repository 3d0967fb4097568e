"""Work on one part of the rows after the other: the same values as on all at once, in memory that does not grow."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pytest

from featurestore import normalization_statistics
from featurestore.normalization import averageness
from featurestore.opening import open_store
from kallos.engines.local import APPENDED_AT_ONCE
from tests.synthetic_store import PROTOCOL, make_store

ROWS = 5000
VALUES = f"""
    SELECT [sin(i), 1e6 * cos(i)]::DOUBLE[2] AS geometry, [if(i % 7 = 0, 'nan', sqrt(i))]::DOUBLE[1] AS skin,
           list_transform(range(936), lambda x: sin(x * i))::FLOAT[936] AS shape
    FROM range({ROWS}) t(i) ORDER BY i"""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "s.duckdb") as store:
        yield store


@pytest.mark.parametrize("few", [0, ROWS])
def test_statistics_summed_part_by_part_are_bit_for_bit_those_of_all_rows_at_once(store, monkeypatch, few):
    """Also where the parts are kept from the first pass on."""
    monkeypatch.setattr(normalization_statistics, "FEW", few)
    computed = normalization_statistics.from_query(store, VALUES, ["a", "b", "c"]).row(0, named=True)
    rows = store.frame(VALUES)
    shapes = rows["shape"].to_numpy()
    mean_shape = shapes.astype(np.float64).mean(axis=0).astype(np.float32)
    columns = np.column_stack([rows["geometry"].to_numpy(), rows["skin"].to_numpy(), averageness(shapes, mean_shape)])
    assert len(list(store.parts(VALUES))) > 1
    assert np.array_equal(computed["mean_shape"], mean_shape)
    assert np.array_equal(computed["mean"], np.nanmean(columns, axis=0))
    assert np.array_equal(computed["sd"], np.nanstd(columns, axis=0))


@pytest.mark.parametrize("few", [0, ROWS])
def test_folds_that_are_fitted_together_have_the_statistics_of_each_alone(tmp_path, monkeypatch, few):
    monkeypatch.setattr(normalization_statistics, "FEW", few)
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        fitted = normalization_statistics.fit(store)
        assert set(fitted) == {(PROTOCOL, 1), (PROTOCOL, 2)}
        for statistics_id in fitted.values():
            stored = store.frame("FROM statistics WHERE statistics_id = $id", id=statistics_id).row(0, named=True)
            alone = normalization_statistics.from_query(store, stored["sql"], stored["features"][:-1]).row(
                0, named=True
            )
            assert {name: stored[name] for name in alone} == alone
            assert normalization_statistics.rows_of(store, stored["sql"]) == (stored["row_count"], stored["row_hash"])


def test_wide_rows_have_room_while_they_are_appended(store):
    width = 20_000
    rows = pl.DataFrame({"a": np.zeros((4, width), np.float32), "b": np.ones((4, width), np.float32)})
    store.execute(f"CREATE TABLE wide (a FLOAT[{width}], b FLOAT[{width}])")
    with store.bounded_memory(), pytest.raises(duckdb.OutOfMemoryException):
        store.append("wide", rows)
    with store.bounded_memory(APPENDED_AT_ONCE * 2 * 4 * width):
        store.append("wide", rows)
    assert store.value("SELECT count(*) FROM wide") == 4


def test_memory_is_limited_inside_and_not_afterwards(store):
    query = "SELECT current_setting('memory_limit')"
    before = store.value(query)
    with store.bounded_memory():
        assert store.value(query) == "122.0 MiB"
    assert store.value(query) == before
