"""Every importer. To add one, write a file with its `Importer`, import it here and add it to the list."""

from kallos.importers.demo import DEMO
from kallos.importers.mebeauty import MEBEAUTY
from kallos.importers.photos import PHOTOS
from kallos.importers.scut import SCUT
from kallos.importers.spec import Importer
from kallos.importers.table import TABLE

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        SCUT,
        MEBEAUTY,
        TABLE,
        PHOTOS,
        DEMO,
    )
}
"""By name, in the order of the help."""
