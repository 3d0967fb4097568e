"""`make bench-growth`: how the store's work grows with its images, on made-up values at the real width.

Left out, as they would not fit on a small disk at 500,000 images: the landmarks' coordinates (1,404 floats) and the
embeddings of windows (3,960 floats), which no operation here but a training set reads. Each size is measured by a
process of its own. Seconds are of all its cores together, because the machine may be shared; what the clock on the
wall says stands beside them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import log, nan
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.store.kallos_store import attempts_of
from extractors.definitions import definitions
from extractors.outputs import FEATURES, Output
from extractors.region_windows import WINDOWS
from extractors.values import outputs
from featurestore import normalization_statistics, training_sets
from featurestore.feature_definitions import define_features
from featurestore.opening import open_store
from featurestore.outputs import stored_columns
from featurestore.planning import from_landmarks_todo, from_pixels_todo, plan
from featurestore.similarity import VIEWS, Search, nearest, stored_image
from featurestore.store import Store
from featurestore.training_rows import REGION
from featurestore.versions import register, write
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.workflows.encoders import chosen_encoders

SIZES = (5_500, 50_000, 500_000)
CHUNK = 10_000
"""Images of one transaction."""

HUNGRY, BYTES = ("training set of a fold", "similar by geometry"), 40_000
"""Operations that are left out where the machine has not so many bytes of free memory an image."""

PROTOCOL, FOLDS, TRAIT = "growth", 5, "score"
LEFT_OUT = ("x", "y", "z", *WINDOWS)
QUERY = """
SELECT subset, count(*), avg(score), avg(jaw_width), corr(score, jaw_width)
FROM scores JOIN images USING (image_id) JOIN geometric_features USING (image_id) GROUP BY subset"""
"""Two columns of features and a join, as people ask."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the stores are made; by default a temporary folder")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.one, arguments.folder)))
        return
    found = {}
    for size in sorted(arguments.sizes):
        with tempfile.TemporaryDirectory(prefix="kallos-growth-", dir=arguments.folder) as folder:
            command = [sys.executable, "-m", "benchmarks.growth", "--one", str(size), "--folder", folder]
            found[size] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(size, found[size], file=sys.stderr, flush=True)
    Console(width=160).print(_table(found))


def _table(found: dict[int, dict[str, list[float]]]) -> Table:
    """CPU seconds, seconds on the wall and memory of each size, and the exponents between sizes."""
    sizes = list(found)
    table = Table("", *(f"{size:,}: cpu s (wall), MiB" for size in sizes), *(f"n^ to {b:,}" for b in sizes[1:]))
    for operation in found[sizes[0]]:
        rows = [found[size][operation] for size in sizes]
        cells = [f"{cpu:.3f} ({wall:.2f}), {peak:,.0f}" for cpu, wall, peak in rows]
        grown = [
            log(b[0] / a[0]) / log(to / start)
            for (a, b), (start, to) in zip(pairwise(rows), pairwise(sizes), strict=True)
        ]
        table.add_row(operation, *cells, *(f"{exponent:.2f}" for exponent in grown))
    return table


def _measure(size: int, folder: Path) -> dict[str, list[float]]:
    """operation -> CPU seconds, seconds on the wall, MiB of memory; of the file: MiB three times."""
    path = folder / "kallos.duckdb"
    found: dict[str, list[float]] = {}
    random = np.random.default_rng(0)

    def measure(operation: str, work: Callable[[], object]) -> None:
        if operation in HUNGRY and _free_bytes() < size * BYTES:
            found[operation] = [nan, nan, nan]
            return
        with measured() as result:
            work()
        before = found.get(operation, [0.0, 0.0, 0.0])
        found[operation] = [before[0] + result[0], before[1] + result[1], max(before[2], result[2])]

    with open_store(path) as store:
        wanted = outputs(chosen_encoders(store, None, "none", download=False))
        with store.transaction():
            define_features(store, definitions(), {output.extractor: output.version for output in wanted})
            register(store, wanted)
            store.append("data_sets", pl.DataFrame({"data_set": ["growth"]}))
            store.append("locations", pl.DataFrame({"data_set": ["growth"], "root": [str(folder)]}))
            scale = {"data_set": ["growth"], "trait": [TRAIT], "scale_low": [1.0], "scale_high": [5.0]}
            store.append("traits", pl.DataFrame(scale))
        for start in range(0, size, CHUNK):
            ids = [f"{i:07d}.jpg" for i in range(start, min(start + CHUNK, size))]
            hashes = [hashlib.sha256(name.encode()).hexdigest() for name in ids]
            tables, rows = (
                _images(ids, hashes, random),
                [(output, values_of(output, hashes, random, LEFT_OUT)) for output in wanted],
            )
            measure("write", lambda tables=tables, rows=rows: _append(store, tables, rows))
        measure("write", lambda: store.execute("CHECKPOINT"))
        found["file, MiB"] = [path.stat().st_size / 2**20] * 3
        measure("statistics of five folds", lambda: normalization_statistics.fit(store))
    encoder = wanted[-1].extractor.partition(":")[2]
    with open_store(path) as store:
        measure("training set of a fold", lambda: _training_set(store, encoder))
    with open_store(path, read_only=True) as store:
        measure("feature query", lambda: store.frame(QUERY))
        for by in VIEWS:
            search = Search(by, 10, encoder if by == "embedding" else None)
            measure(f"similar by {by}", lambda search=search: nearest(store, stored_image(store, ids[-1]), search))
        measure("plan", lambda: plan(store, wanted))
        measure("what is left to do", lambda: _left_to_do(store, wanted))
    measure("kallos extract, nothing to do", lambda: _extract(path))
    with open_store(path) as store:
        _add(store, folder, "unrated.jpg", random, ("images",))
    measure("kallos extract, one new image without a score", lambda: _extract(path))
    with open_store(path) as store:
        measure("add one image", lambda: _add(store, folder, "rated.jpg", random, ("images", "scores", "splits")))
    measure("kallos extract, one new image that folds learn from", lambda: _extract(path))
    return found


