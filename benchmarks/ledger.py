"""`make bench-ledger`: the one writer of a cluster before a ledger of ten million lines.

The store holds images and the ledger, with a part of the photos still to do; the values of those that are done are left
out, so that it fits on a small disk. Through kallos's own functions: what is left to do, then shards at the real width
merged, as a run merges its own and as it merges those of a run that was stopped. Last the same
values as they lie in shards, read in place.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.growth import measured, values_of
from benchmarks.store.kallos_store import attempts_of
from extractors.definitions import definitions
from extractors.outputs import Output
from extractors.registry import FROM_LANDMARKS
from extractors.values import outputs
from featurestore.feature_definitions import define_features
from featurestore.opening import open_store
from featurestore.planning import from_pixels_todo
from featurestore.shards import AT_ONCE, folder_of, left_over, merge, write_shard
from featurestore.store import Store
from featurestore.versions import register
from kallos.engines.ray_cluster import SHARD
from kallos.workflows.encoders import chosen_encoders

LINES = 10_000_000
SHARDS = 2 * AT_ONCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--folder", type=Path, help="where the store is made; by default a temporary folder")
    arguments = parser.parse_args()
    table = Table("", "cpu s", "wall s", "memory, MiB")
    with tempfile.TemporaryDirectory(prefix="kallos-ledger-", dir=arguments.folder) as folder:
        for operation, cpu, wall, memory in _measure(Path(folder) / "kallos.duckdb", arguments.lines):
            table.add_row(operation, f"{cpu:.3f}", f"{wall:.3f}", f"{memory:,.0f}")
    Console().print(table)


def _measure(path: Path, lines: int) -> list[tuple[str, float, float, float]]:
    found = []
    with open_store(path) as store:
        wanted = outputs(chosen_encoders(store, None, "none", download=False))
        photos, left = lines // len(wanted), SHARD * SHARDS
        with measured() as result:
            _fill(store, wanted, photos, left)
        found.append((f"the ledger: {lines:,} lines of {photos:,} photos", *result))
        size = path.stat().st_size
        print(f"file: {size / 2**20:,.0f} MiB, {size / lines:.0f} bytes a line")
        pixels = [output for output in wanted if output.extractor not in FROM_LANDMARKS]
        with measured() as result:
            todo = from_pixels_todo(store, pixels)
        found.append((f"what is left to do: {len(todo):,} photos", *result))
        with measured() as result:
            _write_shards(store, pixels, todo["sha256"].to_list())
        found.append((f"{SHARDS} shards written", *result))
        shards = left_over(store)
        bytes_a_photo = sum(shard.stat().st_size for shard in shards) / len(todo)
        print(f"shards: {bytes_a_photo:,.0f} bytes a photo")
        with measured() as result:
            _read_in_place(store, pixels)
        found.append((f"{len(todo):,} photos read in place: the norm of their embeddings", *result))
        for name, some, again in (
            ("this run", shards[: SHARDS // 2], False),
            ("a stopped run", shards[SHARDS // 2 :], True),
        ):
            with measured() as result:
                merge(store, some, left_over=again)
            found.append((f"{len(some)} shards of {SHARD} photos merged, of {name}", *result))
    return found


def _fill(store: Store, wanted: list[Output], photos: int, left: int) -> None:
    """Images, and lines of the ledger for all but the last `left` of them."""
    folder_of(store.path).mkdir(parents=True)
    with store.transaction():
        define_features(store, definitions(), {output.extractor: output.version for output in wanted})
        register(store, wanted)
        store.execute("INSERT INTO locations BY NAME SELECT 'big' AS data_set, '/photos' AS root")
        store.execute(
            "INSERT INTO images BY NAME SELECT 'big/' || i || '.jpg' AS image_id, 'big' AS data_set, "
            "i || '.jpg' AS path, sha256(i::VARCHAR) AS sha256 FROM range($photos) r(i)",
            photos=photos,
        )
        for output in wanted:
            store.execute(
                "INSERT INTO attempts BY NAME SELECT sha256(i::VARCHAR) AS sha256, $extractor AS extractor, "
                "$version AS version, 'ok' AS status, random() * 30 AS milliseconds FROM range($done) r(i)",
                extractor=output.extractor,
                version=output.version,
                done=photos - left,
            )
    store.execute("CHECKPOINT")


def _write_shards(store: Store, pixels: list[Output], hashes: list[str]) -> None:
    random = np.random.default_rng(0)
    for start in range(0, len(hashes), SHARD):
        some = hashes[start : start + SHARD]
        write_shard(
            folder_of(store.path),
            [(output, values_of(output, some, random), attempts_of(output, some)) for output in pixels],
        )


def _read_in_place(store: Store, pixels: list[Output]) -> None:
    store.frame(
        f'SELECT avg(list_inner_product(v, v)) FROM (SELECT "{pixels[-1].table_name}.vector" AS v '
        f"FROM read_parquet('{folder_of(store.path)}/*.parquet'))"
    )


if __name__ == "__main__":
    main()
