"""Golden values of every feature, rebuilt with `python -m tests.golden.rebuild` after a wanted change of formula."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import align_face
from extractors.canonical import MESH
from extractors.catalogue import SKIN
from extractors.definitions import definitions
from extractors.geometry.compute import compute_geometry
from extractors.skin import compute_skin

FILE = Path(__file__).with_name("features.json")


def reference_faces() -> NDArray[np.float64]:
    """(3, 468, 3) pixels: the canonical mesh and two smooth distortions of it, each turned a little."""
    return np.stack([distorted(strength, roll) for strength, roll in ((0.0, 0.0), (0.25, 7.0), (-0.35, -12.0))])


def distorted(strength: float, roll: float = 0.0) -> NDArray[np.float64]:
    """(468, 3) pixels of the canonical mesh bent by `strength` cm of slow waves and tilted by `roll` degrees."""
    x, y, z = MESH.T
    bent = np.stack(
        [
            x + strength * np.sin(0.31 * y + 0.2 * x + 1.0),
            y + strength * np.sin(0.43 * x + 0.17 * y),
            z + strength * np.cos(0.29 * x - 0.23 * y),
        ],
        axis=1,
    )
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return 14 * bent @ turn.T + (175, 180, 0)


def striped_photo(size: int = 350) -> NDArray[np.uint8]:
    """(size, size, 3) a photo without meaning whose colours and sharpness vary from place to place."""
    y, x = np.mgrid[:size, :size] / size
    grain = 12 * np.sin(160 * x * x + 90 * y) * x
    channels = [200 - 60 * y + grain, 150 + 40 * np.sin(4 * x) + grain, 120 + 50 * x * y + grain]
    return np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)


def measured() -> dict[str, list[float]]:
    """feature -> its value on each reference face; the skin's on the striped photo."""
    faces = reference_faces()
    names, geometry = compute_geometry(faces)
    crops = [align_face(striped_photo(), face.astype(np.float32)) for face in faces]
    skin = np.stack([compute_skin(crop.image, crop.landmarks) for crop in crops])
    values = dict(zip((*names, *SKIN), np.hstack([geometry, skin]).T.tolist(), strict=True))
    return {d.name: values[d.name] for d in definitions()}


if __name__ == "__main__":
    lines = [f" {json.dumps(name)}: {json.dumps([round(v, 9) for v in row])}" for name, row in measured().items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
