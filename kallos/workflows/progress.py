"""How workflows tell whoever called them how far they are; remarks go to `logging`."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int, str], None]
"""Told how many of how many are done, and what is being done."""


def ignore(done: int, total: int, what: str) -> None:
    """For callers that do not watch."""
