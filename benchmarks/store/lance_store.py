"""LanceDB: one table; a new column is merged in by key, as its documentation has it for values made outside."""

from __future__ import annotations

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.store.system import System, sorted_arrays
from benchmarks.store.workload import Faces, TrainingSet


class Lance(System):
    packages = ("lancedb", "pylance")

    def write(self, faces: Faces) -> None:
        lancedb.connect(self.folder).create_table("faces", _arrow(faces))

    def open(self) -> None:
        self.table = lancedb.connect(self.folder).open_table("faces")

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        columns = ["id", "score", "embedding", *names]
        rows = self.table.search().where(f"fold <> {fold}").select(columns).limit(self.table.count_rows())
        return sorted_arrays(rows.to_arrow(), names)

    def add_image(self, face: Faces) -> None:
        self.table.add(_arrow(face))

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        self.table.merge(pa.table({"id": ids, name: values}), "id")
        self.table.checkout_latest()

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        found = self.table.search(vector).distance_type("cosine").select(["id", "_distance"]).limit(k)
        return found.to_arrow()["id"].to_pylist()


def _arrow(faces: Faces) -> pa.Table:
    return pa.table(faces.columns() | {"embedding": faces.vectors()})
