"""Photos without any rating, for those who want their features."""

from pathlib import Path

from featurestore.ingest.dataset import DataSet, empty, findings_frame
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.ingest.table import data_set_name


def read_photos(folder: Path, *, name: str | None = None) -> DataSet:
    """The photos of a folder; ratings of them can be added later under the same name.

    Raises InputError when the folder is missing or holds no photo, UsageError for a name that cannot be.
    """
    name = data_set_name(folder.absolute(), name)
    photos, findings = find_photos(folder)
    images, more = scan_images(name, folder, photos)
    return DataSet(
        name=name,
        root=folder,
        scales={},
        licence="not stated",
        images=images,
        scores=empty("scores"),
        splits=empty("splits"),
        adds=True,
        findings=findings_frame(name, [*findings, *more]),
    )
