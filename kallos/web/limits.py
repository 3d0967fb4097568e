"""How much the page and the API take; how many bytes a photo may have is `extractors.decode.MAX_BYTES`."""

import threading
import time
from collections import deque

from featurestore.errors import UsageError

MAX_PHOTOS = 200
"""Maximum number of photos in one batch."""

PER_MINUTE = 120
"""Maximum number of photos per minute from one address."""


class RateLimit:
    """Counts the photos of each address over the last minute."""

    def __init__(self) -> None:
        self._admitted, self._lock = deque[tuple[float, str]](), threading.Lock()

    def admit(self, address: str) -> None:
        """Count a photo of an address. Raises UsageError for more than PER_MINUTE within a minute."""
        with self._lock:
            now = time.monotonic()
            while self._admitted and now - self._admitted[0][0] > 60:
                self._admitted.popleft()
            if sum(visitor == address for _, visitor in self._admitted) >= PER_MINUTE:
                raise UsageError(f"More than {PER_MINUTE} photos a minute from one address: try again in a minute.")
            self._admitted.append((now, address))
