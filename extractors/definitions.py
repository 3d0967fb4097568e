"""Every feature that is defined, geometric and of the skin."""

from __future__ import annotations

# these modules put their features into the catalogue when they are imported
import extractors.geometry.compute
import extractors.skin  # noqa: F401
from extractors.catalogue import GEOMETRIC, SKIN, FeatureDefinition


def definitions() -> tuple[FeatureDefinition, ...]:
    """All features in the order of their columns: geometric, then skin."""
    return tuple(f.definition for registry in (GEOMETRIC, SKIN) for f in registry.values())
