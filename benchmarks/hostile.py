"""`make hostile`: what is too large or too slow for the tests, typed as commands: bombs, a million rows, full disks.

Each command gets a minute and may take 1 GiB more than one that predicts one portrait (or, of ingest, reads its csv).
It must end with a documented exit code, without a traceback, and leave what was there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from PIL import Image
from rich.console import Console
from rich.table import Table

from tests.hostile import bundles, photos

LIMIT_SECONDS, LIMIT_MIB = 60, 1024
SIDE = 7000
"""Pixels of a square photo just below the decoder's limit."""

LARGE = (
    ("RGB", "PNG"),
    ("RGBA", "PNG"),
    ("LA", "PNG"),
    ("P", "PNG"),
    ("I;16", "PNG"),
    ("CMYK", "JPEG"),
    ("RGBA", "WEBP"),
)
HEAVY = ("a/part-1: the network vit_h_14", "b: hidden 1000000000000", "a: images of 1000000000 pixels")
WRITERS = (
    ("compact",),
    ("duplicates",),
    ("export", "bundle"),
    ("store", "export", "exported"),
    ("train", "b", "--protocol", "demo-5fold", "--fold", "2"),
    ("erase", "demo/P0007.jpg", "--receipt", "receipt.json"),
    ("pack", "write", "pack", "--protocol", "demo-5fold", "--backbone", "mobilenet_v3_small", "--weights", "none"),
)


@dataclass(frozen=True)
class Run:
    """How a command ended; `mib` is the most that it or one of its processes had."""

    code: int
    seconds: float
    mib: int
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="the folder that `kallos demo` makes")
    demo = parser.parse_args().demo.resolve()
    table, console = Table("what", "exit code", "s", "MiB above", "verdict"), Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="kallos-hostile-") as made:
        folder = Path(made)
        for name, run, above in [*_of_photos(demo, folder), *_of_bundles(demo, folder), *_of_tables(folder)]:
            table.add_row(name, str(run.code), f"{run.seconds:.1f}", str(above), _verdict(run, above))
        for name, run, verdict in _of_full_disks(demo, folder):
            table.add_row(name, str(run.code), f"{run.seconds:.1f}", "", verdict)
    console.print(table)


def _verdict(run: Run, above: int) -> str:
    if run.code not in {0, *range(2, 15)} or "Traceback" in run.said:
        return "FAILED " + run.said[-200:]
    return "TOO MUCH" if above > LIMIT_MIB else "ok"


def _kallos(folder: Path, *typed: object) -> Run:
    began = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            [sys.executable, "-m", "kallos", *map(str, typed)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
            if time.monotonic() - began > LIMIT_SECONDS:
                child.kill()
                ended = os.wait4(child.pid, 0)
                break
            time.sleep(0.02)
        child.returncode = os.waitstatus_to_exitcode(ended[1])
        err.seek(0)
        said = err.read().decode(errors="replace")
    return Run(child.returncode, time.monotonic() - began, ended[2].ru_maxrss >> 10, said)


Measured = Iterator[tuple[str, Run, int]]


def _of_photos(demo: Path, folder: Path) -> Measured:
    typed = ("--bundle", demo / "bundle")
    usual = _kallos(folder, "predict", demo / "portraits" / "images" / "P0001.jpg", *typed)
    yield "one portrait, predicted", usual, 0
    photo = folder / "photo.jpg"
    large = (
        (f"{mode} {form} of {SIDE} pixels", photos.encoded(photos.face(SIDE).convert(mode), form))
        for mode, form in LARGE
    )
    for name, content in [*photos.bombs(), *large]:
        photo.write_bytes(content)
        run = _kallos(folder, "predict", photo, *typed)
        yield name, run, run.mib - usual.mib


def _of_bundles(demo: Path, folder: Path) -> Measured:
    portrait = demo / "portraits" / "images" / "P0001.jpg"
    usual = _kallos(folder, "predict", portrait, "--bundle", demo / "bundle")
    for story in HEAVY:
        bundle = folder / "bundle"
        shutil.copytree(demo / "bundle", bundle)
        bundles.FORGED[story](bundle)
        bundles.right(bundle)
        run = _kallos(folder, "predict", portrait, "--bundle", bundle)
        yield f"a bundle: {story}", run, run.mib - usual.mib
        shutil.rmtree(bundle)


def _of_tables(folder: Path) -> Measured:
    shown = folder / "photos"
    shown.mkdir()
    for number in range(1000):
        (shown / f"{number}.png").write_bytes(
            photos.encoded(Image.new("RGB", (8, 8), (number % 256, number // 256, 0)), "PNG")
        )
    csv, store = folder / "labels.csv", ("--images", shown, "--store", folder / "s.duckdb")
    csv.write_text("image,score\n" + "".join(f"{number}.png,{number % 5 + 1}\n" for number in range(1000)))
    usual = _kallos(folder, "ingest", "csv", csv, *store)
    yield "a csv of 1,000 rows, ingested", usual, 0
    for name, lines in {
        "a csv of a million ratings": (f"{row % 1000}.png,r{row // 1000},{row % 5 + 1}\n" for row in range(1_000_000)),
        "a csv of a million photos that are not there": (f"x{row}.png,r1,{row % 5 + 1}\n" for row in range(1_000_000)),
    }.items():
        csv.write_text("image,rater,score\n0.png,r0,1\n" + "".join(lines).replace("0.png,r0,1\n", "", 1))
        run = _kallos(folder, "ingest", "csv", csv, *store)
        yield name, run, run.mib - usual.mib


def _of_full_disks(demo: Path, folder: Path) -> Iterator[tuple[str, Run, str]]:
    """Every command that writes, in a file system with next to no room left."""
    for typed in WRITERS:
        with _disk(folder / "disk") as disk:
            if disk is None:
                return
            shutil.copy(demo / "kallos.duckdb", disk)
            shutil.copytree(demo / "kallos.runs", disk / "kallos.runs")
            used = sum(file.stat().st_blocks * 512 for file in disk.rglob("*"))
            before = _scores(disk), {path.name for path in disk.iterdir()}
            subprocess.run(["mount", "-o", f"remount,size={used // 1024 + 100}k", disk], check=True)
            run = _kallos(disk, *typed)
            subprocess.run(["mount", "-o", "remount,size=2g", disk], check=True)
            left = {path.name for path in disk.iterdir()} - before[1] - {"kallos.duckdb.wal"}
            # what erase has taken out of the tables before the disk was full is meant to be gone
            lost = _scores(disk) < before[0] - (typed[0] == "erase")
            verdict = _verdict(run, 0) if not left and not lost else f"left {left}, lost {lost}"
            yield f"a full disk: {' '.join(typed[:2])}", run, verdict


@contextmanager
def _disk(place: Path) -> Iterator[Path | None]:
    """A file system in memory; None where it may not be mounted."""
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", place], capture_output=True, check=False
    )
    try:
        yield None if mounted.returncode else place
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", place], check=True)


def _scores(disk: Path) -> int:
    with duckdb.connect(str(disk / "kallos.duckdb"), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM scores").fetchall()[0][0])


if __name__ == "__main__":
    main()
