"""MEBeauty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kallos.importers.spec import Importer

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet


def read(folder: Annotated[Path, "The MEBeauty folder."]) -> DataSet:
    """MEBeauty: scores 1-10, official train, val and test lists."""
    from featurestore.ingest.mebeauty import read_mebeauty

    return read_mebeauty(folder)


MEBEAUTY = Importer("mebeauty", read, owns_its_name=True)
