"""A line on the terminal while a command loads libraries; it is erased before other output."""

import sys
from threading import Event

LINE = "Loading ..."
_shown = Event()


def begin() -> None:
    """Show the line, on a terminal only."""
    if sys.stderr.isatty():
        print(LINE, end="", file=sys.stderr, flush=True)
        _shown.set()


def end() -> None:
    """Erase the line, if it is shown."""
    if _shown.is_set():
        _shown.clear()
        # blanks, as not every terminal can erase a line
        print(f"\r{' ' * len(LINE)}\r", end="", file=sys.stderr, flush=True)
