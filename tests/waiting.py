"""Waiting for another process, with a limit."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx

LIMIT = 180.0
"""Seconds, for machines that are busy."""


def wait_until(ready: Callable[[], Any], process: subprocess.Popen[Any], pause: float = 0.1) -> None:
    """Wait until something is so. Fails when the process ends before that, and ends it after LIMIT seconds."""
    end = time.monotonic() + LIMIT
    while not ready():
        assert process.poll() is None, f"the process has ended with {process.returncode}"
        if time.monotonic() > end:
            process.kill()
            process.wait()
            raise AssertionError(f"not ready within {LIMIT:.0f} s")
        time.sleep(pause)


def wait_for_server(address: str, process: subprocess.Popen[Any], pause: float = 0.1) -> None:
    """Wait until a server answers at an address. Fails as `wait_until`."""

    # reading the certificates anew for each question would take the server's time
    with httpx.Client(verify=False) as client:

        def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.get(address).status_code == 200
            return False

        wait_until(answers, process, pause)
