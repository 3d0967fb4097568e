"""Golden values of every feature, rebuilt with `make golden` after a wanted change of formula.

A feature keeps its values for as long as it keeps its version: stores and bundles tell formulas apart by the version
alone, so other values under the same version are refused.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import align_face, procrustes_shape
from extractors.averageness import AVERAGENESS
from extractors.catalogue import SKIN
from extractors.definitions import catalogue
from extractors.geometry.compute import compute_geometry
from extractors.skin import compute_skin
from extractors.topologies.mediapipe_478 import TOPOLOGY
from featurestore.normalization import averageness

MESH = TOPOLOGY.mesh
IRIS_RADIUS = 0.585
"""cm."""


def with_irises(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """(478, 3) cm: the canonical mesh, and round irises in the middle of its eyes."""
    around = IRIS_RADIUS * np.array([(0, 0, 0), (1, 0, 0), (0, -1, 0), (-1, 0, 0), (0, 1, 0)])
    eyes = [mesh[list(TOPOLOGY.points[f"{side}_eye_centre"])].mean(axis=0) for side in ("right", "left")]
    return np.vstack([mesh, *(eye + around for eye in eyes)])


CANONICAL = with_irises(MESH)

FILE = Path(__file__).with_name("features.json")


@dataclass(frozen=True)
class Golden:
    """The version of a feature and its value on each reference face."""

    version: int
    values: list[float]


def reference_faces() -> NDArray[np.float64]:
    """(3, 478, 3) pixels: the canonical face and two smooth distortions of it, each turned a little."""
    return np.stack([distorted(strength, roll) for strength, roll in ((0.0, 0.0), (0.25, 7.0), (-0.35, -12.0))])


def distorted(strength: float, roll: float = 0.0) -> NDArray[np.float64]:
    """(478, 3) pixels of the canonical face bent by `strength` cm of slow waves and tilted by `roll` degrees."""
    x, y, z = CANONICAL.T
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


def measured() -> dict[str, Golden]:
    """feature -> what it gives today on the reference faces: the skin's on the striped photo, averageness with the
    canonical face as the mean.
    """
    faces = reference_faces()
    names, geometry = compute_geometry(faces)
    crops = [align_face(striped_photo(), face.astype(np.float32)) for face in faces]
    skin = np.stack([compute_skin(crop.image, crop.landmarks) for crop in crops])
    average = averageness(procrustes_shape(faces), procrustes_shape(MESH[None])[0])
    columns = np.column_stack([geometry, skin, average]).T.round(9).tolist()
    values = dict(zip((*names, *SKIN, AVERAGENESS), columns, strict=True))
    return {d.name: Golden(d.version, values[d.name]) for d in catalogue()}


def read(file: Path) -> dict[str, Golden]:
    """feature -> what the file keeps of it."""
    return {name: Golden(**entry) for name, entry in json.loads(file.read_text(encoding="utf-8")).items()}


def silently_changed(stored: dict[str, Golden], now: dict[str, Golden]) -> list[str]:
    """Features whose version was lowered, or that give other values under the version that is kept."""

    def silent(old: Golden, new: Golden) -> bool:
        same = np.allclose(new.values, old.values, rtol=1e-6, atol=1e-7)
        return new.version < old.version or (new.version == old.version and not same)

    return [name for name in stored if name in now and silent(stored[name], now[name])]


def rebuild(file: Path, now: dict[str, Golden]) -> None:
    """Write new features and those of a raised version into the file; all others stay to the last digit.

    Exits with a sentence, and writes nothing, when a formula was changed silently.
    """
    stored = read(file)
    if changed := silently_changed(stored, now):
        sys.exit(
            f"Nothing was rebuilt, {', '.join(changed)} changed without a raised version: "
            "raise `version` in the decorator, or take the change of formula back."
        )
    golden = {
        name: stored[name] if name in stored and stored[name].version == new.version else new
        for name, new in now.items()
    }
    lines = [f" {json.dumps(name)}: {json.dumps(asdict(entry))}" for name, entry in golden.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    rebuild(FILE, measured())
