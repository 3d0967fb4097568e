"""`make bench`: extraction beside its floor and beside the loop that it replaces, in one run on the same photos.

The floor is what cannot be left out: decoding, the landmarker and the encoder's graph, called one after another on
photos that lie in memory, by as many processes as there are cores. Seconds are of all cores together, because the
machine may be shared; those on the wall stand beside them. The first photo of a store is looked at by itself, as that
makes the encoder's graph, which takes as long however many photos follow. The loop is what notebooks do: one photo at a
time, a row appended to a pandas table, a csv and an npy file in the end.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.growth import cpu_seconds
from extractors import region_windows
from extractors.alignment import align_face
from extractors.errors import NoFaceError
from extractors.landmarker import Landmarker
from extractors.mediapipe_tasks import MODEL
from featurestore.folders import contents
from models.encoders.network import EncoderNetwork
from models.encoders.run import Encoder

ENCODER, WEIGHTS = "mobilenet_v3_small", "none"
"""A random network takes as long as a trained one."""

KALLOS = [sys.executable, "-m", "kallos"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--count", type=int, default=5500, help="photos at most")
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="kallos-bench-") as scratch:
        folder = Path(scratch)
        sources = list(contents(arguments.photos).photos)[: arguments.count + 2]
        EncoderNetwork.build(ENCODER, WEIGHTS).save(folder / "encoder")
        first = _copied(sources[:1], folder / "photos")
        _ingest(folder, first)
        first_took = _seconds(lambda: _kallos("extract", "--encoder", ENCODER, "--weights", WEIGHTS, folder=folder))
        photos = _copied(sources[1:-1], folder / "photos")
        kernels = _kernels(photos, folder / "encoder", cores)
        floor = sum(kernels.values())
        figures = {"floor: the kernels": (floor, floor / cores)}
        _ingest(folder, first + photos)
        figures["kallos extract"] = _seconds(lambda: _kallos("extract", folder=folder))
        figures["kallos extract, the first photo before them"] = first_took
        figures["kallos extract, nothing to do"] = _seconds(lambda: _kallos("extract", folder=folder))
        _ingest(folder, first + photos + _copied(sources[-1:], folder / "photos"))
        figures["kallos extract, one photo more"] = _seconds(lambda: _kallos("extract", folder=folder))
        figures["a notebook's loop"] = _seconds(lambda: _notebook(photos, folder))
    _print(figures, kernels, len(photos), cores)


def _copied(paths: list[Path], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [Path(shutil.copyfile(path, folder / path.name)) for path in paths]


def _kernels(photos: list[Path], encoder: Path, cores: int) -> dict[str, float]:
    """kernel -> seconds of all cores over all photos."""
    with ProcessPoolExecutor(
        cores, mp_context=get_context("spawn"), initializer=threadpool_limits, initargs=(1,)
    ) as pool:
        spent = list(pool.map(_kernels_of_one_core, (photos[i::cores] for i in range(cores)), repeat(encoder)))
    return {kernel: sum(of_core[kernel] for of_core in spent) for kernel in spent[0]}


def _kernels_of_one_core(photos: list[Path], folder: Path) -> dict[str, float]:
    encoder, spent = Encoder(folder), dict.fromkeys(("decode", "landmarker", "encoder"), 0.0)
    contents = [path.read_bytes() for path in photos]
    with Landmarker() as finder:
        for content in contents:
            began = time.process_time()
            image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            decoded = time.process_time()
            landmarks = _landmarks(finder, image)
            found = time.process_time()
            if landmarks is not None:
                face = align_face(image, landmarks)
                cells = region_windows.cells(face.landmarks, face.image.shape[0])
                ready = time.process_time()
                encoder.encode(face.image, cells)
                spent["encoder"] += time.process_time() - ready
            spent["decode"] += decoded - began
            spent["landmarker"] += found - decoded
    return spent


def _landmarks(finder: Landmarker, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    try:
        return finder.find(image).landmarks
    except NoFaceError:
        return None


def _notebook(photos: list[Path], folder: Path) -> None:
    """The loop that a notebook has: everything by its own library, one photo at a time."""
    import mediapipe
    import pandas as pd
    import torch
    from torchvision.models import mobilenet_v3_small
    from torchvision.transforms.v2.functional import normalize

    network = mobilenet_v3_small(weights=None)
    network.classifier = torch.nn.Identity()
    network.eval()
    landmarker = mediapipe.tasks.vision.FaceLandmarker.create_from_model_path(str(MODEL))
    table, embeddings = pd.DataFrame(), []
    for path in photos:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        found = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, image)).face_landmarks
        if not found:
            continue
        points = np.array([(p.x, p.y, p.z) for p in found[0]]).ravel()
        small = torch.from_numpy(cv2.resize(image, (224, 224))).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            embeddings.append(network(normalize(small, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))[0].numpy())
        row = pd.DataFrame([{"image": path.name, **{f"landmark_{i}": value for i, value in enumerate(points)}}])
        table = pd.concat([table, row], ignore_index=True)
    landmarker.close()
    table.to_csv(folder / "landmarks.csv", index=False)
    np.save(folder / "embeddings.npy", np.stack(embeddings))


def _ingest(folder: Path, photos: list[Path]) -> None:
    with (folder / "scores.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "score"), *((path.name, 3.0) for path in photos)])
    _kallos(
        "ingest",
        "table",
        str(folder / "scores.csv"),
        "--images",
        str(folder / "photos"),
        "--scale",
        "1",
        "5",
        folder=folder,
    )


def _kallos(*arguments: str, folder: Path) -> None:
    subprocess.run([*KALLOS, *arguments, "--store", str(folder / "bench.duckdb")], check=True, capture_output=True)


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Of all cores together, and on the wall."""
    began, cpu = time.perf_counter(), cpu_seconds()
    work()
    return cpu_seconds() - cpu, time.perf_counter() - began


def _print(figures: dict[str, tuple[float, float]], kernels: dict[str, float], photos: int, cores: int) -> None:
    table = Table("", "cpu s", "times the floor", "cpu ms a photo", "wall s", title=f"{photos:,} photos, {cores} cores")
    floor, _ = next(iter(figures.values()))
    for name, (cpu, wall) in figures.items():
        table.add_row(name, f"{cpu:.1f}", f"{cpu / floor:.2f}", f"{cpu / photos * 1000:.1f}", f"{wall:.1f}")
    for name, cpu in kernels.items():
        table.add_row(f"  {name}", f"{cpu:.1f}", "", f"{cpu / photos * 1000:.1f}", "")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
