"""A line on the terminal while a command loads what it needs; it goes when there is something else to show."""

from __future__ import annotations

import sys
from threading import Event
from typing import Any

from typer.core import TyperCommand

LINE = "Loading ..."
_shown = Event()


class LoadingCommand(TyperCommand):
    """A command whose body imports heavy libraries: before it runs, a terminal shows that it has begun."""

    def invoke(self, ctx: Any) -> Any:
        begin()
        return super().invoke(ctx)


def begin() -> None:
    """Show the line, on a terminal only."""
    if sys.stderr.isatty():
        print(LINE, end="", file=sys.stderr, flush=True)
        _shown.set()


def end() -> None:
    """Take the line away, if it is there."""
    if _shown.is_set():
        _shown.clear()
        # blanks, as not every terminal knows how to erase a line
        print(f"\r{' ' * len(LINE)}\r", end="", file=sys.stderr, flush=True)
