"""How inputs of models are brought to one scale, so that no single odd measure decides a score."""

import numpy as np
from numpy.typing import NDArray

from featurestore.records import FaceBatch

FURTHEST = 5.0
"""z-scores beyond it are taken as it."""

SMALLEST = 1e-3
"""Standard deviations are taken as at least this part of the largest: what hardly varies would be noise blown up."""

ROUNDING = 1e-6
"""The same as a part of the largest mean: what varies by less is a constant of 32 bits."""


def measured_features(batch: FaceBatch) -> NDArray[np.float32]:
    """(n, F) z-scores: an unknown feature counts as the training mean, an extreme one as FURTHEST."""
    return np.nan_to_num(batch.features, nan=0.0).clip(-FURTHEST, FURTHEST).astype(np.float32)


def spreads(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, P) to (P,) standard deviations to divide by."""
    spread = values.std(axis=0)
    mean = float(np.abs(values.mean(axis=0)).max(initial=0))
    floor = max(SMALLEST * float(spread.max(initial=0)), ROUNDING * mean, 1e-12)
    return np.maximum(spread, np.float32(floor))
