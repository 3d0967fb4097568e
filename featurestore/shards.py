"""Work that was done elsewhere: Parquet files beside the store, until its one writer takes them in.

A shard holds one row a photo: its lines of the ledger, and what each output has of it in columns `<table>.<column>`.
It appears whole or not at all, and is removed when its rows are in the store.
"""

import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from extractors.outputs import Output
from featurestore.store import Store

Written = tuple[Output, pl.DataFrame, pl.DataFrame]
"""An output, its rows and its lines of the ledger, as `featurestore.versions.write` takes them."""

AT_ONCE = 20
"""Shards that are merged in one transaction: twice as fast as one by one, and still no great matter for memory."""

_WHOLE, _PARTIAL = ".parquet", ".partial"


def folder_of(path: Path) -> Path:
    """Where the shards of the store at `path` lie."""
    return path.with_suffix(".runs").resolve() / "shards"


def write_shard(folder: Path, written: Iterable[Written]) -> str:
    """Write what came of some photos into a shard, synced to the disk; returns the shard's name."""
    outputs = list(written)
    photos = (
        pl.concat(attempts for _, _, attempts in outputs)
        .group_by("sha256", maintain_order=True)
        .agg(attempts=pl.struct(pl.exclude("sha256")))
    )
    for output, rows, _ in outputs:
        if len(rows):
            named = rows.rename({name: f"{output.table_name}.{name}" for name in rows.columns if name != "sha256"})
            photos = photos.join(named, on="sha256", how="left")
    partial = folder / f"{uuid.uuid4().hex}{_PARTIAL}"
    with partial.open("wb") as file:
        photos.write_parquet(file)
        file.flush()
        os.fsync(file.fileno())
    return partial.rename(partial.with_suffix(_WHOLE)).name


def left_over(store: Store) -> list[Path]:
    """The whole shards that lie beside the store; half a shard, of a process that was killed, is removed."""
    for partial in folder_of(store.path).glob(f"*{_PARTIAL}"):
        partial.unlink(missing_ok=True)
    return sorted(folder_of(store.path).glob(f"*{_WHOLE}"))


def merge_left_over(store: Store) -> None:
    """Take in what a run left that was stopped: of shards that were merged and not yet removed nothing comes twice."""
    shards = left_over(store)
    for start in range(0, len(shards), AT_ONCE):
        merge(store, shards[start : start + AT_ONCE], left_over=True)


def merge(store: Store, shards: Sequence[Path], *, left_over: bool = False) -> tuple[int, int]:
    """Take shards into the store and remove them; returns how many photos were new, and how many of them failed.

    Of those that are left over from another run, what the ledger has already is left out, and what is no image any
    more; asking that reads the whole ledger, which shards of this very run need not wait for. A shard that cannot be
    read is removed: its photos are still to do.
    """
    if not (read := [photos for shard in shards if (photos := _read(shard)) is not None]):
        return 0, 0
    # a machine that was given up and yet went on has left the shard of another once more
    photos = pl.concat(read, how="diagonal").unique("sha256", keep="first", maintain_order=True)
    new = photos.select("sha256", "attempts").explode("attempts").unnest("attempts")
    tables = store.frame("SELECT extractor, version, table_name FROM extractor_versions")
    with store.transaction():
        if left_over:
            new = _new(store, new)
        for extractor, version, table in tables.iter_rows():
            columns = {name: name.removeprefix(f"{table}.") for name in photos.columns if name.startswith(f"{table}.")}
            if len(ok := new.filter(extractor=extractor, version=version, status="ok")):
                rows = photos.select("sha256", *columns).rename(columns)
                store.append(table, rows.join(ok.select("sha256"), on="sha256", how="semi"))
        store.append("attempts", new)
    for shard in shards:
        shard.unlink(missing_ok=True)
    return new["sha256"].n_unique(), new.filter(pl.col("status") != "ok")["sha256"].n_unique()


def _read(shard: Path) -> pl.DataFrame | None:
    try:
        return pl.read_parquet(shard)
    except pl.exceptions.ComputeError:
        shard.unlink()
        return None


def _new(store: Store, attempts: pl.DataFrame) -> pl.DataFrame:
    with store.registered(attempts):
        return store.frame(
            "FROM incoming ANTI JOIN attempts USING (sha256, extractor, version) SEMI JOIN images USING (sha256) "
            "SEMI JOIN extractor_versions USING (extractor, version)"
        )
