"""SCUT-FBP5500."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kallos.importers.spec import Importer

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet


def read(folder: Annotated[Path, "The SCUT-FBP5500_v2 folder."]) -> DataSet:
    """SCUT-FBP5500 in its release's own layout; single ratings are read when they lie beside it."""
    from featurestore.ingest.scut import read_scut

    return read_scut(folder)


SCUT = Importer("scut", read, owns_its_name=True)
