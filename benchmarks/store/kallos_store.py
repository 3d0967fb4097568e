"""kallos: geometry and embeddings as two extractors' outputs, written and read through the store's own functions."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.store.system import System
from benchmarks.store.workload import EMBEDDING, FOLDS, Faces, TrainingSet
from featurestore.outputs import LEDGER_COLUMNS, Output, activate, write
from featurestore.schema import Column
from featurestore.store import Store

PROTOCOL = "bench"
VECTORS = Output(
    "embedding:bench", "embeddings", "one row is one image", (Column("vector", f"FLOAT[{EMBEDDING}]", "made up"),), 1
)


class Kallos(System):
    packages = ("kallos", "duckdb", "polars")

    def write(self, faces: Faces) -> None:
        self.open()
        with self.store.transaction():
            activate(self.store, _features("geometry", faces.names))
            activate(self.store, VECTORS)
            self._append(faces)

    def open(self) -> None:
        self.store = Store.open(self.folder / "kallos.duckdb")

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        features = ", ".join(names)
        rows = self.store.frame(
            f"SELECT image_id, score, vector::FLOAT[{EMBEDDING}] AS vector, {features} "
            "FROM splits JOIN scores USING (image_id) "
            "JOIN geometric_features USING (image_id) JOIN embeddings USING (image_id) "
            "WHERE protocol = $protocol AND fold = $fold AND role = 'train' ORDER BY image_id",
            protocol=PROTOCOL,
            fold=fold,
        )
        return TrainingSet(
            rows["image_id"].to_list(),
            rows.select(names).to_numpy(),
            rows["vector"].to_numpy(),
            rows["score"].to_numpy(),
        )

    def add_image(self, face: Faces) -> None:
        with self.store.transaction():
            self._append(face)

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        added = _features("skin", (name,))
        with self.store.transaction():
            activate(self.store, added)
            write(self.store, added, pl.DataFrame({"image_id": ids, name: values}), _ledger(added, ids))

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        return self.store.frame(
            f"SELECT image_id FROM embeddings ORDER BY array_cosine_distance(vector::FLOAT[{EMBEDDING}], "
            f"$vector::FLOAT[{EMBEDDING}]) LIMIT $k",
            vector=vector,
            k=k,
        )["image_id"].to_list()

    def close(self) -> None:
        self.store.connection.close()

    def _append(self, faces: Faces) -> None:
        columns = faces.columns()
        named = {"image_id": columns.pop("id")}
        scores = {"score": columns.pop("score")}
        del columns["fold"]
        self.store.append("scores", pl.DataFrame(named | scores))
        self.store.append("splits", _splits(faces))
        geometry = _features("geometry", faces.names)
        write(self.store, geometry, pl.DataFrame(named | columns), _ledger(geometry, faces.ids))
        vectors = pl.Series(faces.embeddings, dtype=pl.Array(pl.Float32, EMBEDDING))
        write(self.store, VECTORS, pl.DataFrame(named).with_columns(vector=vectors), _ledger(VECTORS, faces.ids))


def _features(extractor: str, names: tuple[str, ...]) -> Output:
    columns = tuple(Column(name, "DOUBLE", "made up") for name in names)
    return Output(extractor, "geometric_features", "one row an image", columns, 1)


def _splits(faces: Faces) -> pl.DataFrame:
    rows = pl.DataFrame({"image_id": faces.ids, "tested": faces.folds})
    role = pl.when(pl.col("fold") == pl.col("tested")).then(pl.lit("test")).otherwise(pl.lit("train"))
    folds = pl.DataFrame({"fold": np.arange(1, FOLDS + 1, dtype=np.int32)})
    return rows.join(folds, how="cross").select(
        "image_id", "fold", role.alias("role"), pl.lit(PROTOCOL).alias("protocol")
    )


def _ledger(output: Output, ids: list[str]) -> pl.DataFrame:
    line = {
        "extractor": output.extractor,
        "version": output.version,
        "status": "ok",
        "detail": None,
        "milliseconds": 1.0,
    }
    return pl.DataFrame({"image_id": ids}).with_columns(
        pl.lit(value, dtype=LEDGER_COLUMNS[name]).alias(name) for name, value in line.items()
    )
