"""The server's process, from its start to its end."""

import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

from kallos.web.api import application
from kallos.web.limits import MAX_CONNECTIONS
from kallos.web.service import Service

GRACE = 30
"""Seconds that requests have to end when the server is told to: as long as a full line takes, and some more."""


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # what is cut off from here on, by a second Ctrl-C or after GRACE seconds, is no bug and needs no traceback
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


def run(service: Service, listening: socket.socket, name: str | None = None) -> None:
    """Answer until Ctrl-C or SIGTERM; requests that have arrived are answered first. As `application`."""
    # left alone, the signal would end the process before its temporary files are deleted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # no access log: it would hold the names of uploaded files
    config = uvicorn.Config(
        application(service, name),
        log_level="warning",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    _Server(config).run([listening])
