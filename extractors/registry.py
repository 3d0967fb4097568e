"""Every extractor beside landmarks and encoders. A new one is a file with its `EXTRACTOR`, and one line here."""

from extractors import fingerprint, shape, skin
from extractors.geometry import compute as geometry
from extractors.outputs import FEATURES
from extractors.spec import Extractor

EXTRACTORS: dict[str, Extractor] = {
    module.EXTRACTOR.name: module.EXTRACTOR
    for module in (
        geometry,
        skin,
        shape,
        fingerprint,
    )
}
"""By name, in the order of the plan."""

OF_FEATURES = tuple(name for name, extractor in EXTRACTORS.items() if extractor.view == FEATURES)
"""Those whose fields are features, in the order of their columns."""

FROM_LANDMARKS = tuple(name for name, extractor in EXTRACTORS.items() if not extractor.needs_pixels)
"""Those that need no pixels: they are computed from stored landmarks."""
