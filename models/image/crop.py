"""How much of a face crop a network sees."""

import numpy as np
from numpy.typing import NDArray


def centre_of(faces: NDArray[np.uint8], view: float) -> NDArray[np.uint8]:
    """(n, S, S, 3) to the middle (n, s, s, 3) of each, s near to `view` of S."""
    edge = round(faces.shape[1] * (1 - view) / 2)
    return faces[:, edge : faces.shape[1] - edge, edge : faces.shape[2] - edge]
