"""MediaPipe's face landmarker: the landmarks of FaceMesh, and five of each iris."""

from dataclasses import replace

import numpy as np

from extractors.topologies.facemesh_468 import TOPOLOGY as MESH
from extractors.topology import both_sides

_right, _left = MESH.number, MESH.number + 5

# both irises are listed from the centre, the image's right, the top, the image's left, the bottom
_mirror = np.concatenate([MESH.mirror, _left + np.array([0, 3, 2, 1, 4]), _right + np.array([0, 3, 2, 1, 4])])

_RIGHT_POINTS = {
    "iris_centre": (_right,),
    "iris_inner": (_right + 1,),
    "iris_top": (_right + 2,),
    "iris_outer": (_right + 3,),
    "iris_bottom": (_right + 4,),
}

TOPOLOGY = replace(
    MESH,
    name="mediapipe-478",
    number=MESH.number + 10,
    mirror=_mirror,
    points={**MESH.points, **both_sides(_RIGHT_POINTS, _mirror)},
    finder="extractors.landmarker:Landmarker",
)
