"""Outputs of extractors in the store: a table a version, keyed by the bytes of photos; and the versions people see."""

import json
from collections.abc import Mapping
from pathlib import Path

from extractors.outputs import EMBEDDING, FEATURES, Output
from extractors.recipes import names_in
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import before_extract
from featurestore.store import Store
from featurestore.table_description import Column

SQL_TYPES = {
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "uint64": "UBIGINT",
    "bool": "BOOLEAN",
    "str": "VARCHAR",
    "datetime64": "TIMESTAMP",
}
"""NumPy's types as DuckDB's."""

NORMALIZED = ("geometry", "skin", "shape")
"""Extractors whose values statistics are fitted on: features in the order of their columns, then the shape."""


def stored_columns(output: Output) -> tuple[Column, ...]:
    """What the table of an output has beside sha256.

    Tables of features keep all features of a photo in one array, `features`, which the view takes apart into named
    columns: arrays are written, and read for training, several times faster than hundreds of columns.
    """
    if output.view == FEATURES:
        length = len(output.fields)
        return (Column("features", f"DOUBLE[{length}]", "in the order of the recipe; NaN where not measurable"),)
    return tuple(Column(field.name, _sql_type(field.dtype), field.meaning) for field in output.fields)


def _sql_type(dtype: str) -> str:
    """`float32[8]` is `FLOAT[8]`."""
    number, bracket, length = dtype.partition("[")
    return f"{SQL_TYPES[number]}{bracket}{length}"


def active_versions(store: Store) -> dict[str, str]:
    """extractor -> active version."""
    rows = store.frame("SELECT extractor, version FROM extractor_versions WHERE active ORDER BY extractor")
    return dict(rows.iter_rows())


def active_table(store: Store, extractor: str) -> str:
    """The table that holds what the views show of an extractor. Raises PrerequisiteError before it has run."""
    rows = store.frame("SELECT table_name FROM extractor_versions WHERE active AND extractor = $e", e=extractor)
    if rows.is_empty():
        raise before_extract(store, f"The store has no {extractor} yet")
    return str(rows.item())


def active_tables(store: Store, view: str) -> list[tuple[str, str]]:
    """(extractor, table) of the active versions behind a view."""
    rows = store.frame(
        "SELECT extractor, table_name FROM extractor_versions WHERE active AND output = $view ORDER BY extractor",
        view=view,
    )
    return list(rows.iter_rows())


def active_columns(store: Store, extractor: str) -> list[str]:
    """The names of what an extractor writes, in order: features of its table's array, columns of an embedding."""
    recipe = store.value("SELECT recipe FROM extractor_versions WHERE active AND extractor = $e", e=extractor)
    return names_in(json.loads(recipe))


def active_features(store: Store) -> list[str]:
    """The names of all features that the views show, in the order of statistics and of training sets."""
    return [name for extractor in NORMALIZED[:-1] for name in active_columns(store, extractor)]


def chosen_encoder(store: Store, name: str | None) -> str | None:
    """The id of the encoder of that id or architecture, or of the only one; None where the store has no embeddings.

    Raises UsageError for an unknown encoder, or when there are several to choose from.
    """
    known = _encoders(store)
    matching = (
        [name]
        if name in known
        else [encoder for encoder, architecture in known.items() if name in (None, architecture)]
    )
    if len(matching) > 1:
        raise UsageError(f"The store has embeddings of {', '.join(matching)}: choose one with --encoder.")
    if name is not None and not matching:
        raise UsageError(f"The store has no embeddings of {name!r}: run `kallos extract --encoder {name}`.")
    return matching[0] if matching else None


def _encoders(store: Store) -> dict[str, str]:
    """id -> architecture of the encoders whose embeddings are shown; those of an earlier kallos are called by it."""
    rows = store.frame(
        "SELECT extractor[len($prefix) + 1:] AS id, coalesce(recipe ->> '$.parameters.architecture', id) "
        "FROM extractor_versions WHERE active AND starts_with(extractor, $prefix) ORDER BY extractor",
        prefix=EMBEDDING,
    )
    return dict(rows.iter_rows())


def encoder_weights(store: Store, encoder: str) -> str:
    """What the encoder behind the active embeddings started from: imagenet, a file's name or none."""
    return str(
        store.value(
            "SELECT recipe ->> '$.parameters.weights' FROM extractor_versions WHERE active AND extractor = $extractor",
            extractor=f"{EMBEDDING}{encoder}",
        )
    )


def encoder_weights_sha256(store: Store, encoder: str) -> str:
    """The sha256 of what the encoder behind the active embeddings started from."""
    return str(
        store.value(
            "SELECT recipe ->> '$.parameters.weights_sha256' FROM extractor_versions "
            "WHERE active AND extractor = $extractor",
            extractor=f"{EMBEDDING}{encoder}",
        )
    )


def networks_of(store: Store, encoder: str) -> tuple[int, ...]:
    """Channels of the maps of each network of an encoder; empty where it has one."""
    recorded = store.value(
        "SELECT recipe -> '$.parameters.networks' FROM extractor_versions WHERE active AND extractor = $extractor",
        extractor=f"{EMBEDDING}{encoder}",
    )
    return tuple(json.loads(recorded or "[]"))


def encoder_folder(store: Store, version: str) -> Path:
    """Encoders lie beside the store, under the version of the embeddings that they make."""
    # resolved: workers on other machines have another working folder
    return store.runs_folder.resolve() / "encoders" / version


def found_encoder(store: Store, encoder: str, version: str) -> Path:
    """The folder of an encoder that the store has embeddings of. Raises PrerequisiteError when it is gone."""
    folder = encoder_folder(store, version)
    if not folder.is_dir():
        recipes = store.frame(
            "SELECT recipe ->> '$.parameters.architecture', recipe ->> '$.parameters.weights' "
            "FROM extractor_versions WHERE version = $version",
            version=version,
        ).rows()
        architecture, weights = recipes[0] if recipes else (None, None)
        raise PrerequisiteError(
            f"The encoder of the embeddings is not in {folder}: put the folder {store.runs_folder.name} back beside "
            f"the store, or run `kallos extract --encoder {architecture or encoder} --weights {weights or 'imagenet'}`."
        )
    return folder


def feature_versions(versions: Mapping[str, str]) -> str:
    """The versions that statistics of features depend on, as one word; a dash for what was never extracted."""
    return "+".join(versions.get(extractor, "–") for extractor in NORMALIZED)
