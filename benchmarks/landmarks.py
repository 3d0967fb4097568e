"""`make bench-landmarks`: faces found on drawn portraits in hard positions, and processor time of the landmarker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ensemble.novelty import pose
from extractors.errors import NoFaceError
from extractors.landmarker import Landmarker
from kallos.portraits.painter import paint
from kallos.portraits.parameters import PortraitParameters, draw_parameters

Image = NDArray[np.uint8]
PORTRAITS = 20
ANGLES = ("yaw", "pitch", "roll")
"""As `pose` returns them."""

WIDTHS = (24, 32, 40, 48, 52, 64, 96, 128)
PHOTO, FACE = (1500, 2000), 147 / 350
"""Height and width of the large photo in pixels, and the part of a portrait's width that is its face."""


def main() -> None:
    upright = [replace(draw_parameters(900 + i), yaw=0.0, pitch=0.0, roll=0.0) for i in range(PORTRAITS)]
    table = Table("drawn portraits", "found", "angle measured", "ms a photo")
    with Landmarker() as landmarker:
        landmarker.find(paint(upright[0]))  # the first is slower
        for name, (angle, photos) in _cases(upright).items():
            began, faces = time.process_time(), []
            for photo in photos:
                try:
                    faces.append(landmarker.find(photo).landmarks)
                except NoFaceError:
                    continue
            milliseconds = 1000 * (time.process_time() - began) / len(photos)
            measured = np.abs(pose(np.stack(faces))[:, ANGLES.index(angle)]).mean() if angle and faces else None
            table.add_row(
                name,
                f"{len(faces)} of {len(photos)}",
                "" if measured is None else f"{measured:.0f}",
                f"{milliseconds:.0f}",
            )
    Console(highlight=False).print(table)


def _cases(upright: list[PortraitParameters]) -> Mapping[str, tuple[str | None, list[Image]]]:
    """name -> which angle of the head is measured, and the photos."""
    cases: dict[str, tuple[str | None, list[Image]]] = {}

    for yaw in (0, 15, 30, 40, 50, 60):
        cases[f"turned by {yaw} degrees"] = "yaw", [paint(replace(p, yaw=float(yaw))) for p in upright]
    for pitch in (-30, -15, 15, 30):
        name = f"looking {'up' if pitch > 0 else 'down'} by {abs(pitch)}"
        cases[name] = "pitch", [paint(replace(p, pitch=float(pitch))) for p in upright]
    plain = [paint(p) for p in upright]
    for roll in (15, 30, 45, 60, 90, 135, 180):
        cases[f"tilted by {roll}"] = "roll", [_tilted(photo, roll) for photo in plain]
    for width in WIDTHS:
        cases[f"{width} pixels wide in a corner"] = (
            None,
            [_in_corner(photo, width, i) for i, photo in enumerate(plain[:4])],
        )
    return cases


def _tilted(photo: Image, degrees: float) -> Image:
    side = len(photo)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 0.7)
    return cv2.warpAffine(photo, turn, (side, side), borderValue=(150, 150, 150)).astype(np.uint8)


def _in_corner(photo: Image, face_width: int, corner: int) -> Image:
    """A large grey photo with the portrait in one of its four corners."""
    height, width = PHOTO
    side = round(face_width / FACE)
    large = np.random.default_rng(0).normal(140, 4, (height, width, 3)).clip(0, 255).astype(np.uint8)
    x, y = (corner % 2) * (width - side), (corner // 2) * (height - side)
    large[y : y + side, x : x + side] = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
    return large


if __name__ == "__main__":
    main()
