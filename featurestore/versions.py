"""Versions of each output: registered when new, filled, shown when whole, rolled back at will."""

import json
from collections.abc import Sequence

import polars as pl

from extractors.outputs import Output
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import before_extract
from featurestore.outputs import active_versions, stored_columns
from featurestore.sql_text import next_time
from featurestore.store import Store
from featurestore.table_description import Column, Table
from featurestore.views import create_views

ATTEMPT_COLUMNS = {
    "sha256": pl.String,
    "extractor": pl.String,
    "version": pl.String,
    "status": pl.String,
    "detail": pl.String,
    "milliseconds": pl.Float64,
}


def register(store: Store, outputs: Sequence[Output]) -> None:
    """Create the tables of versions that are not there yet; call it inside a transaction.

    A new version is shown at once only where its extractor has none to show. Otherwise `activate` turns the
    views to it when it is complete, and until then people see the version before.
    """
    shown = active_versions(store)
    for output in outputs:
        if not store.has(output.table_name):
            sha256 = Column("sha256", "VARCHAR", "hash of the photo's bytes, see images")
            store.create_table(Table(output.table_name, output.comment, (sha256, *stored_columns(output))))
            columns = ["extractor", "version", "output", "table_name", "recipe", "active"]
            values = [output.extractor, output.version, output.view, output.table_name, output.recipe, False]
            store.append("extractor_versions", pl.DataFrame([values], schema=columns, orient="row"))
    activate(store, [(o.extractor, o.version) for o in outputs if o.extractor not in shown])


def write(store: Store, output: Output, rows: pl.DataFrame, attempts: pl.DataFrame) -> None:
    """Add the rows of one batch and their ledger lines; call it inside a transaction."""
    if len(rows):
        store.append(output.table_name, rows)
    store.append("attempts", attempts)


def computed_tables(store: Store) -> list[str]:
    """The tables of what was computed of photos, whose rows have the sha256 of a photo."""
    versions = store.column("SELECT table_name FROM extractor_versions ORDER BY ALL")
    return [*versions, "attempts", "normalized_values"]


def forget(store: Store, photos: pl.Series) -> None:
    """Remove what any version computed of photos (sha256), so that they are extracted again; in a transaction."""
    if photos.is_empty():
        return
    with store.registered(photos.to_frame("sha256")):
        for table in computed_tables(store):
            store.execute(f'DELETE FROM "{table}" WHERE sha256 IN (SELECT sha256 FROM incoming)')


def activate(store: Store, versions: Sequence[tuple[str, str]]) -> None:
    """Point the views at these (extractor, version), all at once; call it inside a transaction.

    What features mean must be in `feature_definitions` by then: the views' columns say it.
    """
    shown = active_versions(store)
    turned = [(extractor, version) for extractor, version in versions if shown.get(extractor) != version]
    for extractor, version in turned:
        statement = (
            "UPDATE extractor_versions SET active = (version = $version), activated_at = CASE WHEN version = $version "
            f"THEN {next_time('extractor_versions', 'activated_at')} ELSE activated_at END WHERE extractor = $extractor"
        )
        store.execute(statement, version=version, extractor=extractor)
    if turned:
        create_views(store)


def rollback(store: Store, extractor: str) -> dict[str, str]:
    """Show the version of an extractor that was shown before, and what was computed from it; extractor -> version.

    Outputs that were never computed from the earlier version keep nothing to show, which would hide every view
    that joins them: that is refused. Raises UsageError for an unknown extractor, PrerequisiteError when there is no
    earlier version.
    """
    rows = store.frame(
        "SELECT extractor, version, recipe, active FROM extractor_versions WHERE activated_at IS NOT NULL "
        "ORDER BY activated_at DESC, version"
    ).to_dicts()
    earlier = [row["version"] for row in rows if row["extractor"] == extractor and not row["active"]]
    if not (known := sorted({row["extractor"] for row in rows})):
        raise before_extract(store, "The store has nothing that was extracted")
    if extractor not in known:
        raise UsageError(f"There is no extractor {extractor!r} in the store: choose from {', '.join(known)}.")
    if not earlier:
        raise PrerequisiteError(
            f"The store holds no earlier version of {extractor} to go back to; "
            '`kallos sql "FROM extractor_versions"` shows which it holds.'
        )
    active = {row["extractor"]: row["version"] for row in rows if row["active"]}
    chosen = {extractor: earlier[0]}
    for row in rows:
        name, inputs = row["extractor"], json.loads(row["recipe"])["inputs"]
        if active[extractor] in _inputs_of(rows, active.get(name)) and name not in chosen and earlier[0] in inputs:
            chosen[name] = row["version"]
    if missing := [n for n, v in active.items() if active[extractor] in _inputs_of(rows, v) and n not in chosen]:
        raise PrerequisiteError(
            f"{', '.join(missing)} was never computed from that version of {extractor}: "
            "use the kallos that made it, or extract again."
        )
    with store.transaction():
        activate(store, list(chosen.items()))
    return chosen


def _inputs_of(rows: list[dict[str, str]], version: str | None) -> list[str]:
    return next((json.loads(row["recipe"])["inputs"] for row in rows if row["version"] == version), [])
