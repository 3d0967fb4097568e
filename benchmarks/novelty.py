"""`make bench-novelty`: how often a photo is said to be unlike the training photos, as it is and changed on purpose.

Of the fold whose models were combined last in the store. Limits are fitted on some of its training photos, drawn
anew in each draw; what is tried are its test photos as they are, and some of them blurred, turned,
shrunk, darkened or covered.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ensemble.novelty import Novelty
from ensemble.parts import parts_of_store
from ensemble.predictor import Predictor
from extractors.decode import decode
from extractors.errors import NoFaceError
from extractors.landmark_finder import finder_of
from extractors.topologies import registry
from extractors.values import face_of
from featurestore.group_differences import people_in
from featurestore.opening import open_store
from featurestore.records import FaceBatch
from featurestore.store import Store
from featurestore.training_sets import TrainingSet, training_set
from kallos.workflows.stored_faces import load_landmarks

Image = NDArray[np.uint8]
Change = Callable[[Image, NDArray[np.float32]], Image]
Tried = list[tuple[FaceBatch, NDArray[np.float32]]]
"""Photos as models see them, with their landmarks."""

LIPS, RIGHT_EYE = (13, 14), (33, 133)
"""Landmarks in the middle of what is covered."""


@dataclass(frozen=True, eq=False)
class Photos:
    """A fold's photos: its rows, the landmarks and people of the training rows, and what is tried."""

    rows: TrainingSet
    landmarks: NDArray[np.float32]
    people: NDArray[np.str_]
    tried: Mapping[str, Tried]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--changed", type=int, default=60, help="test photos that are changed, evenly spread")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[100, 300, 1000, 4400], help="numbers of training photos"
    )
    parser.add_argument("--draws", type=int, default=3, help="how often each number is drawn")
    arguments = parser.parse_args()
    with open_store(arguments.store) as store:
        photos = _photos(store, arguments.changed)
    table = Table("training photos", "s", *(f"{name} ({_number(of)})" for name, of in photos.tried.items()))
    every = len(photos.rows.train)
    for size in sorted({min(size, every) for size in arguments.sizes}):
        draws = [_warned(photos, size, seed) for seed in range(arguments.draws if size < every else 1)]
        shares = (" ".join(f"{100 * share:.1f}" for share in column) for column in zip(*draws, strict=True))
        table.add_row(f"{size:,}", *shares)
    Console(highlight=False, width=200).print(table, "Shares that are warned of, in percent, a figure a draw.")


def _number(tried: Tried) -> int:
    return sum(len(batch) for batch, _ in tried)


def _photos(store: Store, changed: int) -> Photos:
    parts = parts_of_store(store)
    protocol, fold, encoder = (parts.trained_on[name] for name in ("protocol", "fold", "encoder"))
    rows = training_set(store, str(protocol), int(str(fold)), str(encoder))
    files = dict(
        store.frame("SELECT image_id, root || '/' || path FROM images JOIN locations USING (data_set)").iter_rows()
    )
    some = rows.test.image_ids[:: max(len(rows.test) // changed, 1)][:changed]
    landmarks = load_landmarks(store, some)
    tried = {"as they are": [(rows.test, load_landmarks(store, rows.test.image_ids))]}
    with Predictor(parts) as predictor, finder_of(registry.current())() as finder:
        for name, change in CHANGES.items():
            tried[name] = []
            for image_id, points in track(list(zip(some, landmarks, strict=True)), name, transient=True):
                try:
                    face = face_of(change(decode(Path(files[image_id])), points), finder)
                except NoFaceError:
                    continue
                tried[name].append((predictor.batch_of(image_id, face)[0], face.landmarks[None]))
    train = rows.train.image_ids
    return Photos(rows, load_landmarks(store, train), np.array(people_in(store, train)), tried)


def _warned(photos: Photos, size: int, seed: int) -> Iterator[float]:
    """Seconds of the processor for the fit, in hundredths, then the share of what is tried that is warned of."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(photos.rows.train))[:size])
    train, began = photos.rows.train.take(chosen), time.process_time()
    novelty = Novelty.fit(train, photos.landmarks[chosen], photos.people[chosen].tolist())
    yield (time.process_time() - began) / 100
    for tried in photos.tried.values():
        beyond = [list(novelty.beyond(novelty.measure(*one)).values()) for one in tried]
        yield float(np.concatenate([np.any(one, axis=0) for one in beyond]).mean())


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
