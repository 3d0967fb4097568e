"""The rows of a fold: the SQL that defines them, and the same rows read several times faster for training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.averageness import AVERAGENESS
from extractors.outputs import EMBEDDING
from extractors.regions import REGIONS
from featurestore.normalization import Normalization
from featurestore.outputs import NORMALIZED, active_columns, active_table
from featurestore.records import FaceBatch
from featurestore.scale import RATINGS
from featurestore.sql_text import quote
from featurestore.store import Store

REGION = "region_"
ARRAYS = ("geometry", "skin", "shape", "vector", *(f"{REGION}{region}" for region in REGIONS))
Tables = Mapping[str, tuple[str, str]]
"""Name of an array out of ARRAYS -> (table, column) that holds it, one row a photo."""


def array_tables(store: Store, encoder: str | None) -> dict[str, tuple[str, str]]:
    """array -> (table, column) that holds it in the versions that are shown."""
    columns = dict.fromkeys(NORMALIZED, "features") | {"shape": "shape"}
    tables = {name: (active_table(store, name), column) for name, column in columns.items()}
    if encoder is not None:
        table = active_table(store, f"{EMBEDDING}{encoder}")
        tables["vector"] = (table, "vector")
        tables |= {
            f"{REGION}{region}": (table, region) for region in active_columns(store, f"{EMBEDDING}{encoder}")[1:]
        }
    return tables


def keys_sql(protocol: str, fold: int) -> str:
    """The query of the labelled images of a fold: image_id, sha256, score, histogram, role."""
    return (
        "SELECT image_id, sha256, score, histogram, role\n"
        "FROM splits JOIN images USING (image_id) JOIN scores USING (image_id, trait)\n"
        f"WHERE protocol = {quote(protocol)} AND fold = {int(fold)}"
    )


def rows_sql(protocol: str, fold: int, role: str, tables: Tables) -> str:
    """The whole query of one role, on the tables of a version, so that it gives the same when others are shown."""
    values = ", ".join(f'"{table}".{column} AS {name}' for name, (table, column) in tables.items())
    names = dict.fromkeys(table for table, _ in tables.values())
    joins = "".join(f'\nJOIN "{table}" USING (sha256)' for table in names)
    return (
        f"SELECT image_id, sha256, score, histogram, {values}\nFROM ({keys_sql(protocol, fold)}) AS keys{joins}\n"
        f"WHERE role = {quote(role)}\nORDER BY image_id"
    )


@dataclass(frozen=True, eq=False)
class Rows:
    """What a training set's query gives: ids, scores and ratings of n images, and their raw values."""

    image_ids: tuple[str, ...]
    sha256: tuple[str, ...]
    scores: NDArray[np.float64]
    histograms: NDArray[np.float64]
    raw: NDArray[np.float64]
    shapes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    region_embeddings: Mapping[str, NDArray[np.float32]]

    @classmethod
    def from_sql(cls, store: Store, sql: str) -> Rows:
        """The rows that the query of a manifest gives."""
        frame = store.frame(sql)
        return cls.gathered(frame, {name: frame[name].to_numpy() for name in ARRAYS if name in frame.columns})

    @classmethod
    def gathered(cls, keys: pl.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> Rows:
        """Keys (image_id, sha256, score, histogram) and, in the same order, (n, N) arrays by name."""
        return cls(
            image_ids=tuple(keys["image_id"]),
            sha256=tuple(keys["sha256"]),
            scores=keys["score"].to_numpy(),
            histograms=_shares(keys["histogram"]),
            raw=np.hstack([arrays["geometry"], arrays["skin"]]),
            shapes=arrays["shape"],
            embeddings=arrays.get("vector", np.zeros((len(keys), 0), dtype=np.float32)),
            region_embeddings={
                name.removeprefix(REGION): values for name, values in arrays.items() if name.startswith(REGION)
            },
        )

    def with_features(self, features: Sequence[str], measured: Sequence[str]) -> Rows:
        """The same rows with these of the measured features, in this order; averageness is computed later."""
        places = [measured.index(name) for name in features if name != AVERAGENESS]
        is_all = places == list(range(self.raw.shape[1]))
        return self if is_all else replace(self, raw=self.raw[:, places])

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def row_hash(self) -> str:
        """sha256 over image ids, photo hashes, scores and histograms."""
        rows = json.dumps([self.image_ids, self.sha256, self.scores.tolist()])
        return hashlib.sha256(rows.encode() + self.histograms.tobytes()).hexdigest()

    @property
    def value_hash(self) -> str:
        """sha256 over the bytes of features, shapes and embeddings, row by row."""
        digest = hashlib.sha256()
        for values in (self.raw, self.shapes, self.embeddings, *self.region_embeddings.values()):
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def batch(self, fitted: Normalization, z_scores: NDArray[np.float64], networks: tuple[int, ...] = ()) -> FaceBatch:
        """What models see of these rows: `z_scores` (n, F) are those of `fitted`.

        The encoder's `networks` matter to models that are to be fitted.
        """
        return FaceBatch(
            image_ids=self.image_ids,
            feature_names=fitted.features,
            feature_regions=fitted.regions,
            features=z_scores,
            shapes=self.shapes,
            embeddings=self.embeddings,
            region_embeddings=self.region_embeddings,
            faces=None,
            scores=self.scores,
            histograms=self.histograms,
            networks=networks,
        )


@dataclass(frozen=True, eq=False)
class Arrays:
    """Tables of one array a photo, read whole: name -> the photos' hashes, and their (n, N) rows in that order."""

    tables: Mapping[str, tuple[pl.DataFrame, NDArray[Any]]]

    @classmethod
    def read(cls, store: Store, tables: Tables) -> Arrays:
        """`tables` are name -> (table, column)."""
        frames = {
            name: store.frame(f'SELECT sha256, {column} FROM "{table}"') for name, (table, column) in tables.items()
        }
        return cls({name: (frame.select("sha256"), frame.to_series(1).to_numpy()) for name, frame in frames.items()})

    def gather(self, keys: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, NDArray[Any]]]:
        """The keys (with a column sha256) that every table has, in their order, and their rows of every table."""
        for name, (hashes, _) in self.tables.items():
            keys = keys.join(hashes.with_row_index(name), on="sha256", how="inner", maintain_order="left")
        return keys, {name: rows[keys[name].to_numpy()] for name, (_, rows) in self.tables.items()}


def _shares(histograms: pl.Series) -> NDArray[np.float64]:
    """(n, H) shares of the raters by RATINGS, each answer shared between the two ratings around it."""
    shares = np.full((len(histograms), len(RATINGS)), np.nan)
    for row, counts in enumerate(histograms):
        if counts is not None and sum(counts):
            place = np.linspace(0, len(RATINGS) - 1, len(counts))
            below = np.minimum(place.astype(int), len(RATINGS) - 2)
            shares[row] = np.bincount(below, counts * (1 - (place - below)), len(RATINGS))
            shares[row] += np.bincount(below + 1, counts * (place - below), len(RATINGS))
            shares[row] /= sum(counts)
    return shares
