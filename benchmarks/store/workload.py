"""The workload: made-up faces, what is asked of every system, and the answers that count as right.

Nothing but NumPy and PyArrow is imported here, which every system's interpreter has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FACES = 5500
FOLDS = 5
EMBEDDING = 576
NEAREST = 10
FOLD = 1
"""The fold that is read: its training rows are those of the other four, 4,400."""

_LATENT = 24
"""Embeddings of a network lie near a subspace; neighbours in pure noise would all be equally far."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Rows of the table, in no particular order.

    ids         n sha256 digests in hex, the key
    scores      (n,) float64 in [1, 5], the label
    folds       (n,) int32 in 1..5, the fold in which the row is tested
    names       F feature names
    features    (n, F) float64
    embeddings  (n, 576) float32
    """

    ids: list[str]
    scores: NDArray[np.float64]
    folds: NDArray[np.int32]
    names: tuple[str, ...]
    features: NDArray[np.float64]
    embeddings: NDArray[np.float32]

    def take(self, rows: NDArray[np.intp]) -> Faces:
        """Those rows, in that order."""
        return replace(
            self,
            ids=[self.ids[i] for i in rows],
            scores=self.scores[rows],
            folds=self.folds[rows],
            features=self.features[rows],
            embeddings=self.embeddings[rows],
        )

    def columns(self) -> dict[str, object]:
        """id, score, fold and a contiguous column per feature, as most systems take them."""
        by_feature = np.ascontiguousarray(self.features.T)
        named = dict(zip(self.names, by_feature, strict=True))
        return {"id": self.ids, "score": self.scores, "fold": self.folds, **named}

    def vectors(self) -> pa.FixedSizeListArray:
        """The embeddings as an Arrow column of FLOAT[576], without a copy."""
        return pa.FixedSizeListArray.from_arrays(pa.array(self.embeddings.reshape(-1)), EMBEDDING)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a model is handed: the training rows of a fold in ascending order of id.

    A fixed order is part of the work: seeds, validation slices and hashes of row sets depend on it.
    Shapes as in Faces; either memory order will do.
    """

    ids: list[str]
    features: NDArray[np.float64]
    embeddings: NDArray[np.float32]
    scores: NDArray[np.float64]

    def digest(self) -> str:
        """sha256 over every value and its type."""
        found = hashlib.sha256("\n".join(self.ids).encode())
        for values in (self.features, self.embeddings, self.scores):
            found.update(f"{values.dtype}{values.shape}".encode())
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()


def expected(faces: Faces) -> TrainingSet:
    """The training set of FOLD, made with NumPy alone."""
    rows = np.array(sorted(np.flatnonzero(faces.folds != FOLD), key=faces.ids.__getitem__))
    chosen = faces.take(rows)
    return TrainingSet(chosen.ids, chosen.features, chosen.embeddings, chosen.scores)


def nearest(faces: Faces, vector: NDArray[np.float32]) -> list[str]:
    """Ids of the ten faces of greatest cosine similarity, in float64, nearest first."""
    vectors = faces.embeddings.astype(np.float64)
    cosine = vectors @ vector.astype(np.float64) / np.linalg.norm(vectors, axis=1)
    return [faces.ids[i] for i in np.argsort(-cosine)[:NEAREST]]


def make(folder: Path, features: int) -> Path:
    """Draw the table into a Parquet file, with a few rows and one feature more to be added later."""
    random = np.random.default_rng(features)
    n = FACES + FOLDS
    latent = random.normal(size=(n, _LATENT))
    embeddings = latent @ random.normal(size=(_LATENT, EMBEDDING)) + random.normal(size=(n, EMBEDDING))
    drawn = Faces(
        ids=[hashlib.sha256(f"face {i}".encode()).hexdigest() for i in range(n)],
        scores=random.uniform(1, 5, n),
        folds=(random.permutation(n) % FOLDS + 1).astype(np.int32),
        names=tuple(f"feature_{i:04d}" for i in range(features + 1)),
        features=random.normal(size=(n, features + 1)),
        embeddings=embeddings.astype(np.float32),
    )
    # the rows to be added come last, and every fold tests 1,100 of the others
    drawn = replace(
        drawn, folds=np.concatenate([random.permutation(FACES) % FOLDS + 1, np.full(FOLDS, 2)]).astype("i4")
    )
    path = folder / f"faces_{features}.parquet"
    pq.write_table(pa.table(drawn.columns() | {"embedding": drawn.vectors()}), path)
    return path


def load(path: Path) -> Faces:
    """What `make` drew: 5,500 faces, then those to be added; the last feature is the one to be added."""
    table = pq.read_table(path).combine_chunks()
    names = tuple(name for name in table.column_names if name.startswith("feature_"))
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, EMBEDDING)
    return Faces(
        ids=table["id"].to_pylist(),
        scores=table["score"].to_numpy(),
        folds=table["fold"].to_numpy(),
        names=names,
        features=np.stack([table[name].to_numpy() for name in names], axis=1),
        embeddings=vectors,
    )
