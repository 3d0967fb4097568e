"""Every defined feature: those that extractors measure, and averageness, which a fold's shapes decide."""

from extractors import averageness
from extractors.catalogue import FeatureDefinition, definitions_of
from extractors.registry import OF_FEATURES


def definitions() -> tuple[FeatureDefinition, ...]:
    """The features that extractors measure, in the order of their columns."""
    return tuple(definition for extractor in OF_FEATURES for definition in definitions_of(extractor))


def catalogue() -> tuple[FeatureDefinition, ...]:
    """All features that a model sees: those that extractors measure, then averageness."""
    return (*definitions(), averageness.DEFINITION)
