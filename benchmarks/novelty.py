"""`make bench-novelty`: how often a photo is said to be unlike the training photos, as it is and changed on purpose.

Of the fold whose models were combined last in the store: its test photos as they are, then some of them blurred,
turned, shrunk, darkened or covered.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ensemble.parts import parts_of_store
from ensemble.predictor import Predictor
from extractors.decode import decode
from extractors.errors import PhotoError
from featurestore.store import Store

Image = NDArray[np.uint8]
Change = Callable[[Image, NDArray[np.float32]], Image]

LIPS, RIGHT_EYE = (13, 14), (33, 133)
"""Landmarks in the middle of what is covered."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--changed", type=int, default=60, help="test photos that are changed, evenly spread")
    arguments = parser.parse_args()
    with Store.open(arguments.store, read_only=True) as store:
        parts = parts_of_store(store)
        photos = store.frame(
            "SELECT root || '/' || path FROM images JOIN locations USING (data_set) JOIN splits USING (image_id) "
            "WHERE protocol = $protocol AND fold = $fold AND role = 'test' ORDER BY image_id",
            protocol=parts.trained_on["protocol"],
            fold=parts.trained_on["fold"],
        ).to_series()
    table = Table("test photos", "photos", "no face", "warned of", title=f"fold {parts.trained_on['fold']}")
    with Predictor(parts) as predictor, tempfile.TemporaryDirectory() as scratch:
        warned = [_warns(predictor, Path(photo)) for photo in track(photos, "as they are", transient=True)]
        table.add_row("as they are", f"{len(photos):,}", "0", f"{np.mean(warned):.1%}")
        some = photos.gather_every(max(len(photos) // arguments.changed, 1)).head(arguments.changed)
        for name, change in CHANGES.items():
            chosen = track(some, name, transient=True)
            said = [_changed(predictor, Path(photo), change, Path(scratch)) for photo in chosen]
            seen = [answer for answer in said if answer is not None]
            table.add_row(name, str(len(said)), str(len(said) - len(seen)), str(sum(seen)))
    Console(highlight=False).print(table)


def _warns(predictor: Predictor, photo: Path) -> bool:
    return any("the largest was taken" not in note for note in predictor.predict(photo).notes)


def _changed(predictor: Predictor, photo: Path, change: Change, scratch: Path) -> bool | None:
    """Whether the changed photo is warned of; None where no face is found in it."""
    image = change(decode(photo), predictor.predict(photo).landmarks)
    file = scratch / "changed.png"
    cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    try:
        return _warns(predictor, file)
    except PhotoError:
        return None


def _blurred(sigma: float) -> Change:
    return lambda image, _: cv2.GaussianBlur(image, (0, 0), sigma)


def _turned(image: Image, _: NDArray[np.float32]) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 30, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _covered(landmarks: tuple[int, ...], across: float, down: float) -> Change:
    """A skin-coloured bar, `across` and `down` face widths from its middle to its edges."""

    def cover(image: Image, face: NDArray[np.float32]) -> Image:
        width = abs(face[454, 0] - face[234, 0])
        x, y = face[list(landmarks), :2].mean(axis=0)
        corners = ((int(x + s * across * width), int(y + s * down * width)) for s in (-1, 1))
        return cv2.rectangle(image.copy(), *corners, (90, 110, 160), -1)

    return cover


CHANGES: dict[str, Change] = {
    "blurred, sigma 2": _blurred(2),
    "blurred, sigma 4": _blurred(4),
    "turned by 30 degrees": _turned,
    "shrunk to 80 pixels": lambda image, _: cv2.resize(image, (80, 80), interpolation=cv2.INTER_AREA),
    "darkened to a third": lambda image, _: (image * 0.35).astype(np.uint8),
    "mouth covered": _covered(LIPS, 0.25, 0.16),
    "one eye covered": _covered(RIGHT_EYE, 0.2, 0.13),
}


if __name__ == "__main__":
    main()
