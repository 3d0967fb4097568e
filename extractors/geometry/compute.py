"""All geometric features of n faces at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.catalogue import GEOMETRIC

# imported for their registrations, whose order is that of the columns
from extractors.geometry import (  # noqa: F401
    brows,
    cheeks,
    eyes,
    irises,
    jawline,
    lips,
    nose,
    proportion,
    symmetry,
)
from extractors.points import Landmarks, Reals

VERSION = 1
"""Raised whenever what all formulas share changes; a formula and a set of landmarks have versions of their own."""


def compute_geometry(landmarks: Reals) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """F names and (n, F) values of (n, P, 3) landmarks in pixels, x and y down; z in the same unit."""
    face = Landmarks(landmarks)
    return tuple(GEOMETRIC), np.stack([f.measure(face) for f in GEOMETRIC.values()], axis=1)
