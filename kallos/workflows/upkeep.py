"""Maintenance of a store: earlier versions, disk space, erasure, export and import."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from featurestore import normalization_statistics
from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.transfer import exporting, importing
from featurestore.transfer.exporting import ExportResult
from featurestore.transfer.importing import ImportResult
from featurestore.upkeep import compacting, erasure
from featurestore.upkeep.compacting import CompactionResult
from featurestore.upkeep.erasure import ErasureResult, Receipt
from featurestore.versions import rollback as roll_back
from reports.render.json import to_json


def rollback(store: str | Path, extractor: str) -> dict[str, str]:
    """Return to the previous version of an extractor and of outputs computed from it; gives extractor -> version."""
    with open_store(Path(store), must_exist=True) as opened:
        versions = roll_back(opened, extractor)
        normalization_statistics.fit(opened)
        return versions


def compact(store: str | Path) -> CompactionResult:
    """Drop earlier versions and values of deleted photos, and rewrite the file without them."""
    return compacting.compact(Path(store))


def erase(
    store: str | Path,
    image_ids: Sequence[str] = (),
    *,
    raters: Sequence[str] = (),
    receipt: str | Path | None = None,
) -> tuple[ErasureResult, Path]:
    """Erase photos, or what persons rated by `kallos rate`, from every table, copy and the bytes of the file.

    Gives what was erased, and the file of the receipt, by default beside the store. Exports are not reached.
    Raises UsageError for an unknown image or person, with nothing erased.
    """
    if not image_ids and not raters:
        raise UsageError("Name what to erase: images by their IMAGE_ID, a person by --rater NAME.")
    path = Path(store)
    file = Path(receipt) if receipt else path.with_name(f"{path.stem}.erased-{datetime.now(UTC):%Y%m%dT%H%M%S}.json")

    def write_receipt(content: Receipt) -> None:
        file.write_text(to_json("erasure", content) + "\n", encoding="utf-8")

    return erasure.erase(path, image_ids, write_receipt, raters), file


def export_store(store: str | Path, folder: str | Path) -> ExportResult:
    """Export every table as Parquet, schema, comments, trained models and checksums into a folder."""
    with open_store(Path(store), read_only=True) as opened:
        return exporting.export_store(opened, Path(folder))


def import_store(folder: str | Path, store: str | Path) -> ImportResult:
    """Create a store equal to the exported one. No code in the folder is executed."""
    return importing.import_store(Path(folder), Path(store))
