"""Averageness: the one feature that is not measured in a photo alone, but against the mean shape of a fold."""

from extractors.catalogue import INVARIANT, FeatureDefinition

AVERAGENESS = "averageness"

DEFINITION = FeatureDefinition(
    name=AVERAGENESS,
    summary="How far the face's shape is from the mean face of the training rows; an average face has less.",
    region="symmetry",
    unit="Procrustes distance",
    formula="‖aligned landmarks − mean of the training rows‖",
    points=("all landmarks",),
    source="Langlois & Roggman 1990",
    low=0.0,
    high=0.5,
    invariant=INVARIANT,
    kind="normalization",
    version=1,
)
