"""What an adapter does. Each method is timed as a whole, from NumPy arrays in or to NumPy arrays out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.store.workload import EMBEDDING, Faces, TrainingSet


class System(ABC):
    """One store in one folder."""

    packages: tuple[str, ...]
    """Distributions whose versions are reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in self.packages}

    @abstractmethod
    def write(self, faces: Faces) -> None:
        """Make the store in an empty folder with all rows."""

    @abstractmethod
    def open(self) -> None:
        """Open what an earlier process wrote."""

    @abstractmethod
    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        """The rows that are not tested in this fold, in ascending order of id, with those features."""

    @abstractmethod
    def add_image(self, face: Faces) -> None:
        """Add the one row so that a reader that opens the store now finds it."""

    @abstractmethod
    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        """Add a feature with a value for every row."""

    def prepare_search(self) -> None:  # noqa: B027
        """What a system needs once before it can search; not timed."""

    @abstractmethod
    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        """Ids of the k rows of greatest cosine similarity, nearest first."""

    def close(self) -> None:  # noqa: B027
        """Let go of the store; not timed."""


def sorted_arrays(table: pa.Table, names: tuple[str, ...]) -> TrainingSet:
    """An Arrow table in any order as arrays in ascending order of id, for systems that do not sort themselves."""
    order = pc.sort_indices(table["id"])
    rows = order.to_numpy()
    features = np.empty((len(rows), len(names)), order="F")
    for column, name in enumerate(names):
        features[:, column] = table[name].to_numpy()[rows]
    return TrainingSet(
        table["id"].take(order).to_pylist(),
        features,
        vectors(table["embedding"])[rows],
        table["score"].to_numpy()[rows],
    )


def vectors(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """A column of vectors as (n, 576)."""
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    return flat.reshape(-1, EMBEDDING)
