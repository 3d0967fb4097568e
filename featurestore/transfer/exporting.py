"""`kallos store export`: every table as Parquet, its description, and the trained models."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from extractors.errors import InputError
from extractors.outputs import EMBEDDING
from featurestore.errors import ExportError
from featurestore.sql_text import quote
from featurestore.staging import staging, take_place
from featurestore.store import Store
from featurestore.transfer.description import Description, describe
from featurestore.transfer.folder import MODELS, SCHEMA, parquet, seal, verify

# Parquet's dictionaries hold one NaN for all that there are, whatever their sign and payload: so none are written.
_PARQUET = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, DICTIONARY_SIZE_LIMIT 0"


@dataclass(frozen=True)
class ExportResult:
    """What was written: tables and rows, folders of trained models and encoders, bytes of it all."""

    folder: Path
    tables: int
    rows: int
    models: int
    size: int


def export_store(store: Store, folder: Path) -> ExportResult:
    """Write a store, or the snapshot that is read, into a folder, which must be new, empty or an untouched export.

    Models of finished runs and encoders of known embeddings go with it. The folder is made beside its place and moved
    there, so that a half-written one is never seen. Raises InputError rather than delete anything else, and ExportError
    for a store that holds tables which are not kallos's.
    """
    folder = folder.resolve()
    if not _may_be_replaced(folder):
        raise InputError(f"{folder} holds other files: give a new or empty folder for the export.")
    description = describe(store)
    description.check()
    description.check_versions(set(store.column("SELECT table_name FROM extractor_versions")))
    with staging(folder) as partial:
        _write_tables(store, description, partial)
        models = _model_folders(store)
        for model in models:
            shutil.copytree(store.runs_folder / model, partial / MODELS / model)
        (partial / SCHEMA).write_text(description.to_json(), encoding="utf-8")
        seal(partial)
        size = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
        take_place(partial, folder)
    return ExportResult(folder, len(description.tables), sum(description.rows.values()), len(models), size)


def _may_be_replaced(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    try:
        return not any(folder.iterdir()) or bool(verify(folder))
    except (InputError, ExportError):
        return False


def _write_tables(store: Store, description: Description, folder: Path) -> None:
    (folder / parquet("")).parent.mkdir()
    for table in description.tables:
        try:
            store.execute(f'COPY "{table.name}" TO {quote(str(folder / parquet(table.name)))} ({_PARQUET})')
        except duckdb.IOException as error:
            raise ExportError(f"{table.name} cannot be written: {str(error).splitlines()[0]}") from error


def _model_folders(store: Store) -> list[str]:
    """What lies in the runs folder for finished runs and known embeddings; a run that still trains is left out."""
    named = store.frame(
        "SELECT folder FROM runs WHERE status = 'done' "
        "UNION SELECT 'encoders/' || version FROM extractor_versions WHERE starts_with(extractor, $embedding) "
        "ORDER BY ALL",
        embedding=EMBEDDING,
    )
    return [name for name in named["folder"] if (store.runs_folder / name).is_dir()]
