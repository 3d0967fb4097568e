"""What extractors write: one table per version beneath stable views, and the ledger of every attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from featurestore.schema import Column, Table, quote
from featurestore.store import Store

LEDGER_COLUMNS = {
    "image_id": pl.String,
    "extractor": pl.String,
    "version": pl.String,
    "status": pl.String,
    "detail": pl.String,
    "milliseconds": pl.Float64,
}


@dataclass(frozen=True)
class Output:
    """One version of one extractor's output.

    extractor       name, such as `geometry` or `embedding:mobilenet_v3_small`
    view            stable view that shows the active version, such as `landmarks`
    columns         what it writes beside image_id
    code_version    raised by hand whenever the code gives other values
    parameters      every setting that changes the values, weights' sha256 among them
    inputs          versions of the outputs that it is computed from
    """

    extractor: str
    view: str
    comment: str
    columns: tuple[Column, ...]
    code_version: int
    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """Everything that decides the values, as canonical JSON."""
        recipe = {
            "extractor": self.extractor,
            "code_version": self.code_version,
            "columns": [c.name for c in self.columns],
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


def activate(store: Store, output: Output) -> None:
    """Make the table of this version if need be and point the views at it."""
    if not store.has(output.table_name):
        image_id = Column("image_id", "VARCHAR", "see images")
        for statement in Table(output.table_name, output.comment, (image_id, *output.columns)).statements():
            store.execute(statement)
    row = pl.DataFrame(
        {
            "extractor": [output.extractor],
            "version": [output.version],
            "output": [output.view],
            "table_name": [output.table_name],
            "recipe": [output.recipe],
            "active": [True],
        }
    )
    changed = store.sync("extractor_versions", row, "t.version = $version", version=output.version)
    if changed:
        store.execute(
            "UPDATE extractor_versions SET active = (version = $version) WHERE extractor = $extractor",
            version=output.version,
            extractor=output.extractor,
        )
    _make_view(store, output)


def active_versions(store: Store) -> dict[str, str]:
    """extractor -> active version."""
    rows = store.frame("SELECT extractor, version FROM extractor_versions WHERE active ORDER BY extractor")
    return dict(rows.iter_rows())


def encoder_weights(store: Store, encoder: str) -> str:
    """What the encoder behind the active embeddings started from: imagenet, a file's name or none."""
    return str(
        store.value(
            "SELECT recipe ->> '$.parameters.weights' FROM extractor_versions WHERE active AND extractor = $extractor",
            extractor=f"embedding:{encoder}",
        )
    )


def _make_view(store: Store, output: Output) -> None:
    """(Re)make the stable view from the active tables behind it.

    `geometric_features` joins its tables (one row an image), `embeddings` stacks them (image x encoder).
    """
    tables = store.frame(
        "SELECT extractor, table_name FROM extractor_versions WHERE active AND output = $view ORDER BY extractor",
        view=output.view,
    )
    if output.view == "embeddings":
        parts = [
            f"SELECT image_id, {quote(extractor.removeprefix('embedding:'))} AS encoder, vector::FLOAT[] AS vector "
            f'FROM "{table}"'
            for extractor, table in tables.iter_rows()
        ]
        body = " UNION ALL ".join(parts)
    else:
        first, *others = tables["table_name"]
        body = f'SELECT * FROM "{first}"' + "".join(f' JOIN "{other}" USING (image_id)' for other in others)
    show(store, output.view, body, output.comment, tables["table_name"].to_list())


def show(store: Store, view: str, query: str, comment: str, tables: list[str]) -> None:
    """(Re)make a view that people query; its columns take the comments of the tables behind it."""
    store.execute(f'CREATE OR REPLACE VIEW "{view}" AS {query}')
    store.execute(f'COMMENT ON VIEW "{view}" IS {quote(comment)}')
    comments = store.frame(
        """
        SELECT column_name, any_value(b.comment) FROM duckdb_columns() v JOIN duckdb_columns() b USING (column_name)
        WHERE v.table_name = $view AND list_contains($tables, b.table_name) AND b.comment IS NOT NULL GROUP BY ALL""",
        view=view,
        tables=tables,
    )
    for column, meaning in comments.iter_rows():
        store.execute(f'COMMENT ON COLUMN "{view}"."{column}" IS {quote(meaning)}')


def plan(store: Store, outputs: list[Output]) -> pl.DataFrame:
    """What is left to do: image_id, path (absolute) and the list of extractors that have not tried it.

    An image whose landmarks failed is done: nothing else can be computed from it.
    """
    return store.frame(
        """
        WITH wanted AS (SELECT unnest($extractors) AS extractor, unnest($versions) AS version),
        missing AS (
            SELECT image_id, extractor FROM images CROSS JOIN wanted
            ANTI JOIN extractions USING (image_id, extractor, version)),
        faceless AS (
            SELECT image_id FROM extractions JOIN wanted USING (extractor, version)
            WHERE extractor = 'landmarks' AND status <> 'ok')
        SELECT image_id, root || '/' || path AS path, list(extractor) AS missing
        FROM missing JOIN images USING (image_id) JOIN data_sets USING (data_set)
        ANTI JOIN faceless USING (image_id)
        GROUP BY ALL ORDER BY image_id""",
        extractors=[o.extractor for o in outputs],
        versions=[o.version for o in outputs],
    )


def write(store: Store, output: Output, rows: pl.DataFrame, ledger: pl.DataFrame) -> None:
    """Add the rows of one batch and their ledger lines; call it inside a transaction."""
    if len(rows):
        store.append(output.table_name, rows)
    store.append("extractions", ledger)


def forget(store: Store, image_ids: pl.DataFrame) -> None:
    """Remove everything that was computed from these images (frame with an image_id column).

    Their z-scores go too, so that `normalization.fit` makes them anew.
    """
    tables = store.frame(
        "SELECT table_name FROM extractor_versions UNION "
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'normalized__')"
    )["table_name"]
    store.connection.register("forgotten", image_ids)
    for table in ["extractions", *tables]:
        store.execute(f'DELETE FROM "{table}" WHERE image_id IN (SELECT image_id FROM forgotten)')
    store.connection.unregister("forgotten")
