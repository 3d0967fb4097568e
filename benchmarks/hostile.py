"""`make hostile`: what is too large or too slow for the tests: bombs, photos at the limit, a million rows, full disks.

Law: each works or ends as a KallosError (of a command: with a documented exit code and no traceback), in a minute
(`--seconds` gives more on a busy machine), with at most 1 GiB more memory than before, and leaves what was there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import duckdb
from PIL import Image
from rich.console import Console
from rich.table import Table

from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from extractors.errors import KallosError
from tests.hostile import bundles, photos

LIMIT_MIB = 1024
SIDE = 7000
"""Pixels of a square photo just below the decoder's limit."""

LARGE = (
    *(("RGB", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("I;16", "PNG")),
    *(("CMYK", "JPEG"), ("RGBA", "WEBP")),
)
HEAVY = ("a/part-1: the network vit_h_14", "b: hidden 1000000000000", "a: images of 1000000000 pixels")
WRITERS = (
    ("compact",),
    ("duplicates",),
    ("export", "bundle"),
    ("store", "export", "exported"),
    ("train", "b", "--protocol", "demo-5fold", "--fold", "2"),
    ("erase", "demo/P0007.jpg", "--receipt", "receipt.json"),
)


class Outcome(NamedTuple):
    """How one case ended; `mib` is the memory that it took beyond what was there before."""

    case: str
    ended: str
    seconds: float
    mib: int
    lawful: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="the folder that `kallos demo` makes")
    parser.add_argument("--seconds", type=int, default=60, help="that a case may take")
    arguments = parser.parse_args()
    demo, limit = arguments.demo.resolve(), arguments.seconds
    table = Table("case", "ended", "s", "MiB", "law")
    with tempfile.TemporaryDirectory(prefix="kallos-hostile-") as scratch:
        folder = Path(scratch)
        cases = (_photos(demo, folder, limit), _bundles(demo, folder, limit), _tables(folder, limit))
        for outcome in chain(*cases, _full_disks(demo, folder, limit)):
            verdict = "kept" if outcome.lawful and outcome.mib <= LIMIT_MIB else "BROKEN"
            row = (outcome.case, outcome.ended, f"{outcome.seconds:.1f}", str(outcome.mib), verdict)
            table.add_row(*row)
            print(*row, sep=" | ", file=sys.stderr, flush=True)
    Console(highlight=False).print(table)


def _photos(demo: Path, folder: Path, limit: int) -> Iterator[Outcome]:
    # all are made first: what they took to make must not count as there before
    cases = dict(photos.bombs())
    for mode, form in LARGE:
        cases[f"{mode} {form} of {SIDE} pixels"] = photos.encoded(photos.face(SIDE).convert(mode), form)
    photos.face.cache_clear()
    photo = folder / "photo.jpg"
    with Predictor(open_bundle(demo / "bundle")) as predictor:
        predictor.predict(demo / "portraits" / "images" / "P0001.jpg")
        before = _memory("VmRSS")
        for case, content in cases.items():
            photo.write_bytes(content)
            yield _measured(case, lambda: predictor.predict(photo), limit, before)


def _bundles(demo: Path, folder: Path, limit: int) -> Iterator[Outcome]:
    for story in HEAVY:
        bundle = folder / "bundle"
        shutil.copytree(demo / "bundle", bundle)
        bundles.FORGED[story](bundle)
        bundles.right(bundle)
        before = _memory("VmRSS")
        yield _measured(f"bundle, {story}", lambda bundle=bundle: Predictor(open_bundle(bundle)), limit, before)
        shutil.rmtree(bundle)


def _measured(case: str, work: Callable[[], object], limit: int, before: int) -> Outcome:
    """Do it in this process, whose highest mark of memory is taken back first."""
    Path("/proc/self/clear_refs").write_text("5")
    began = time.monotonic()
    # rings as an error where Python code runs, and ends the process where only a library does
    signal.alarm(limit)
    try:
        work()
        ended = "works"
    except KallosError as error:
        ended = type(error).__name__
    signal.alarm(0)
    return Outcome(case, ended, time.monotonic() - began, _memory("VmHWM") - before, True)


def _memory(name: str, process: int | str = "self") -> int:
    """MiB of a process; none of one that has ended."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) >> 10 for line in lines if line.startswith(name))


def _tables(folder: Path, limit: int) -> Iterator[Outcome]:
    photos_folder, csv = folder / "photos", folder / "labels.csv"
    photos_folder.mkdir()
    for number in range(1000):
        image = Image.new("RGB", (8, 8), (number % 256, number // 256, 0))
        (photos_folder / f"{number}.png").write_bytes(photos.encoded(image, "PNG"))
    usual = 0
    for case, lines in {
        "csv of 1,000 ratings": (f"{row}.png,r1,{row % 5 + 1}\n" for row in range(1000)),
        "csv of 1,000,000 ratings": (f"{row % 1000}.png,r{row // 1000},{row % 5 + 1}\n" for row in range(1_000_000)),
        "csv of 1,000,000 photos, most not there": (f"{row}.png,r1,{row % 5 + 1}\n" for row in range(1_000_000)),
    }.items():
        csv.write_text("image,rater,score\n" + "".join(lines))
        outcome = _run(
            folder,
            limit,
            "ingest",
            "table",
            csv,
            "--images",
            photos_folder,
            "--scale",
            "1",
            "5",
            "--store",
            folder / "s.duckdb",
        )
        yield outcome._replace(case=case, mib=outcome.mib - usual)
        usual = usual or outcome.mib


def _full_disks(demo: Path, folder: Path, limit: int) -> Iterator[Outcome]:
    """Every command that writes, in a file system with next to no room left."""
    for writer in WRITERS:
        with _disk(folder / "disk") as disk:
            if disk is None:
                return
            shutil.copy(demo / "kallos.duckdb", disk)
            shutil.copytree(demo / "kallos.runs", disk / "kallos.runs")
            used = sum(file.stat().st_blocks * 512 for file in disk.rglob("*"))
            scores, files = _scores(disk), {path.name for path in disk.iterdir()}
            subprocess.run(["mount", "-o", f"remount,size={used // 1024 + 100}k", disk], check=True)
            outcome = _run(disk, limit, *writer)
            subprocess.run(["mount", "-o", "remount,size=2g", disk], check=True)
            leftover = {path.name for path in disk.iterdir()} - files - {"kallos.duckdb.wal"}
            # what erase took out of the tables before the disk was full is meant to be gone
            lost = scores - _scores(disk) > (writer[0] == "erase")
            yield outcome._replace(
                mib=0, lawful=outcome.lawful and not leftover and not lost, case=f"full disk, {writer[0]}"
            )


def _run(folder: Path, limit: int, *arguments: object) -> Outcome:
    """A command; its memory is the most that it had, without its workers."""
    began, most = time.monotonic(), 0
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "kallos", *map(str, arguments)]
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=err)
        while child.poll() is None:
            most = max(most, _memory("VmHWM", child.pid))
            time.sleep(0.02)
            if time.monotonic() - began > limit:
                child.kill()
        err.seek(0)
        is_lawful = child.returncode in {0, *range(2, 15)} and b"Traceback" not in err.read()
    seconds = time.monotonic() - began
    return Outcome(" ".join(map(str, arguments)), f"exit code {child.returncode}", seconds, most, is_lawful)


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
