"""A small store with made-up values in every table that training reads, made through the real writers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from featurestore.outputs import LEDGER_COLUMNS, Output, activate, write
from featurestore.schema import Column
from featurestore.store import Store

FEATURES = {"geometry": ("jaw_width", "eye_width"), "skin": ("evenness",)}
REGION_OF = {"jaw_width": "jawline", "eye_width": "eyes", "evenness": "skin"}


def fill(store: Store, count: int = 100, seed: int = 0) -> None:
    """`count` images of a data set `m` with scores, five folds, features, shapes and embeddings of 4 numbers."""
    rng = np.random.default_rng(seed)
    ids = [f"m/{i:03}.jpg" for i in range(count)]
    with store.transaction():
        _labels(store, ids, rng)
        for output, columns in _outputs(rng, count):
            activate(store, output)
            ledger = pl.DataFrame(
                [(i, output.extractor, output.version, "ok", None, 1.0) for i in ids],
                schema=LEDGER_COLUMNS,
                orient="row",
            )
            write(store, output, pl.DataFrame({"image_id": ids, **columns}), ledger)


def _labels(store: Store, ids: list[str], rng: np.random.Generator) -> None:
    scores = rng.uniform(1, 5, len(ids))
    store.append(
        "data_sets",
        pl.DataFrame([{"data_set": "m", "root": "/nowhere", "scale_low": 1.0, "scale_high": 5.0, "licence": "none"}]),
    )
    paths = [Path(i).name for i in ids]
    store.append("images", pl.DataFrame({"image_id": ids, "data_set": "m", "path": paths, "sha256": ids}))
    store.append("scores", pl.DataFrame({"image_id": ids, "mean": scores, "score": scores}))
    for fold in range(1, 6):
        roles = ["test" if i % 5 == fold - 1 else "train" for i in range(len(ids))]
        store.append("splits", pl.DataFrame({"image_id": ids, "protocol": "m-5fold", "fold": fold, "role": roles}))
    catalogue = [
        {"feature": f, "region": REGION_OF[f], "unit": "", "formula": "", "points": "", "source": "", "extractor": kind}
        for kind, names in FEATURES.items()
        for f in names
    ]
    store.append("feature_catalog", pl.DataFrame(catalogue))


def _outputs(rng: np.random.Generator, count: int) -> list[tuple[Output, dict[str, object]]]:
    made: list[tuple[Output, dict[str, object]]] = []
    for kind, names in FEATURES.items():
        columns = tuple(Column(name, "DOUBLE", f"made-up {name}") for name in names)
        output = Output(kind, "geometric_features", "made up", columns, code_version=1)
        made.append((output, {name: rng.normal(3, 2, count) for name in names}))
    shape = Output("shape", "shapes", "made up", (Column("shape", "FLOAT[936]", "made up"),), code_version=1)
    made.append((shape, {"shape": rng.normal(0, 0.03, (count, 936)).astype(np.float32)}))
    vector = Output(
        "embedding:tiny", "embeddings", "made up", (Column("vector", "FLOAT[4]", "made up"),), code_version=1
    )
    made.append((vector, {"vector": rng.normal(0, 1, (count, 4)).astype(np.float32)}))
    return made
