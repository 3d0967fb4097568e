"""SIGKILL at random moments: the store stays whole, and the same command finishes the work."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.faults.jobs import Job, command, damage, environment, kallos, reset

TITLE = "Killed with SIGKILL"
COLUMNS = ("command", "kills", "it takes, s", "killed after, s", "finished before", "damage")


def strike(job: Job, work: Path, kills: int) -> tuple[str, ...]:
    """Kill the command's process group until it was killed `kills` times; where a kill came too late, begin anew."""
    reset(job, work)
    takes = kallos(work, *job.arguments)
    wanted = job.result(work)
    moments, struck, finished, found = random.Random(7), list[float](), 0, list[str]()
    reset(job, work)
    is_new = True
    while len(struck) < kills:
        child = subprocess.Popen(
            command(job.arguments),
            cwd=work,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        began, moment = time.perf_counter(), moments.uniform(0.3, takes)
        try:
            child.wait(moment)
            finished += 1
            # on a machine with other work the first run may have been a slow one
            takes = min(takes, time.perf_counter() - began) if is_new else takes
        except subprocess.TimeoutExpired:
            struck.append(moment)
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        found += damage(job, work)
        is_new = child.returncode in job.over
        if is_new:
            found += [] if job.result(work) == wanted else ["another result"]
            reset(job, work)
    kallos(work, *job.arguments, over=job.over)
    found += [] if job.result(work) == wanted else ["another result in the end"]
    spread = f"{min(struck):.1f} to {max(struck):.1f}"
    return job.name, str(len(struck)), f"{takes:.1f}", spread, str(finished), "; ".join(sorted(set(found))) or "none"
