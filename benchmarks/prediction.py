"""`make bench-predict`: one photo through a loaded bundle beside its bare kernels, and the command from cold.

The kernels are decoding, the landmarker, the encoder's graph and Model A's graphs where the bundle has them, one after
another on a photo that lies in memory.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from extractors import region_windows
from extractors.landmarker import Landmarker
from extractors.values import face_of
from featurestore.folders import contents
from models.encoders.spec import EncoderSpec
from models.image.graph import AppearanceGraph
from models.networks.onnx_graphs import Graph
from reports.render.layout import plural


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--count", type=int, default=300, help="photos at most")
    arguments = parser.parse_args()
    photos = list(contents(arguments.photos).photos)[: arguments.count]
    kernels = _kernels(arguments.bundle, photos)
    with Predictor(open_bundle(arguments.bundle)) as predictor:
        loaded = [_milliseconds(lambda path=path: predictor.predict(path)) for path in photos]
    score = ["score", str(photos[0]), "--bundle", str(arguments.bundle)]
    cold = [_milliseconds(lambda: _kallos(*score)) for _ in range(5)]
    folder = _milliseconds(lambda: _kallos("score", *map(str, photos), "--bundle", str(arguments.bundle), "--json"))
    helped = [_milliseconds(lambda: _kallos("--help")) for _ in range(5)]
    table = Table("", "milliseconds, median", title=f"{len(photos)} photos")
    for name, spent in kernels.items():
        table.add_row(f"  kernel: {name}", f"{np.median(spent):.1f}")
    floor = float(np.median(np.sum(list(kernels.values()), axis=0)))
    table.add_row("kernels, together", f"{floor:.1f}")
    table.add_row(f"a loaded bundle, {np.median(loaded) / floor:.2f} times the kernels", f"{np.median(loaded):.1f}")
    table.add_row("`kallos score` of one photo, cold", f"{np.median(cold):.0f}")
    table.add_row("`kallos score` of all, each", f"{(folder - np.median(cold)) / (len(photos) - 1):.1f}")
    table.add_row("`kallos --help`", f"{np.median(helped):.0f}")
    Console(highlight=False).print(table)


def _kernels(bundle: Path, photos: list[Path]) -> dict[str, list[float]]:
    """kernel -> milliseconds of each photo."""
    encoder = EncoderSpec.read(bundle / "encoder").open()
    models = [AppearanceGraph.load(part) for part in sorted((bundle / "a").glob("part-*"))]
    graphs: list[Graph] = [model.graph for model in models]
    appearance = (f"Model A, {plural(len(graphs), 'network')}",) if models else ()
    spent: dict[str, list[float]] = {name: [] for name in ("decode", "landmarker", "encoder", *appearance)}
    with Landmarker() as finder:
        for path in photos:
            content = path.read_bytes()
            image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            face = face_of(image, finder)
            cells = region_windows.cells(face.aligned.landmarks, face.crop.shape[0])
            work: list[Callable[[], object]] = [
                lambda content=content: np.asarray(Image.open(io.BytesIO(content)).convert("RGB")),
                lambda image=image: finder.find(image),
                lambda face=face, cells=cells: encoder.encode(face.crop, cells),
            ]
            if models:
                view = models[0].in_view(face.crop[None])
                work.append(lambda view=view: [graph.run(faces=view) for graph in graphs])
            for name, kernel in zip(spent, work, strict=True):
                spent[name].append(_milliseconds(kernel))
    return spent


def _kallos(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "kallos", *arguments], check=True, capture_output=True)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
