"""A disk that is full in the middle of every command that writes: a small tmpfs with ever more room.

The command must say so in one sentence and leave the store whole, and must finish once there is room. Mounting needs
the right to mount: without it this part is left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.jobs import Job, command, damage, environment, kallos, reset

TITLE = "A full disk"
COLUMNS = ("command", "times full", "room, KiB", "damage")
SIZE = 2 * 2**30
ROOMS = [4**power for power in range(6, 15)]
"""Bytes that are left free, one after the other, until they are enough."""


def fill(job: Job, work: Path) -> tuple[str, ...]:
    """Run the command with ever more room, after each failure once more with enough of it."""
    reset(job, work)
    kallos(work, *job.arguments)
    wanted, found, full = job.result(work), list[str](), list[int]()
    for room in ROOMS:
        reset(job, work)
        with leave(room, work.parent):
            run = subprocess.run(command(job.arguments), cwd=work, env=environment(), capture_output=True, text=True)
        if run.returncode == 0:
            break
        full.append(room)
        found += _wrong_ending(run.returncode, run.stderr)
        found += damage(job, work)
        kallos(work, *job.arguments, over=job.over)
        found += [] if job.result(work) == wanted else ["another result in the end"]
    spread = f"{full[0] // 1024:,} to {full[-1] // 1024:,}" if full else "-"
    return job.name, str(len(full)), spread, "; ".join(sorted(set(found))) or "none"


@contextlib.contextmanager
def leave(room: int, disk: Path) -> Iterator[None]:
    """Fill a disk but for so many bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - room)
    yield
    ballast.unlink()


def _wrong_ending(code: int, stderr: str) -> list[str]:
    last = stderr.strip().splitlines()[-1] if stderr.strip() else ""
    if code == 15 and "Traceback" not in stderr and last.startswith("kallos: A disk is full: make room"):
        return []
    return [f"code {code}, said {stderr[-600:]!r}"]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A tmpfs on a new folder; None where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "kallos-faults", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
