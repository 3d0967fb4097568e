"""`make bench-memory`: the most memory that each process of kallos ever held, for few photos and for many.

Drawn portraits are repeated under new bytes: a JPEG comment makes each a photo of its own, of the same work. The
kernel keeps the peak (VmHWM); it is read here until the process is gone.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kallos.portraits.dataset import write_demo

DRAWN = 50
EVERY_SECONDS = 0.1
TRAINING = ("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", "64", "--epochs", "1")


@dataclass(frozen=True)
class Peaks:
    """MiB: of the process that was typed, and of each worker that it started."""

    main: float
    workers: tuple[float, ...]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--extract", type=int, nargs="+", default=[1_000, 20_000], help="photos to extract")
    parser.add_argument("--predict", type=int, nargs="*", default=[200, 2_000], help="photos to predict")
    parser.add_argument("--folder", type=Path, help="where photos and stores are made; some GB")
    arguments = parser.parse_args()
    table = Table("command", "photos", "main, MiB", "workers, MiB", "it took, s")
    with tempfile.TemporaryDirectory(prefix="kallos-memory-", dir=arguments.folder) as folder:
        portraits = Path(folder) / "drawn"
        write_demo(portraits, DRAWN, 0, lambda *_: None)
        for count in arguments.extract:
            _report(table, "extract", count, _extract(portraits, Path(folder) / f"extract-{count}", count))
        bundle = _bundle(Path(folder) / "trained") if arguments.predict else None
        for count in arguments.predict:
            photos = _repeat(portraits, Path(folder) / f"predict-{count}", count)
            _report(table, "score", count, _peaks(Path(folder), "score", str(photos), "--bundle", str(bundle)))
    Console(highlight=False).print(table)


def _report(table: Table, command: str, count: int, peaks: Peaks) -> None:
    workers = ", ".join(f"{peak:,.0f}" for peak in peaks.workers) or "-"
    cells = (f"kallos {command}", f"{count:,}", f"{peaks.main:,.0f}", workers, f"{peaks.seconds:.0f}")
    table.add_row(*cells)
    print(*cells, sep=" | ", file=sys.stderr, flush=True)


def _extract(portraits: Path, folder: Path, count: int) -> Peaks:
    photos = _repeat(portraits, folder, count)
    with (folder / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "score"])
        writer.writerows([photo.name, 1 + number % 5] for number, photo in enumerate(sorted(photos.iterdir())))
    _peaks(folder, "ingest", "table", "scores.csv", "--images", str(photos), "--scale", "1", "5")
    return _peaks(folder, "extract", "--encoder", "mobilenet_v3_small", "--weights", "none")


def _repeat(portraits: Path, folder: Path, count: int) -> Path:
    """A folder of `count` photos, each with bytes of its own."""
    pictures = [file.read_bytes() for file in sorted((portraits / "images").iterdir())]
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for number in range(count):
        picture, comment = pictures[number % len(pictures)], str(number).encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (photos / f"{number:06d}.jpg").write_bytes(picture[:2] + segment + picture[2:])
    return photos


def _bundle(folder: Path) -> Path:
    folder.mkdir()
    for arguments in (
        ("ingest", "demo", "portraits", "--count", "60"),
        ("extract", "--encoder", "mobilenet_v3_small", "--weights", "none"),
        ("train", "all", *TRAINING),
        ("export", "bundle"),
    ):
        _peaks(folder, *arguments)
    return folder / "bundle"


def _peaks(folder: Path, *arguments: str) -> Peaks:
    """Run a kallos command to its end and watch every process of its session."""
    began = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with (folder / "output.txt").open("w+") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "kallos", *arguments],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        workers, own = dict[int, float](), 0.0
        while run.poll() is None:
            own = max(own, _peak(run.pid))
            for pid in _workers(run.pid):
                workers[pid] = max(workers.get(pid, 0.0), _peak(pid))
            time.sleep(EVERY_SECONDS)
        if run.returncode:
            output.seek(0)
            raise SystemExit(f"kallos {' '.join(arguments)} failed with {run.returncode}:\n{output.read()}")
    return Peaks(own, tuple(sorted(workers.values())), time.perf_counter() - began)


def _workers(session: int) -> Sequence[int]:
    """The spawned Python processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            its_session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if its_session == session and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            # ended meanwhile
            continue
    return found


def _peak(pid: int) -> float:
    """MiB of VmHWM; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
