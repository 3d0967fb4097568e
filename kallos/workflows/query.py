"""Queries: SQL, the list of tables, and features."""

from pathlib import Path

import polars as pl

from featurestore import user_sql
from kallos.workflows.stores import open_for_reading
from reports.pages import feature_catalogue, one_feature
from reports.pages import feature_values as values_page
from reports.pages import tables as tables_page
from reports.pages.feature_catalogue import Catalogue
from reports.pages.one_feature import FeatureReport
from reports.render.table_files import Labels


def sql(query: str, store: str | Path) -> pl.DataFrame:
    """The rows of one SELECT, read-only. Raises QueryError for anything else."""
    # the query runs in a process of its own, which finds the same store or snapshot
    open_for_reading(Path(store)).close()
    return user_sql.select(Path(store), query)


def tables(store: str | Path, table: str | None = None) -> pl.DataFrame:
    """Every table and column of the store, with descriptions. Raises UsageError for an unknown table."""
    with open_for_reading(Path(store)) as opened:
        return tables_page.data(opened, table)


def features(region: str | None = None) -> Catalogue:
    """Every feature with formula, unit, plausible range and source. Raises UsageError for an unknown region."""
    return feature_catalogue.data(region)


def feature(name: str, store: str | Path | None = None, *, trait: str | None = None) -> FeatureReport:
    """One feature, and with a store its spread and its correlation with the score."""
    if store is None:
        return one_feature.data(None, name)
    with open_for_reading(Path(store)) as opened:
        return one_feature.data(opened, name, trait)


def feature_values(
    store: str | Path, *, name: str | None = None, region: str | None = None
) -> tuple[pl.DataFrame, Labels]:
    """Every image with its scores and the values of one feature, one region or all features; and column labels."""
    with open_for_reading(Path(store)) as opened:
        return values_page.data(opened, name, region)
