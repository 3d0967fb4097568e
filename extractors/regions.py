"""The regions of the face that features, sub-scores and explanations are told by."""

REGIONS = ("eyes", "brows", "nose", "lips", "jawline", "cheeks", "skin", "symmetry")
