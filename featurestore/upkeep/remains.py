"""What may be left of erased photos: a search of the store by value and of every file by its bytes.

DuckDB compresses numbers and text, so bytes alone do not prove that a value is gone from a store: its columns are
searched too. Files beside it are searched by their bytes, in which vectors and hashes lie as they are.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore import personal_ratings
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.versions import computed_tables

PIECE = 64
"""Bytes of a vector that files are searched for: its first eight or sixteen numbers, which no other photo has."""

VECTORS = "(data_type LIKE 'FLOAT[%' OR data_type LIKE 'DOUBLE[%')"


@dataclass(frozen=True, eq=False)
class Traces:
    """What identifies photos: ids and hashes as text, and every vector computed of them; and the names of persons."""

    texts: tuple[str, ...]
    hashes: tuple[str, ...]
    vectors: tuple[NDArray[np.floating[Any]], ...]
    raters: tuple[str, ...]

    @classmethod
    def read(cls, store: Store, image_ids: Sequence[str], hashes: Sequence[str], raters: Sequence[str] = ()) -> Self:
        """Read them before they are deleted."""
        vectors = []
        computed = set(computed_tables(store))
        for table, column in _columns(store, VECTORS):
            if table in computed:
                query = f'SELECT "{column}" AS v FROM "{table}" WHERE list_contains($hashes, sha256)'
                vectors += list(store.frame(query, hashes=list(hashes))["v"].to_numpy())
        return cls(tuple(sorted({*image_ids, *hashes})), tuple(hashes), tuple(vectors), tuple(raters))

    @property
    def needles(self) -> list[bytes]:
        """Pieces of bytes that no file may hold; of vectors those that are not mostly of one value, as zeros are."""
        pieces = (vector.tobytes()[:PIECE] for vector in self.vectors)
        telling = [piece for piece in pieces if len(set(piece)) > PIECE // 4]
        return [*(text.encode() for text in self.texts), *(bytes.fromhex(sha256) for sha256 in self.hashes), *telling]


def find(path: Path, files: Sequence[Path], traces: Traces) -> list[str]:
    """Where in the store or in a file there is still a trace: columns and file names."""
    with open_store(path, read_only=True) as store:
        left = [*_texts_left(store, traces.texts), *_vectors_left(store, traces.vectors)]
        # a name may be a common word, so only where names of persons stand
        left += ["personal_ratings.rater" for rater in traces.raters if personal_ratings.count(store, rater)]
    return [*left, *_bytes_left(files, traces)]


def _texts_left(store: Store, texts: Sequence[str]) -> Iterator[str]:
    for table, column in _columns(store, "data_type IN ('VARCHAR', 'JSON')"):
        condition = f'list_contains($texts::VARCHAR[], "{column}"::VARCHAR)'
        if store.value(f'SELECT count(*) FROM "{table}" WHERE {condition}', texts=list(texts)):
            yield f"{table}.{column}"


def _vectors_left(store: Store, vectors: Sequence[NDArray[np.floating[Any]]]) -> Iterator[str]:
    searched = pl.DataFrame({"v": [vector.tolist() for vector in vectors]}, schema={"v": pl.List(pl.Float64)})
    with store.registered(searched):
        for table, column in _columns(store, VECTORS):
            if store.value(f'SELECT count(*) FROM "{table}" SEMI JOIN incoming ON "{column}"::DOUBLE[] = v'):
                yield f"{table}.{column}"


def _bytes_left(files: Sequence[Path], traces: Traces) -> Iterator[str]:
    needles = traces.needles
    for file in files:
        if file.stat().st_size:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if any(content.find(needle) >= 0 for needle in needles):
                    yield file.name


def _columns(store: Store, condition: str) -> list[tuple[str, str]]:
    """(table, column) of the base tables' columns of some type."""
    rows = store.frame(
        "SELECT table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
        f"WHERE NOT internal AND {condition} ORDER BY ALL"
    )
    return list(rows.iter_rows())
