"""All geometric features of n faces at once."""

import functools

import numpy as np
from numpy.typing import NDArray

from extractors.catalogue import FEATURES_COMMENT, GEOMETRIC, fields_of

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
from extractors.outputs import FEATURES
from extractors.points import Landmarks, Reals
from extractors.spec import Extractor


def compute_geometry(landmarks: Reals) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """F names and (n, F) values of (n, P, 3) landmarks in pixels, x and y down; z in the same unit."""
    face = Landmarks(landmarks)
    return tuple(GEOMETRIC), np.stack([f.measure(face) for f in GEOMETRIC.values()], axis=1)


EXTRACTOR = Extractor(
    name="geometry",
    view=FEATURES,
    comment=FEATURES_COMMENT,
    fields=functools.partial(fields_of, "geometry"),
    code_version=1,  # of what all formulas share: each has a version of its own
    measure=lambda landmarks: {"features": compute_geometry(landmarks)[1]},
)
