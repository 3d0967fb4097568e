"""What extractors write: one table per version beneath stable views, and the ledger of every attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from featurestore.errors import OrderError, UsageError
from featurestore.schema import Column, Table, View, quote
from featurestore.store import Store

ATTEMPT_COLUMNS = {
    "sha256": pl.String,
    "extractor": pl.String,
    "version": pl.String,
    "status": pl.String,
    "detail": pl.String,
    "milliseconds": pl.Float64,
}
EMBEDDING = "embedding:"


@dataclass(frozen=True)
class Output:
    """One version of one extractor's output.

    extractor         name, such as `geometry` or `embedding:mobilenet_v3_small`
    view              stable view that shows the active version, such as `landmarks`
    columns           what it writes beside sha256
    code_version      raised by hand whenever the code gives other values
    parameters        every setting that changes the values, weights' sha256 among them
    inputs            versions of the outputs that it is computed from
    formula_versions  column -> version of its own formula, where that is above 1
    """

    extractor: str
    view: str
    comment: str
    columns: tuple[Column, ...]
    code_version: int
    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    formula_versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """Everything that decides the values, as canonical JSON."""
        versions = self.formula_versions
        recipe = {
            "extractor": self.extractor,
            "code_version": self.code_version,
            "columns": [f"{c.name}@{versions[c.name]}" if c.name in versions else c.name for c in self.columns],
            "parameters": dict(self.parameters),
            "inputs": list(self.inputs),
        }
        return json.dumps(recipe, sort_keys=True)

    @property
    def version(self) -> str:
        """First 12 hex digits of the recipe's sha256."""
        return hashlib.sha256(self.recipe.encode()).hexdigest()[:12]

    @property
    def table_name(self) -> str:
        """The table that holds this version; `__` keeps it out of what people are shown."""
        return f"{self.extractor.replace(':', '_')}__{self.version}"


def register(store: Store, outputs: Sequence[Output]) -> None:
    """Make the tables of versions that are not there yet; call it inside a transaction.

    A new version is shown at once only where its extractor has none to show. Otherwise `activate` turns the
    views to it when it is complete, and until then people see the version before.
    """
    shown = active_versions(store)
    for output in outputs:
        if not store.has(output.table_name):
            sha256 = Column("sha256", "VARCHAR", "hash of the photo's bytes, see images")
            store.make(Table(output.table_name, output.comment, (sha256, *output.columns)))
            columns = ["extractor", "version", "output", "table_name", "recipe", "active"]
            values = [output.extractor, output.version, output.view, output.table_name, output.recipe, False]
            store.append("extractor_versions", pl.DataFrame([values], schema=columns, orient="row"))
    activate(store, [(o.extractor, o.version) for o in outputs if o.extractor not in shown])


def activate(store: Store, versions: Sequence[tuple[str, str]]) -> None:
    """Point the views at these (extractor, version), all at once; call it inside a transaction."""
    shown = active_versions(store)
    for extractor, version in versions:
        if shown.get(extractor) != version:
            store.execute(
                "UPDATE extractor_versions SET active = (version = $version), "
                "activated_at = CASE WHEN version = $version THEN now()::TIMESTAMP ELSE activated_at END "
                "WHERE extractor = $extractor",
                version=version,
                extractor=extractor,
            )
    make_views(store)


def rollback(store: Store, extractor: str) -> dict[str, str]:
    """Show the version of an extractor that was shown before, and what was computed from it; extractor -> version.

    Outputs that were never computed from the earlier version keep nothing to show, which would hide every view
    that joins them: that is refused. Raises UsageError for an unknown extractor, OrderError when there is no
    earlier version.
    """
    rows = store.frame(
        "SELECT extractor, version, recipe, active FROM extractor_versions WHERE activated_at IS NOT NULL "
        "ORDER BY activated_at DESC, version"
    ).to_dicts()
    earlier = [row["version"] for row in rows if row["extractor"] == extractor and not row["active"]]
    known = sorted({row["extractor"] for row in rows})
    if extractor not in known:
        raise UsageError(f"There is no extractor {extractor!r} in the store: choose from {', '.join(known)}.")
    if not earlier:
        raise OrderError(f"The store holds no earlier version of {extractor}: there is nothing to go back to.")
    active = {row["extractor"]: row["version"] for row in rows if row["active"]}
    chosen = {extractor: earlier[0]}
    for row in rows:
        name, inputs = row["extractor"], json.loads(row["recipe"])["inputs"]
        if active[extractor] in _inputs_of(rows, active.get(name)) and name not in chosen and earlier[0] in inputs:
            chosen[name] = row["version"]
    if lost := [n for n, v in active.items() if active[extractor] in _inputs_of(rows, v) and n not in chosen]:
        raise OrderError(
            f"{', '.join(lost)} was never computed from that version of {extractor}: "
            "use the kallos that made it, or extract again."
        )
    with store.transaction():
        activate(store, list(chosen.items()))
    return chosen


