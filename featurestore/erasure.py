"""Erasing photos: from every table and version, from snapshots and backups, and from the bytes that are left.

Rows are deleted in one transaction that also records, without saying whose, that bytes are still to go. Then the file
is rewritten, because DELETE leaves bytes in it, copies of older states are removed, and what is left is searched for
the ids, the hashes and the vectors. Stopped in between, the same command goes on.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from featurestore import snapshots
from featurestore.care import rewrite
from featurestore.errors import UsageError
from featurestore.migrations import backups
from featurestore.schema import quote
from featurestore.store import Store

PIECE = 64
"""Bytes of a vector that are searched for: sixteen of its numbers, which no other photo has by chance."""


@dataclass(frozen=True)
class Receipt:
    """What an erasure did. It names no photo, so that it may be kept.

    photos        different photos that were erased
    images        names under which they stood in the store
    rows          table -> rows removed
    copies        files removed because they held older states: snapshots, backups
    trained       finished or running runs that learnt from one of the photos: their models were not changed
    searched      files whose bytes were searched, and how many bytes
    found         where something was still found; empty when the erasure is complete
    """

    photos: int
    images: int
    rows: Mapping[str, int]
    copies: tuple[str, ...]
    trained: tuple[str, ...]
    searched: tuple[int, int]
    found: tuple[str, ...]


@dataclass(frozen=True)
class Erased:
    """The receipt, and what only the person at the screen is told: ids and the photos that still lie in folders."""

    receipt: Receipt
    image_ids: tuple[str, ...]
    photos: tuple[str, ...]


def erase(path: Path, image_ids: Sequence[str]) -> Erased:
    """Erase images and every copy of the same photo. Raises UsageError, with nothing erased, for an unknown id."""
    with Store.open(path, must_exist=True) as store:
        unfinished = bool(store.value("SELECT count(*) FROM erasures WHERE NOT finished"))
        known = _known(store, image_ids)
        unknown = [image_id for image_id in image_ids if image_id not in set(known["image_id"])]
        if unknown and not unfinished:
            raise UsageError(
                f"There is no image {unknown[0]!r} in the store, nothing was erased: "
                '`kallos sql "SELECT image_id FROM images"` lists them.'
            )
        needles = _needles(store, known, image_ids)
        trained = _trained(store, known)
        rows = _delete(store, known)
        runs_folder = store.runs_folder
    rewrite(path)
    copies = _remove_copies(path)
    files = [path, *(file for file in sorted(runs_folder.rglob("*")) if file.is_file())]
    found = [*_rows_left(path, needles), *_bytes_left(path.parent, files, needles)]
    if not found:
        with Store.open(path) as store:
            store.execute("UPDATE erasures SET finished = true WHERE NOT finished")
    receipt = Receipt(
        photos=known["sha256"].n_unique(),
        images=len(known),
        rows=rows,
        copies=copies,
        trained=trained,
        searched=(len(files), sum(file.stat().st_size for file in files)),
        found=tuple(found),
    )
    still_there = tuple(photo for photo in known["photo"].drop_nulls() if Path(photo).exists())
    return Erased(receipt, tuple(known["image_id"]), still_there)


def _known(store: Store, image_ids: Sequence[str]) -> pl.DataFrame:
    """image_id, sha256, path and photo (where it lies) of the images asked for and of those with the same bytes.

    An image that has left its data set is known by what runs said of it.
    """
    return store.frame(
        """
        WITH asked AS (SELECT unnest($ids::VARCHAR[]) AS image_id),
        photos AS (FROM images SEMI JOIN asked USING (image_id)),
        gone AS (
            SELECT DISTINCT image_id FROM predictions SEMI JOIN asked USING (image_id)
            ANTI JOIN images USING (image_id))
        SELECT image_id, sha256, path, root || '/' || path AS photo FROM images JOIN locations USING (data_set)
        WHERE image_id IN (SELECT image_id FROM photos)
           OR sha256 IN (SELECT sha256 FROM photos WHERE sha256 IS NOT NULL)
        UNION ALL SELECT image_id, NULL, NULL, NULL FROM gone
        ORDER BY image_id""",
        ids=list(image_ids),
    )


def _needles(store: Store, known: pl.DataFrame, image_ids: Sequence[str]) -> list[bytes]:
    """What must not be found in any file afterwards."""
    hashes = known["sha256"].drop_nulls().unique().to_list()
    texts = {*image_ids, *known["image_id"], *hashes}
    needles = [*(text.encode() for text in sorted(texts)), *(bytes.fromhex(sha256) for sha256 in hashes)]
    vectors = store.frame(
        "SELECT table_name, column_name FROM duckdb_columns() JOIN extractor_versions USING (table_name) "
        "WHERE data_type LIKE 'FLOAT[%' ORDER BY ALL"
    )
    for table, column in vectors.iter_rows():
        rows = store.frame(f'SELECT "{column}" FROM "{table}" WHERE list_contains($hashes, sha256)', hashes=hashes)
        for row in rows[column].to_list():
            piece = np.array(row, dtype="<f4").tobytes()[:PIECE]
            # a piece of zeros would be found anywhere
            if len(set(piece)) > PIECE // 4:
                needles.append(piece)
    return needles


def _trained(store: Store, known: pl.DataFrame) -> tuple[str, ...]:
    rows = store.frame(
        """
        SELECT DISTINCT run_id FROM (
            SELECT run_id, image_id FROM predictions WHERE role <> 'test'
            UNION ALL SELECT run_id, image_id FROM runs JOIN splits USING (protocol, fold) WHERE role = 'train')
        WHERE list_contains($ids, image_id) ORDER BY run_id""",
        ids=known["image_id"].to_list(),
    )
    return tuple(rows["run_id"])


def _delete(store: Store, known: pl.DataFrame) -> dict[str, int]:
    """Delete every row that names one of the images or photos; returns table -> rows."""
    ids, hashes = known["image_id"].to_list(), known["sha256"].drop_nulls().unique().to_list()
    columns = store.frame(
        "SELECT table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
        "WHERE column_name IN ('image_id', 'other_id', 'group_id', 'sha256') ORDER BY ALL"
    )
    removed: dict[str, int] = {}

    def delete(table: str, condition: str, **parameters: object) -> None:
        deleted = store.connection.execute(f'DELETE FROM "{table}" WHERE {condition}', parameters).fetchall()
        removed[table] = removed.get(table, 0) + int(deleted[0][0])

    with store.transaction():
        for path in known["path"].drop_nulls():
            delete("findings", "subject = $path OR contains(detail, $path)", path=path)
        for table, column in columns.iter_rows():
            delete(table, f'list_contains($values, "{column}")', values=hashes if column == "sha256" else ids)
        if ids:
            store.execute("INSERT INTO erasures VALUES (now()::TIMESTAMP, $photos, false)", photos=len(hashes))
    return {table: count for table, count in removed.items() if count}


def _remove_copies(path: Path) -> tuple[str, ...]:
    """Older states of the store beside it, and what a killed command left of one."""
    staged = [file for file in path.parent.glob(f".{path.stem}.*") if file.is_file()]
    copies = [*backups(path), *snapshots.files(path), *staged]
    for copy in copies:
        copy.unlink()
    snapshots.remove_all(path)
    return tuple(copy.name for copy in copies)


def _rows_left(path: Path, needles: Sequence[bytes]) -> list[str]:
    """Text columns that still hold an id or a hash: DuckDB compresses text, so that bytes alone may not show it."""
    texts = [needle.decode(errors="ignore") for needle in needles]
    left = []
    with Store.open(path, read_only=True) as store:
        columns = store.frame(
            "SELECT table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
            "WHERE data_type IN ('VARCHAR', 'JSON') ORDER BY ALL"
        )
        for table, column in columns.iter_rows():
            values = ", ".join(quote(text) for text in texts if text.isprintable() and text)
            if store.value(f'SELECT count(*) FROM "{table}" WHERE "{column}" IN ({values})'):
                left.append(f"{table}.{column}")
    return left


def _bytes_left(folder: Path, files: Sequence[Path], needles: Sequence[bytes]) -> list[str]:
    """Files that hold one of the needles."""
    left = []
    for file in files:
        if file.stat().st_size:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if any(content.find(needle) >= 0 for needle in needles):
                    left.append(str(file.relative_to(folder)))
    return left
