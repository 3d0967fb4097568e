"""The regions of the face: those of sub-scores and explanations, and those that features describe."""

REGIONS = ("eyes", "brows", "nose", "lips", "jawline", "cheeks", "skin", "symmetry")
"""Each has a sub-score."""

PROPORTION = "proportion"
"""What is measured across regions; it has no sub-score of its own."""

FEATURE_REGIONS = (*REGIONS, PROPORTION)
"""What a feature can describe."""


def sub_score_of(feature_region: str) -> str:
    """The region whose sub-score sees features of a region: that of symmetry, which is of the whole face, sees
    proportions too.
    """
    return "symmetry" if feature_region == PROPORTION else feature_region
