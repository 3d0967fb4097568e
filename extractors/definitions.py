"""Every defined feature: geometric, of the skin, and averageness, which is computed from the shapes of a fold."""

from __future__ import annotations

# these modules put their features into the catalogue when they are imported
import extractors.geometry.compute
import extractors.skin  # noqa: F401
from extractors import averageness
from extractors.catalogue import GEOMETRIC, SKIN, FeatureDefinition


def definitions() -> tuple[FeatureDefinition, ...]:
    """The features that extractors measure, in the order of their columns: geometric, then skin."""
    return tuple(f.definition for registry in (GEOMETRIC, SKIN) for f in registry.values())


def catalogue() -> tuple[FeatureDefinition, ...]:
    """All features that a model sees: those that extractors measure, then averageness."""
    return (*definitions(), averageness.DEFINITION)
