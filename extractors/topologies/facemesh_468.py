"""FaceMesh: the vertices of MediaPipe's canonical face. Bare indices of its landmarks stand nowhere else.

Stores hold it from before MediaPipe's face landmarker, whose set begins with the same landmarks.
Only right halves and the midline are written down, the left ones follow from the mirror map.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from extractors.topology import Topology, both_sides, whole

_mesh = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_mirror = np.array(_mesh["mirror"])

_MIDLINE_POINTS = {
    "face_top": (10,),  # the mesh's upper edge, not the hairline
    "glabella": (9,),
    "nasion": (168,),
    "nose_tip": (4,),
    "subnasale": (2,),
    "upper_lip_top": (0,),
    "upper_lip_bottom": (13,),
    "lower_lip_top": (14,),
    "lower_lip_bottom": (17,),
    "chin": (152,),
}

# a point of several landmarks is their mean
_RIGHT_POINTS = {
    "eye_outer": (33,),
    "eye_inner": (133,),
    "eye_centre": (33, 133),
    "upper_lid": (159,),
    "upper_lid_outer": (160,),
    "upper_lid_inner": (158,),
    "lower_lid": (145,),
    "lower_lid_outer": (144,),
    "lower_lid_inner": (153,),
    "brow_outer": (70, 46),
    "brow_inner": (107, 55),
    "brow_top": (105,),
    "brow_bottom": (52,),
    "bridge_side": (174,),
    "alare": (129,),
    "nostril_base": (98,),
    "mouth_corner": (61,),
    "lip_peak": (37,),
    "cheek": (50,),
    "lower_cheek": (205,),
    "cheekbone": (116,),
    "zygion": (234,),
    "jaw_side": (132,),
    "gonion": (58,),
    "jaw_corner": (172,),
    "chin_corner": (176,),
    "chin_side": (148,),
    "temple": (127,),
    "forehead_side": (54,),
}

_RIGHT_CONTOURS = {
    "eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "brow_upper": (70, 63, 105, 66, 107),
    "brow_lower": (46, 53, 52, 65, 55),
    "cheek_area": (117, 118, 101, 36, 205, 187, 123),
    "under_eye": (228, 229, 230, 231, 232, 121, 120, 119, 118, 117),
}

# the right half, from one end of the midline to the other
_HALF_CONTOURS = {
    "face_oval": (10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    "jaw": (132, 58, 172, 136, 150, 149, 176, 148, 152),
    "jaw_band": (175, 171, 140, 170, 169, 135, 138, 215, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    "lips_outer": (0, 37, 39, 40, 185, 61, 146, 91, 181, 84, 17),
    "lips_inner": (13, 82, 81, 80, 191, 78, 95, 88, 178, 87, 14),
    "nose": (168, 193, 188, 174, 217, 126, 129, 98, 97, 2),
    "nose_ridge": (6, 122, 174, 198, 220, 4),
    "forehead": (151, 108, 69, 104, 107, 9),
    "chin_area": (200, 201, 194, 32, 171, 175),
    "midline": (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 17, 18, 200, 199, 175, 152),
}

TOPOLOGY = Topology(
    name="facemesh-468",
    version=1,
    number=468,
    # the file's y points up and its z to the viewer
    mesh=np.array(_mesh["vertices"]) * (1.0, -1.0, -1.0),
    mirror=_mirror,
    points=_MIDLINE_POINTS | both_sides(_RIGHT_POINTS, _mirror),
    contours=both_sides(_RIGHT_CONTOURS, _mirror)
    | {name: whole(half, _mirror) for name, half in _HALF_CONTOURS.items()},
    finder=None,
)
