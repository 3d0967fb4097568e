"""MediaPipe's canonical face: the reference for shapes, and the exact mirror map of the 468 landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_mesh = json.loads(Path(__file__).with_name("canonical_mesh.json").read_text(encoding="utf-8"))

MESH: NDArray[np.float64] = np.array(_mesh["vertices"]) * (1.0, -1.0, -1.0)
"""(468, 3) in cm, axes as FaceMesh gives them: x to the image's right, y down, z away from the viewer."""

MIRROR: NDArray[np.int64] = np.array(_mesh["mirror"])
"""(468,): the landmark on the other half of the face; the midline's landmarks are their own mirror."""
