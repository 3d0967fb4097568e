"""How much the page and the API take; how many bytes a photo may have is `extractors.decode.MAX_BYTES`."""

import threading
import time
from collections import deque

from extractors.decode import MAX_BYTES
from featurestore.errors import UsageError

MAX_PHOTOS = 64
"""Photos of one request."""

MAX_BODY = 4 * MAX_BYTES
"""Bytes of one request."""

MAX_WAITING = 128
"""Photos that wait for the models: with them a request waits for some twenty seconds."""

MAX_CONNECTIONS = 512

PER_MINUTE = 120
"""Photos per minute from one address."""


class RefusedError(UsageError):
    """A request that may be repeated later: `status` is that of HTTP, `seconds` how long to wait."""

    def __init__(self, message: str, status: int, seconds: int) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


class RateLimit:
    """Counts the photos of each address over the last minute."""

    def __init__(self) -> None:
        self._admitted, self._lock = deque[tuple[float, str]](), threading.Lock()

    def admit(self, address: str, photos: int = 1) -> None:
        """Count photos of an address. Raises RefusedError, with none counted, for more than PER_MINUTE."""
        with self._lock:
            now = time.monotonic()
            while self._admitted and now - self._admitted[0][0] > 60:
                self._admitted.popleft()
            own = [moment for moment, visitor in self._admitted if visitor == address]
            if (excess := len(own) + photos - PER_MINUTE) > 0:
                seconds = int(61 - (now - own[min(excess, len(own)) - 1]))
                raise RefusedError(
                    f"More than {PER_MINUTE} photos a minute from one address: try again in {seconds} s.", 429, seconds
                )
            self._admitted.extend([(now, address)] * photos)
