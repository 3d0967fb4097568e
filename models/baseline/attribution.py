"""Explanations of LightGBM's scores: TreeSHAP (Lundberg et al. 2020), as LightGBM computes it."""

import numpy as np

from featurestore.records import FaceBatch
from models.cross_fitted import CrossFitted


def parts_by_feature(model: CrossFitted, batch: FaceBatch) -> dict[str, float]:
    """Feature -> how far it moves the trees' score of one face; `shape` is all of the shape's components.

    `average` is their mean score over the training rows; together they add up to its score.
    """
    values = np.mean([trees.shap(batch)[0] for trees in model.models], axis=0)
    n = len(batch.feature_names)
    named = dict(zip(batch.feature_names, values[:n].tolist(), strict=True))
    return named | {"shape": float(values[n:-1].sum()), "average": float(values[-1])}
