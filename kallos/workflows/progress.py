"""How workflows report progress to their caller; messages go to `logging`."""

from collections.abc import Callable

OnProgress = Callable[[int, int, str], None]
"""Called with the number done, the total, and a description of the work."""


def ignore(done: int, total: int, description: str) -> None:
    """For callers that need no progress."""
