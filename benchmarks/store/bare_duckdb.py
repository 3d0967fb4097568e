"""Bare DuckDB: one table with a column per feature, and plain SQL."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.store.system import System
from benchmarks.store.workload import Faces, TrainingSet


class BareDuckDB(System):
    packages = ("duckdb",)

    def write(self, faces: Faces) -> None:
        self.open()
        self._run("CREATE TABLE faces AS SELECT * FROM incoming", _arrow(faces))

    def open(self) -> None:
        self.connection = duckdb.connect(str(self.folder / "faces.duckdb"))
        self.connection.execute("SET enable_progress_bar = false")

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        features = ", ".join(names)
        query = f"SELECT id, score, embedding, {features} FROM faces WHERE fold <> $fold ORDER BY id"
        rows: pl.DataFrame = self.connection.sql(query, params={"fold": fold}).pl()
        return TrainingSet(
            rows["id"].to_list(), rows.select(names).to_numpy(), rows["embedding"].to_numpy(), rows["score"].to_numpy()
        )

    def add_image(self, face: Faces) -> None:
        self._run("INSERT INTO faces BY NAME SELECT * FROM incoming", _arrow(face))

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        self.connection.execute("BEGIN")
        self.connection.execute(f"ALTER TABLE faces ADD COLUMN {name} DOUBLE")
        update = f"UPDATE faces SET {name} = value FROM incoming WHERE faces.id = incoming.id"
        self._run(update, pa.table({"id": ids, "value": values}))
        self.connection.execute("COMMIT")

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        query = "SELECT id FROM faces ORDER BY array_cosine_distance(embedding, ?::FLOAT[576]) LIMIT ?"
        return [row[0] for row in self.connection.execute(query, [vector, k]).fetchall()]

    def close(self) -> None:
        self.connection.close()

    def _run(self, statement: str, incoming: pa.Table) -> None:
        self.connection.register("incoming", incoming)
        self.connection.execute(statement)
        self.connection.unregister("incoming")


def _arrow(faces: Faces) -> pa.Table:
    return pa.table(faces.columns() | {"embedding": faces.vectors()})
