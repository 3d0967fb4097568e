"""The two consoles: tables for people on stdout, progress and remarks on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import TaskProgressColumn as PercentColumn

out = Console()
err = Console(stderr=True, highlight=False)


class Advance(Protocol):
    """Told (done, total) as work goes on, and what the work is when that changes."""

    def __call__(self, done: int, total: int, what: str = "") -> None: ...


def note(message: str) -> None:
    """One line on stderr."""
    err.print(message, soft_wrap=True)


@contextmanager
def progress(title: str, unit: str) -> Iterator[Advance]:
    """A bar with count, rate and time left; yields the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        PercentColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def advance(done: int, total: int, what: str = title) -> None:
            if what != bar.tasks[0].description:
                bar.reset(task, description=what)
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:.0f} {unit}/s" if elapsed > 0.5 else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield advance