def _inputs_of(rows: list[dict[str, str]], version: str | None) -> list[str]:
    return next((json.loads(row["recipe"])["inputs"] for row in rows if row["version"] == version), [])


def active_versions(store: Store) -> dict[str, str]:
    """extractor -> active version."""
    rows = store.frame("SELECT extractor, version FROM extractor_versions WHERE active ORDER BY extractor")
    return dict(rows.iter_rows())


def active_table(store: Store, extractor: str) -> str:
    """The table that holds what the views show of an extractor. Raises OrderError before it has run."""
    rows = store.frame("SELECT table_name FROM extractor_versions WHERE active AND extractor = $e", e=extractor)
    if rows.is_empty():
        raise OrderError(f"The store has no {extractor} yet: run `kallos extract` first.")
    return str(rows.item())


def chosen_encoder(store: Store, name: str | None) -> str | None:
    """The encoder of that name, or the only one that there is; None where the store has no embeddings.

    Raises UsageError for an unknown encoder, or when there are several to choose from.
    """
    known = [
        extractor.removeprefix(EMBEDDING) for extractor in active_versions(store) if extractor.startswith(EMBEDDING)
    ]
    if name is None and len(known) > 1:
        raise UsageError(f"The store has embeddings of {', '.join(known)}: choose one with --encoder.")
    if name is not None and name not in known:
        raise UsageError(f"The store has no embeddings of {name!r}: run `kallos extract --encoder {name}`.")
    return name or (known[0] if known else None)


def encoder_weights(store: Store, encoder: str) -> str:
    """What the encoder behind the active embeddings started from: imagenet, a file's name or none."""
    return str(
        store.value(
            "SELECT recipe ->> '$.parameters.weights' FROM extractor_versions WHERE active AND extractor = $extractor",
            extractor=f"{EMBEDDING}{encoder}",
        )
    )


def write(store: Store, output: Output, rows: pl.DataFrame, attempts: pl.DataFrame) -> None:
    """Add the rows of one batch and their ledger lines; call it inside a transaction."""
    if len(rows):
        store.append(output.table_name, rows)
    store.append("attempts", attempts)


def make_views(store: Store) -> None:
    """(Re)make the stable views from the active tables behind them.

    `geometric_features` joins its tables (one row an image), `embeddings` stacks them (image x encoder).
    """
    rows = store.frame(
        "SELECT output, extractor, table_name FROM extractor_versions WHERE active ORDER BY output, extractor"
    )
    for (view,), group in rows.group_by("output", maintain_order=True):
        tables = group["table_name"].to_list()
        if view == "embeddings":
            parts = [
                f"SELECT image_id, {quote(extractor.removeprefix(EMBEDDING))} AS encoder, vector::FLOAT[] AS vector "
                f'FROM images JOIN "{table}" USING (sha256)'
                for extractor, table in zip(group["extractor"], tables, strict=True)
            ]
            query = " UNION ALL ".join(parts)
        else:
            values = ", ".join(f'"{table}".* EXCLUDE (sha256)' for table in tables)
            query = f"SELECT image_id, {values} FROM images" + "".join(f' JOIN "{t}" USING (sha256)' for t in tables)
        comment = store.value("SELECT comment FROM duckdb_tables() WHERE table_name = $table", table=tables[0])
        store.show(
            View(str(view), comment, query, ("images", *tables), {"encoder": "the network that made the vector"})
        )
    _make_normalized_view(store)


def _make_normalized_view(store: Store) -> None:
    """z-scores are computed when they are asked for, from the statistics of each fold's training rows."""
    active = active_versions(store)
    if not {"geometry", "skin", "shape"} <= active.keys():
        return
    columns = store.frame("SELECT column_name FROM (DESCRIBE geometric_features)")["column_name"].to_list()
    scores = [f'(f."{name}" - n.mean[{i}]) / n.sd[{i}] AS "{name}"' for i, name in enumerate(columns[1:], start=1)]
    last = len(columns)
    distance = "array_distance(s.shape::DOUBLE[936], n.mean_shape::DOUBLE[936])"
    scores.append(f"({distance} - n.mean[{last}]) / n.sd[{last}] AS averageness")
    query = (
        f"SELECT n.normalization, f.image_id, {', '.join(scores)} "
        "FROM geometric_features f JOIN shapes s USING (image_id), statistics n "
        f"WHERE n.current AND n.versions = {quote(feature_versions(active))}"
    )
    comment = "one row is one image under one normalization: geometric_features and averageness as z-scores"
    tables = ("images", "statistics", active_table(store, "geometry"), active_table(store, "skin"))
    distance_comment = "z-score of the Procrustes distance to the mean face of the training rows"
    store.show(View("normalized_features", comment, query, tables, {"averageness": distance_comment}))


def feature_versions(versions: Mapping[str, str]) -> str:
    """The versions that statistics of features depend on, as one word."""
    return "+".join(versions[extractor] for extractor in ("geometry", "skin", "shape"))
