"""A folder of drawn portraits with ratings: the data set of the demo.

images/P0001.jpg ...   the portraits
ratings.csv            image, rater, rating
parameters.csv         image, every parameter, true_score
drawn.json             seed and version of the drawing, so that an interrupted run can resume
"""

import csv
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np

from extractors.errors import InputError
from kallos.portraits.painter import paint
from kallos.portraits.parameters import PortraitParameters, draw_parameters
from kallos.portraits.raters import rate, true_score

PAINTER_VERSION = 1
"""Raise it when the same parameters give another picture: then portraits are drawn again."""

JPEG_QUALITY = 95
STAMP, RATINGS, PARAMETERS = "drawn.json", "ratings.csv", "parameters.csv"


def write_demo(folder: Path, count: int, seed: int, on_progress: Callable[[int, int, str], None]) -> None:
    """Draw `count` portraits into `folder`, calling `on_progress(drawn, count, what)` after each.

    Portraits of an interrupted run are reused; the tables come last, so that a folder with tables is complete.
    Raises InputError for a folder with somebody else's photos or tables under the same names.
    """
    images, stamp = folder / "images", folder / STAMP
    for other in (images, folder / RATINGS, folder / PARAMETERS):
        if other.exists() and not stamp.exists():
            raise InputError(f"{other} is there already and was not drawn by kallos: choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    keep = _same_drawing(stamp, seed)
    images.mkdir(exist_ok=True)
    portraits = {f"P{i + 1:04d}.jpg": draw_parameters(portrait_seed(seed, i)) for i in range(count)}

    def draw(name: str) -> None:
        if not (keep and (images / name).exists()):
            _write_picture(images / name, portraits[name])

    # NumPy and OpenCV, which do nearly all of the work, leave the interpreter to other threads meanwhile
    with ThreadPoolExecutor(os.cpu_count()) as painters:
        try:
            for done, _ in enumerate(painters.map(draw, portraits), start=1):
                on_progress(done, count, "drawing")
        finally:
            painters.shutdown(cancel_futures=True)
    _write_tables(folder, portraits, seed)


def portrait_seed(seed: int, index: int) -> int:
    """The seed of one portrait of a data set, independent of their number."""
    return seed * 1_000_003 + index


def _same_drawing(stamp: Path, seed: int) -> bool:
    """Whether pictures in the folder come from this seed and painter; if not, the stamp is rewritten."""
    drawing = json.dumps({"seed": seed, "painter_version": PAINTER_VERSION})
    if stamp.exists() and stamp.read_text() == drawing:
        return True
    _replace(stamp, drawing.encode())
    return False


def _write_picture(path: Path, parameters: PortraitParameters) -> None:
    bgr = np.ascontiguousarray(paint(parameters)[:, :, ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    _replace(path, data.tobytes())


def _write_tables(folder: Path, portraits: dict[str, PortraitParameters], seed: int) -> None:
    scores = np.array([true_score(parameters) for parameters in portraits.values()])
    ratings = rate(scores, seed)
    names = [field.name for field in fields(PortraitParameters)]
    rows = (
        [image, *asdict(parameters).values(), score]
        for (image, parameters), score in zip(portraits.items(), scores, strict=True)
    )
    _write_csv(folder / PARAMETERS, ["image", *names, "true_score"], rows)
    long = (
        [image, f"R{rater + 1:02d}", rating]
        for image, row in zip(portraits, ratings, strict=True)
        for rater, rating in enumerate(row)
    )
    _write_csv(folder / RATINGS, ["image", "rater", "rating"], long)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[object]]) -> None:
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    unfinished.replace(path)


def _replace(path: Path, data: bytes) -> None:
    """Write under a temporary name first, so that an interruption leaves no partial file."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(data)
    unfinished.replace(path)
