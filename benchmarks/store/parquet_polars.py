"""Raw Parquet and Polars, the floor: a folder of Parquet files and no promises beyond what is written here."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.store.system import System
from benchmarks.store.workload import EMBEDDING, Faces, TrainingSet


class ParquetPolars(System):
    packages = ("polars",)

    def write(self, faces: Faces) -> None:
        _write(_frame(faces), self.folder / "part-0.parquet")

    def open(self) -> None:
        self.parts = self.folder / "*.parquet"

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        rows = (
            pl.scan_parquet(self.parts)
            .filter(pl.col("fold") != fold)
            .select("id", "score", "embedding", *names)
            .sort("id")
            .collect()
        )
        return TrainingSet(
            rows["id"].to_list(), rows.select(names).to_numpy(), rows["embedding"].to_numpy(), rows["score"].to_numpy()
        )

    def add_image(self, face: Faces) -> None:
        _write(_frame(face), self.folder / f"part-{face.ids[0]}.parquet")

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        rows = pl.read_parquet(self.parts).join(pl.DataFrame({"id": ids, name: values}), on="id", how="left")
        old = list(self.folder.glob("*.parquet"))
        _write(rows, self.folder / "part-rewritten.parquet")
        for path in old:
            path.unlink()

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        rows = pl.read_parquet(self.parts, columns=["id", "embedding"])
        vectors = rows["embedding"].to_numpy()
        cosine = vectors @ vector / np.linalg.norm(vectors, axis=1)
        return rows["id"].gather(np.argsort(-cosine)[:k]).to_list()


def _frame(faces: Faces) -> pl.DataFrame:
    vectors = pl.Series(faces.embeddings, dtype=pl.Array(pl.Float32, EMBEDDING))
    return pl.DataFrame(faces.columns()).with_columns(embedding=vectors)


def _write(rows: pl.DataFrame, path: Path) -> None:
    """Write beside and rename, synced: what databases do for a commit."""
    unfinished = path.with_suffix(".unfinished")
    rows.write_parquet(unfinished)
    _sync(unfinished)
    unfinished.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
