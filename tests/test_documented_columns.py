"""Whoever opens the store with any DuckDB tool is told what every table, view and column means."""

import pytest

from extractors.definitions import catalogue, definitions
from featurestore.opening import open_store


@pytest.fixture(scope="module")
def store(workspace):
    with open_store(workspace.store, read_only=True) as opened:
        yield opened


@pytest.mark.parametrize(
    ("catalogue_of", "name"),
    [
        ("duckdb_tables()", "table_name"),
        ("duckdb_views()", "view_name"),
        ("duckdb_columns()", "table_name || '.' || column_name"),
    ],
    ids=["tables", "views", "columns"],
)
def test_every_table_view_and_column_has_a_comment(store, catalogue_of, name):
    columns = store.frame(
        f"SELECT {name} AS name, trim(coalesce(comment, '')) AS comment FROM {catalogue_of} WHERE NOT internal"
    )
    assert len(columns) >= 5
    assert [row["name"] for row in columns.iter_rows(named=True) if not row["comment"]] == []


def test_the_store_shows_every_comment(store):
    described = store.describe()
    assert {"geometric_features", "normalized_features", "landmarks", "scores"} <= set(described["table"])
    for column in ("table_comment", "comment"):
        assert [row[:3] for row in described.rows() if not (row[described.columns.index(column)] or "").strip()] == []


def test_the_column_of_a_feature_says_formula_unit_and_source(store):
    comments = dict(
        store.frame(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'geometric_features'"
        ).iter_rows()
    )
    assert comments.keys() == {d.name for d in definitions()} | {"image_id"}
    for d in definitions():
        for text in (d.formula, d.unit, d.source):
            assert text in comments[d.name], d.name


def test_the_catalogue_of_the_store_says_what_the_definitions_say(store):
    columns = ("feature", "region", "unit", "formula", "points", "source", "low", "high", "version", "extractor")
    stored = store.frame(f"SELECT {', '.join(columns)} FROM feature_catalog ORDER BY feature").rows()
    defined = [
        (d.name, d.region, d.unit, d.formula, ", ".join(d.points), d.source, d.low, d.high, d.version, d.kind)
        for d in catalogue()
    ]
    assert stored == sorted(defined)
    normalized = store.frame("FROM normalized_features LIMIT 0").columns
    assert set(normalized) - {"image_id", "normalization"} == {d.name for d in catalogue()}
