"""Composites of 50, 100 and 400 faces, and the report on shape: seconds, those of all cores together, and memory.

    python -m benchmarks.composites --store kallos.duckdb

Without a store it draws 400 portraits and extracts them first. Each figure is of a process of its own, after its
libraries are loaded, and the best of three runs; memory is the most that it ever held.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FACES = (50, 100, 400)
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=Path, help="a store with landmarks; 400 drawn portraits by default")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        _run(arguments.store, arguments.run)
        return
    with tempfile.TemporaryDirectory(prefix="kallos-composites-") as folder:
        store = arguments.store or _drawn(Path(folder))
        print(f"{'work':<28}{'faces':>7}{'seconds':>9}{'of cores':>10}{'peak, MiB':>11}")
        for work in (*map(str, FACES), "shape"):
            command = [sys.executable, "-m", "benchmarks.composites", "--store", str(store), "--run", work]
            print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, end="", flush=True)


def _drawn(folder: Path) -> Path:
    store = folder / "kallos.duckdb"
    for words in (("ingest", "demo", folder / "portraits", "--count", max(FACES)), ("extract",)):
        subprocess.run(["kallos", *map(str, words), "--store", str(store)], check=True, stderr=subprocess.DEVNULL)
    return store


def _run(store: Path, work: str) -> None:
    import kallos

    seconds = []
    for _ in range(RUNS):
        began, worked = time.perf_counter(), sum(os.times()[:4])
        if work == "shape":
            name, faces = "kallos report shape", kallos.report("shape", store).data.images
        else:
            name = "kallos composite"
            faces = len(
                kallos.composite(store, f"SELECT image_id FROM landmarks ORDER BY image_id LIMIT {work}").image_ids
            )
        seconds.append((time.perf_counter() - began, sum(os.times()[:4]) - worked))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<28}{faces:>7,}{min(seconds)[0]:>9.2f}{min(seconds)[1]:>10.2f}{peak:>11,.0f}")


if __name__ == "__main__":
    main()
