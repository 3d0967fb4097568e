"""Waiting for another process, never for ever."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator


def while_running(process: subprocess.Popen, *, seconds: float = 120, every: float = 0.1) -> Iterator[None]:
    """Turns, one after another, while a process runs; the caller breaks off when it sees what it waits for.

    Raises TimeoutError, with the process killed, when that takes too long.
    """
    limit = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > limit:
            process.kill()
            raise TimeoutError(f"nothing came of {process.args} within {seconds:.0f} s")
        yield
        time.sleep(every)
