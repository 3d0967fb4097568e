"""Feast with its local provider: Parquet files, the DuckDB offline store and Milvus Lite as the online store.

The offline store was chosen for Feast's sake: its default, `file`, is built on Dask and several times slower here.
Feast keeps neither labels nor splits, so they lie in a file that the entity frame is made from.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, Float32, Float64, String
from numpy.typing import NDArray

from benchmarks.store.system import System, sorted_arrays
from benchmarks.store.workload import EMBEDDING, Faces, TrainingSet

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = f"""
project: bench
provider: local
registry: registry.db
offline_store: {{type: duckdb}}
online_store:
  type: milvus
  path: online.db
  vector_enabled: true
  embedding_dim: {EMBEDDING}
  index_type: FLAT
  metric_type: COSINE
entity_key_serialization_version: 3
"""
IMAGE = Entity(name="image", join_keys=["id"], value_type=ValueType.STRING)


class Feast(System):
    packages = ("feast", "duckdb", "milvus-lite")

    def write(self, faces: Faces) -> None:
        pq.write_table(_measured(faces), self.folder / "faces.parquet")
        pq.write_table(_labels(faces), self.folder / "labels.parquet")
        (self.folder / "feature_store.yaml").write_text(SETTINGS)
        embedding = Field(name="embedding", dtype=Array(Float32))
        features = [Field(name=name, dtype=Float64) for name in faces.names]
        FeatureStore(repo_path=str(self.folder)).apply([IMAGE, self._view("faces", [*features, embedding])])

    def open(self) -> None:
        self.store = FeatureStore(repo_path=str(self.folder))
        self.views = {field.name: view.name for view in self.store.list_feature_views() for field in view.features}

    def training_set(self, fold: int, names: tuple[str, ...]) -> TrainingSet:
        labels = pd.read_parquet(self.folder / "labels.parquet", filters=[("fold", "!=", fold)])
        entities = labels[["id", "score"]].assign(event_timestamp=CREATED + timedelta(days=1))
        wanted = [f"{self.views[name]}:{name}" for name in (*names, "embedding")]
        rows = self.store.get_historical_features(entity_df=entities, features=wanted)
        return sorted_arrays(rows.to_arrow(), names)

    def add_image(self, face: Faces) -> None:
        self.store.write_to_offline_store("faces", _measured(face).to_pandas())
        path = self.folder / "labels.parquet"
        pq.write_table(pa.concat_tables([pq.read_table(path), _labels(face)]), path)

    def add_feature(self, name: str, ids: list[str], values: NDArray[np.float64]) -> None:
        pq.write_table(
            pa.table({"id": ids, "event_timestamp": _timestamps(len(ids)), name: values}), self.folder / "added.parquet"
        )
        self.store.apply([self._view("added", [Field(name=name, dtype=Float64)])])
        self.views[name] = "added"

    def prepare_search(self) -> None:
        vector = Field(
            name="embedding",
            dtype=Array(Float32),
            vector_index=True,
            vector_length=EMBEDDING,
            vector_search_metric="COSINE",
        )
        self.store.apply([self._view("vectors", [vector], file="faces")])
        self.store.materialize(CREATED - timedelta(days=1), CREATED + timedelta(days=1), feature_views=["vectors"])

    def neighbours(self, vector: NDArray[np.float32], k: int) -> list[str]:
        found = self.store.retrieve_online_documents_v2(
            features=["vectors:embedding"], query=vector.tolist(), top_k=k, distance_metric="COSINE"
        )
        return found.to_dict()["id"]

    def _view(self, name: str, fields: list[Field], file: str | None = None) -> FeatureView:
        path = self.folder / f"{file or name}.parquet"
        source = FileSource(
            name=f"{name}_file", path=str(path), file_format=ParquetFormat(), timestamp_field="event_timestamp"
        )
        schema = [Field(name="id", dtype=String), *fields]
        return FeatureView(name=name, entities=[IMAGE], ttl=None, schema=schema, source=source)


def _timestamps(n: int) -> pa.Array:
    return pa.array([CREATED] * n, pa.timestamp("us", tz="UTC"))


def _measured(faces: Faces) -> pa.Table:
    columns = faces.columns() | {"event_timestamp": _timestamps(len(faces.ids))}
    del columns["score"], columns["fold"]
    return pa.table(columns | {"embedding": faces.vectors().cast(pa.list_(pa.float32()))})


def _labels(faces: Faces) -> pa.Table:
    return pa.table({"id": faces.ids, "score": faces.scores, "fold": faces.folds})