@contextmanager
def measured() -> Iterator[list[float]]:
    """CPU seconds of this process and its children, seconds on the wall, MiB that this process took for a while."""
    result: list[float] = []
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    began, cpu, memory = time.perf_counter(), cpu_seconds(), mebibytes("VmRSS")
    yield result
    result.extend((cpu_seconds() - cpu, time.perf_counter() - began, mebibytes("VmHWM") - memory))


def _free_bytes() -> int:
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def mebibytes(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _images(ids: list[str], hashes: list[str], random: np.random.Generator) -> dict[str, pl.DataFrame]:
    """What ingest writes of these images."""
    image_id = [f"growth/{name}" for name in ids]
    tested = random.integers(1, FOLDS + 1, len(ids))
    subset = random.choice(["AF", "AM", "CF", "CM"], len(ids))
    images = pl.DataFrame(
        {"image_id": image_id, "data_set": "growth", "path": ids, "subset": subset, "sha256": hashes},
        schema_overrides={"subset": pl.String},
    )
    folds = pl.DataFrame({"fold": np.arange(1, FOLDS + 1, dtype=np.int32)})
    role = pl.when(pl.col("fold") == pl.col("tested")).then(pl.lit("test")).otherwise(pl.lit("train"))
    splits = pl.DataFrame({"image_id": image_id, "tested": tested}).join(folds, how="cross")
    scores = pl.DataFrame({"image_id": image_id, "score": random.uniform(1, 5, len(ids)), "trait": TRAIT})
    return {
        "images": images,
        "scores": scores,
        "splits": splits.select("image_id", "fold", role=role, protocol=pl.lit(PROTOCOL), trait=pl.lit(TRAIT)),
    }


def values_of(
    output: Output, hashes: list[str], random: np.random.Generator, left_out: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Random values of one output; what is left out stays NULL."""
    columns: dict[str, object] = {"sha256": hashes}
    for column in stored_columns(output):
        if column.name in left_out:
            continue
        if output.extractor == "fingerprint":
            columns[column.name] = random.integers(0, 2**63, len(hashes), dtype=np.uint64)
            continue
        width = int(column.type.partition("[")[2].rstrip("]"))
        dtype = np.float64 if output.view == FEATURES else np.float32
        columns[column.name] = random.standard_normal((len(hashes), width), dtype=dtype)
    return pl.DataFrame(columns)


def _append(store: Store, tables: dict[str, pl.DataFrame], rows: list[tuple[Output, pl.DataFrame]]) -> None:
    with store.transaction():
        for table, frame in tables.items():
            store.append(table, frame)
        for output, values in rows:
            write(store, output, values, attempts_of(output, values["sha256"].to_list()))


def _training_set(store: Store, encoder: str) -> None:
    """The real one, without the windows that are left out."""
    whole = training_sets.array_tables

    def narrow(store: Store, encoder: str | None) -> dict[str, tuple[str, str]]:
        return {name: table for name, table in whole(store, encoder).items() if not name.startswith(REGION)}

    with mock.patch.object(training_sets, "array_tables", narrow):
        training_sets.training_set(store, PROTOCOL, 1, encoder)


def _left_to_do(store: Store, wanted: list[Output]) -> None:
    from_pixels_todo(store, [output for output in wanted if output.extractor not in ("geometry", "shape")])
    for output in wanted[1:4:2]:
        from_landmarks_todo(store, output, wanted[0])


def _add(store: Store, folder: Path, name: str, random: np.random.Generator, table_names: tuple[str, ...]) -> None:
    """One image more, whose values are still to be extracted, in the tables that are told of it."""
    from PIL import Image

    Image.fromarray(paint(draw_parameters(len(name)), 350)).save(folder / name)
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    tables = _images([name], [sha256], random)
    _append(store, {table: tables[table] for table in table_names}, [])


def _extract(path: Path) -> None:
    command = [sys.executable, "-m", "kallos", "extract", "--store", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


if __name__ == "__main__":
    main()
