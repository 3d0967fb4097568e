"""Every feature that is defined: geometric, of the skin, and averageness, which is made from the shapes of a fold."""

from __future__ import annotations

from typing import Any

# these modules put their features into the catalogue when they are imported
import extractors.geometry.compute
import extractors.skin  # noqa: F401
from extractors.catalogue import GEOMETRIC, INVARIANT, SKIN, FeatureDefinition


def definitions() -> tuple[FeatureDefinition, ...]:
    """The features that extractors measure, in the order of their columns: geometric, then skin."""
    return tuple(f.definition for registry in (GEOMETRIC, SKIN) for f in registry.values())


def catalogue() -> tuple[FeatureDefinition, ...]:
    """All features that a model sees: those that extractors measure, then averageness."""
    # worker processes know definitions, but no store
    from featurestore.normalization import DEFINITION

    return (*definitions(), _averageness(DEFINITION))


def _averageness(stored: dict[str, Any]) -> FeatureDefinition:
    """Averageness as the others are defined, out of its row in the store's catalogue."""
    return FeatureDefinition(
        name=stored["feature"],
        summary="How far the face's shape is from the mean face of the training rows; an average face has less.",
        region=stored["region"],
        unit=stored["unit"],
        formula=stored["formula"],
        points=(stored["points"],),
        source=stored["source"],
        low=stored["low"],
        high=stored["high"],
        invariant=INVARIANT,
        kind=stored["extractor"],
        version=stored["version"],
    )
