"""kallos: geometry and embeddings as two extractors' outputs, written and read through the store's own functions."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.store.system import System
from benchmarks.store.workload import EMBEDDING, FOLDS, Faces, TrainingSet
from extractors.outputs import Field, Output
from featurestore.opening import open_store
from featurestore.outputs import active_table, active_versions
from featurestore.similarity import Query, Search, nearest
from featurestore.training_rows import Arrays, keys_sql
from featurestore.versions import ATTEMPT_COLUMNS, register, write

PROTOCOL = "bench"
TRAIT = "score"
VECTORS = Output(
    "embedding:bench", "embeddings", "one row is one image", (Field("vector", f"float32[{EMBEDDING}]", "made up"),), 1
)


class Kallos(System):
    packages = ("kallos", "duckdb", "polars")

    def write(self, faces: Faces) -> None:
        self.open()
        with self.store.transaction():
            register(self.store, [_features("geometry", faces.names), VECTORS])
            self._append(faces)

    def open(self) -> None:
        self.store = open_store(self.folder / "kallos.duckdb")

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:  # noqa: ARG002
        """As `training_set` reads a fold, less the hashes that it pins."""
        keys = self.store.frame(f"{keys_sql(PROTOCOL, fold)} AND role = 'train' ORDER BY image_id")
        extractors = [name for name in active_versions(self.store) if name in ("geometry", "skin")]
        tables = {extractor: (active_table(self.store, extractor), "features") for extractor in extractors}
        tables["vector"] = (active_table(self.store, VECTORS.extractor), "vector")
        keys, arrays = Arrays.read(self.store, tables).gather(keys)
        features = np.hstack([arrays[extractor] for extractor in extractors])
        return TrainingSet(keys["image_id"].to_list(), features, arrays["vector"], keys["score"].to_numpy())

    def add_image(self, face: Faces) -> None:
        with self.store.transaction():
            self._append(face)

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        added = _features("skin", (name,))
        with self.store.transaction():
            register(self.store, [added])
            write(
                self.store, added, pl.DataFrame({"sha256": ids, "features": values[:, None]}), attempts_of(added, ids)
            )

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        search = Search("embedding", k, encoder="bench")
        return nearest(self.store, Query(None, "", {"vector": vector}), search).rows["image_id"].to_list()

    def close(self) -> None:
        self.store.close()

    def _append(self, faces: Faces) -> None:
        ids = faces.ids
        self.store.append("images", pl.DataFrame({"image_id": ids, "data_set": PROTOCOL, "path": ids, "sha256": ids}))
        self.store.append("scores", pl.DataFrame({"image_id": ids, "score": faces.scores, "trait": TRAIT}))
        self.store.append("splits", _splits(faces))
        geometry = _features("geometry", faces.names)
        for output, column, values in ((geometry, "features", faces.features), (VECTORS, "vector", faces.embeddings)):
            write(self.store, output, pl.DataFrame({"sha256": ids, column: values}), attempts_of(output, ids))


def _features(extractor: str, names: tuple[str, ...]) -> Output:
    columns = tuple(Field(name, "float64", "made up") for name in names)
    return Output(extractor, "geometric_features", "one row an image", columns, 1)


def _splits(faces: Faces) -> pl.DataFrame:
    rows = pl.DataFrame({"image_id": faces.ids, "tested": faces.folds})
    role = pl.when(pl.col("fold") == pl.col("tested")).then(pl.lit("test")).otherwise(pl.lit("train"))
    folds = pl.DataFrame({"fold": np.arange(1, FOLDS + 1, dtype=np.int32)})
    return rows.join(folds, how="cross").select(
        "image_id", "fold", role.alias("role"), pl.lit(PROTOCOL).alias("protocol"), pl.lit(TRAIT).alias("trait")
    )


def attempts_of(output: Output, ids: list[str]) -> pl.DataFrame:
    line = {
        "extractor": output.extractor,
        "version": output.version,
        "status": "ok",
        "detail": None,
        "milliseconds": 1.0,
    }
    return pl.DataFrame({"sha256": ids}).with_columns(
        pl.lit(value, dtype=ATTEMPT_COLUMNS[name]).alias(name) for name, value in line.items()
    )
