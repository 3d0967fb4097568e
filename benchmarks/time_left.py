"""`make bench-demo`: the seconds of the demo, step by step, and how right the time left of its bars is."""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

SHORTEST = 10.0
"""Seconds: bars that go sooner are not judged."""

SETTLED = 0.1
"""Share of a bar's time in which it may still learn how fast the work goes."""

BAR = re.compile(r"([a-z][\w -]+?) +[━╸╺]+ +\d+% +\d+/\d+ .*?(\d+):(\d\d):(\d\d)")
STEP = re.compile(r"\$ kallos (\w+(?: (?:demo|all|\w+)\b)?)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=800, help="portraits")
    count = parser.parse_args().count
    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        lines = list(_lines(["demo", str(Path(folder) / "demo"), "--count", str(count)]))
    ended = time.perf_counter()
    console = Console(highlight=False)
    steps = [(at, found[1]) for at, line in lines if (found := STEP.search(line))]
    table = Table("step", "seconds", title=f"kallos demo --count {count}: {ended - began:.0f} s")
    for (start, name), (end, _) in pairwise([*steps, (ended, "")]):
        table.add_row(name, f"{end - start:.1f}")
    console.print(table)
    table = Table("bar", "seconds", "shown", "within a third", "lowest", "highest", title="time left, of the truth")
    for name, shown, ratios in _judged(lines):
        within = sum(2 / 3 <= ratio <= 4 / 3 for ratio in ratios) / len(ratios)
        table.add_row(
            name, f"{shown:.0f}", f"{len(ratios)}", f"{within:.0%}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"
        )
    console.print(table)


def _judged(lines: list[tuple[float, str]]) -> Iterator[tuple[str, float, list[float]]]:
    """Of each bar: its name, its seconds, and what it showed as time left in shares of what was left."""
    seen = [
        (found[1], at, 3600 * int(found[2]) + 60 * int(found[3]) + int(found[4]))
        for at, line in lines
        for found in BAR.finditer(line)
    ]
    for name, shown in groupby(seen, itemgetter(0)):
        estimates = [(at, left) for _, at, left in shown]
        start, end = estimates[0][0], estimates[-1][0]
        # the last seconds are shown as whole ones
        settled = [(at, left) for at, left in estimates if at - start > SETTLED * (end - start) and end - at > 3]
        if end - start > SHORTEST and settled:
            yield name, end - start, [left / (end - at) for at, left in settled]


def _lines(arguments: list[str]) -> Iterator[tuple[float, str]]:
    """What the command writes on a terminal of 140 columns, as it comes, each piece with its time."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "140", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "kallos", *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=environment
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 1 << 16):
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece.decode(errors="replace"))
                for line in re.split(r"[\r\n]+", text):
                    yield time.perf_counter(), line
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"kallos {' '.join(arguments)} ended with {process.returncode}")


if __name__ == "__main__":
    main()
