"""Looking after a store: earlier versions, space on disk, erasure, and copies of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from featurestore import statistics
from featurestore.store import Store
from featurestore.transfer import exporting, importing
from featurestore.transfer.exporting import ExportResult
from featurestore.transfer.importing import ImportResult
from featurestore.upkeep import compacting, erasure
from featurestore.upkeep.compacting import CompactionResult
from featurestore.upkeep.erasure import ErasureResult, Receipt
from featurestore.versions import rollback as roll_back
from reports.render.json import to_json


def rollback(store: str | Path, extractor: str) -> dict[str, str]:
    """Show the version of an extractor that was shown before, with what was computed from it; extractor -> version."""
    with Store.open(Path(store), must_exist=True) as opened:
        shown = roll_back(opened, extractor)
        statistics.fit(opened)
        return shown


def compact(store: str | Path) -> CompactionResult:
    """Drop earlier versions and values of photos that are gone, and rewrite the file without them."""
    return compacting.compact(Path(store))


def erase(
    store: str | Path, image_ids: Sequence[str], *, receipt: str | Path | None = None
) -> tuple[ErasureResult, Path]:
    """Erase photos from every table, version, snapshot and backup, and from the bytes of the file.

    Gives what was done, and where the receipt lies, by default beside the store. Exports elsewhere are not reached.
    """
    path = Path(store)
    written = Path(receipt) if receipt else path.with_name(f"{path.stem}.erased-{datetime.now(UTC):%Y%m%dT%H%M%S}.json")

    def keep(made: Receipt) -> None:
        written.write_text(to_json("erasure", made) + "\n", encoding="utf-8")

    return erasure.erase(path, image_ids, keep), written


def export_store(store: str | Path, folder: str | Path) -> ExportResult:
    """Every table as Parquet, schema, comments, trained models, and checksums, in a folder."""
    with Store.open(Path(store), read_only=True) as opened:
        return exporting.export_store(opened, Path(folder))


def import_store(folder: str | Path, store: str | Path) -> ImportResult:
    """Make a new store, equal to the one that was exported. Nothing in the folder is run."""
    return importing.import_store(Path(folder), Path(store))
