"""Photos alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kallos.importers.spec import Importer

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet


def read(
    folder: Annotated[Path, "Folder with the photos."],
    *,
    name: Annotated[str | None, "Name of the data set; by default the folder's."] = None,
) -> DataSet:
    """Photos without any rating, for their features; ratings can be added later with `kallos ingest table`."""
    from featurestore.ingest.unrated import read_photos

    return read_photos(folder, name=name)


PHOTOS = Importer("photos", read)
