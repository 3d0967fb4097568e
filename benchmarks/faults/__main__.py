"""`make faults`: every command that writes, killed, stopped with Ctrl-C, and out of room, at many moments each.

After each the store must open and `kallos doctor --deep` must find nothing wrong. Typed again, the same command must
finish the work, and the store must then hold what it holds after a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.faults import full_disk, interrupts, kills
from benchmarks.faults.jobs import Job, jobs, prepare

PARTS = ("kills", "interrupts", "full-disk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30, help="of each command")
    parser.add_argument("--interrupts", type=int, default=5, help="of each command, in either way")
    parser.add_argument("--portraits", type=int, default=100)
    parser.add_argument("--part", choices=PARTS, action="append", help="one part, or several")
    parser.add_argument("--only", action="append", help="one command, or several")
    arguments = parser.parse_args()
    wanted = arguments.part or PARTS
    with tempfile.TemporaryDirectory(prefix="kallos-faults-") as scratch:
        folder = Path(scratch)
        prepare(folder, arguments.portraits)
        stopped = [job for job in jobs(folder, arguments.portraits) if job.name in (arguments.only or [job.name])]
        writing = [job for job in stopped if job.lasts is None]
        if "kills" in wanted:
            _table(kills.TITLE, kills.COLUMNS, writing, lambda job: kills.strike(job, folder / "work", arguments.kills))
        if "interrupts" in wanted:
            _table(
                interrupts.TITLE,
                interrupts.COLUMNS,
                stopped,
                lambda job: interrupts.stop(job, folder / "work", arguments.interrupts),
            )
        if "full-disk" in wanted:
            with full_disk.small_disk(folder / "disk") as disk:
                if disk is None:
                    raise SystemExit("A tmpfs cannot be mounted here: a full disk was not tried.")
                _table(full_disk.TITLE, full_disk.COLUMNS, writing, lambda job: full_disk.fill(job, disk / "work"))


def _table(
    title: str, columns: Sequence[str], disturbed: Sequence[Job], disturb: Callable[[Job], tuple[str, ...]]
) -> None:
    table = Table(*columns, title=title)
    for job in disturbed:
        found = disturb(job)
        table.add_row(*found)
        print(*found, sep=" | ", file=sys.stderr, flush=True)
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
