"""`make bench-graphs`: Model A and the encoder as graphs beside the same networks in torch, on a store's photos.

Both run one photo at a time, as a prediction does, A on all cores and the encoder on one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from extractors import region_windows
from extractors.alignment import CROP_SIZE
from extractors.topologies import registry
from featurestore.opening import open_store
from featurestore.records import FaceBatch
from kallos.workflows.stored_faces import load_faces
from models.encoders.network import EncoderNetwork
from models.encoders.spec import EncoderSpec
from models.image.export import replace_by_graphs
from models.image.graph import AppearanceGraph
from models.image.model import AppearanceConfig, AppearanceModel, Regressor
from models.image.train import starting_backbone

Scorer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, required=True, help="a store with landmarks")
    parser.add_argument("--count", type=int, default=1000, help="photos")
    parser.add_argument("--fit", type=Path, help="folder of one trained Model A; a random network without it")
    parser.add_argument("--backbone", default="mobilenet_v2", help="Model A's, where no fit is given")
    arguments = parser.parse_args()
    with open_store(arguments.store, read_only=True) as store:
        ids = tuple(store.frame("SELECT image_id FROM landmarks ORDER BY hash(image_id)")["image_id"])
        faces = load_faces(store, ids[: arguments.count])
    table = Table("network", "torch, ms a photo", "graph, ms a photo", "furthest apart", title=f"{len(faces):,} photos")
    with tempfile.TemporaryDirectory() as folder:
        for name, torchs, graphs, threads in (
            ("encoder mobilenet_v3_small", *_encoders(Path(folder)), 1),
            ("Model A", *_appearances(arguments, Path(folder)), os.cpu_count() or 1),
        ):
            torch.set_num_threads(threads)
            expected, slow = _timed(torchs, faces)
            found, fast = _timed(graphs, faces)
            table.add_row(name, f"{slow:.1f}", f"{fast:.1f}", f"{np.abs(found - expected).max():.1e}")
    Console(highlight=False).print(table)


def _timed(scorer: Scorer, faces: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """What a network says of every face, and the median milliseconds that one took."""
    scores, spent = [], []
    for face in faces:
        began = time.perf_counter()
        scores.append(scorer(face))
        spent.append(time.perf_counter() - began)
    return np.stack(scores), float(np.median(spent)) * 1000


def _encoders(folder: Path) -> tuple[Scorer, Scorer]:
    network = EncoderNetwork.build("mobilenet_v3_small", "none")
    network.save(folder / "encoder")
    graph = EncoderSpec.read(folder / "encoder").open()
    landmarks = np.random.default_rng(0).uniform(0, CROP_SIZE, (registry.current().number, 2))
    cells = region_windows.cells(landmarks.astype(np.float32), CROP_SIZE)

    def in_torch(face: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vector, pooled = network(torch.from_numpy(face), torch.from_numpy(cells))
        return np.concatenate([vector.numpy(), pooled.numpy().ravel()])

    def as_graph(face: NDArray[np.uint8]) -> NDArray[np.float32]:
        vector, pooled = graph.encode(face, cells)
        return np.concatenate([vector, pooled.ravel()])

    return in_torch, as_graph


def _appearances(arguments: argparse.Namespace, folder: Path) -> tuple[Scorer, Scorer]:
    if arguments.fit:
        model = AppearanceModel.load(arguments.fit)
    else:
        config = AppearanceConfig(backbone=arguments.backbone, weights="none")
        backbone = starting_backbone(config)
        model = AppearanceModel(config, backbone, Regressor(backbone, config).requires_grad_(False))
    model.save(folder / "a")
    replace_by_graphs(folder / "a")
    return _scorer(model), _scorer(AppearanceGraph.load(folder / "a"))


def _scorer(model: AppearanceModel | AppearanceGraph) -> Scorer:
    return lambda face: model.predict(_batch(face)).astype(np.float32)


def _batch(face: NDArray[np.uint8]) -> FaceBatch:
    """One face, and nothing else known of it."""
    nothing = np.empty((1, 0), dtype=np.float32)
    return FaceBatch(
        image_ids=("",),
        feature_names=(),
        feature_regions=(),
        features=nothing.astype(np.float64),
        shapes=nothing,
        embeddings=nothing,
        region_embeddings={},
        faces=face[None],
        scores=np.full(1, np.nan),
        histograms=np.full((1, 5), np.nan),
    )


if __name__ == "__main__":
    main()
