"""`make bench-first`: how long a terminal stays empty after a command was typed, and when the first own words come.

On the bundle and portraits of the demo and a copy of its store. A command is killed as soon as it has said something.
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from kallos.cli.loading import LINE

TIMES = 5
LONGEST = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"))
    demo = parser.parse_args().demo.resolve()
    with TemporaryDirectory() as folder:
        store = Path(folder) / "kallos.duckdb"
        shutil.copy(demo / store.name, store)
        store.with_suffix(".runs").symlink_to(demo / "kallos.runs")
        Console(highlight=False).print(_measured(demo, store))


def _measured(demo: Path, store: Path) -> Table:
    portrait, bundle = demo / "portraits/images/P0001.jpg", ("--bundle", demo / "bundle")
    commands = [
        ("--help",),
        ("--version",),
        ("sql", "SELECT 1"),
        ("report",),
        ("features", "jaw_width"),
        ("extract",),
        ("train", "baseline"),
        ("benchmark", "--protocol", "demo-5fold", "--members", "baseline"),
        ("score", portrait, *bundle),
        ("explain", portrait, *bundle),
        ("export", store.with_name("bundle")),
        ("serve", *bundle, "--port", 7999),
    ]
    table = Table("", "first byte", "first words", title=f"seconds, median of {TIMES}")
    for command in commands:
        seconds = [_measure([str(word) for word in command], store) for _ in range(TIMES)]
        words = " ".join(str(word).replace(f"{demo}/", "").replace(f"{store.parent}/", "") for word in command)
        table.add_row(f"kallos {words}", *(f"{median(each):.2f}" for each in zip(*seconds, strict=True)))
    return table


def _measure(arguments: list[str], store: Path) -> tuple[float, float]:
    """Seconds to the first byte on the terminal, and to the first beyond the line that says that kallos loads."""
    ours, theirs = pty.openpty()
    began, first, output = time.perf_counter(), 0.0, b""
    with subprocess.Popen(
        [sys.executable, "-m", "kallos", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"KALLOS_STORE": str(store)},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        while not output.replace(LINE.encode(), b"").strip():
            if not select.select([ours], [], [], LONGEST)[0]:
                raise TimeoutError(f"{' '.join(arguments)} has said nothing for {LONGEST:g} s")
            output += os.read(ours, 4096)
            first = first or time.perf_counter() - began
        words = time.perf_counter() - began
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    os.close(ours)
    return first, words


if __name__ == "__main__":
    main()
