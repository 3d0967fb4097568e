"""Ctrl-C at random moments, sent to all processes of a command as a terminal does, and to the first one alone.

It must end with code 130 and one sentence, leave no process behind, keep what was done, and go on when typed again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import uuid
from pathlib import Path

from benchmarks.faults.jobs import Job, command, damage, environment, kallos, reset

TITLE = "Stopped with Ctrl-C"
COLUMNS = ("command", "to all", "to the first", "ends within, s", "finished before", "damage")
MARK = "KALLOS_FAULTS"
PATIENCE_SECONDS = 60.0
STOPPED = "kallos: stopped; run the same command again to go on.\n"


def stop(job: Job, work: Path, times: int) -> tuple[str, ...]:
    """Stop the command `times` times in either way."""
    reset(job, work)
    takes = job.lasts or kallos(work, *job.arguments)
    wanted = None if job.lasts else job.result(work)
    moments, slowest, finished, found = random.Random(11), 0.0, 0, list[str]()
    reset(job, work)
    ways = [os.killpg] * times + [os.kill] * times
    while ways:
        mark = uuid.uuid4().hex
        child = subprocess.Popen(
            command(job.arguments),
            cwd=work,
            env=environment() | {MARK: mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # a shell's background commands ignore Ctrl-C, and so would what they start
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        time.sleep(moments.uniform(0.3, takes))
        began = time.perf_counter()
        if child.poll() is None:
            ways[0](child.pid, signal.SIGINT)
        found += _wrong_ending(job, child, mark)
        slowest = max(slowest, time.perf_counter() - began)
        found += damage(job, work)
        if child.returncode in job.over:
            finished += 1
            # on a machine with other work the first run may have been a slow one
            takes = max(0.9 * takes, 1.0)
            reset(job, work)
        else:
            ways.pop(0)
    if not job.lasts:
        kallos(work, *job.arguments, over=job.over)
        found += [] if job.result(work) == wanted else ["another result in the end"]
    return job.name, str(times), str(times), f"{slowest:.1f}", str(finished), "; ".join(sorted(set(found))) or "none"


def _wrong_ending(job: Job, child: subprocess.Popen[str], mark: str) -> list[str]:
    """What was wrong with how a stopped command ended."""
    try:
        _, stderr = child.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return ["does not end"]
    found = [f"left process {name!r}" for name in left(mark)]
    if child.returncode in job.over:
        return found
    if child.returncode == -signal.SIGINT:
        # Python itself, before it had imported the command line; a shell calls that 130 as well
        return found
    if child.returncode != 130 or not stderr.endswith(STOPPED) or "Traceback" in stderr:
        found.append(f"exit code {child.returncode}, said {stderr[-400:]!r}")
    return found


def left(mark: str) -> list[str]:
    """What the processes are called that carry the mark of a command that has ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:60])
        except OSError:
            # ended meanwhile, or another user's
            continue
    return found
