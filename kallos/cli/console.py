"""The two consoles: tables for people on stdout, progress and messages on stderr."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import TaskProgressColumn as PercentColumn
from rich.segment import Segment
from rich.text import Text

from kallos.cli import loading
from kallos.cli.streams import plain as encodable
from kallos.cli.suggestions import complete
from kallos.workflows.progress import OnProgress

_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class SafeConsole(Console):
    """Prints names from files safely: no markup, control characters or changes of text direction.

    Commands within a text get the typed --store; characters that the stream lacks are replaced by plain ones.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        loading.end()
        if isinstance(renderable, Text):
            renderable = complete(renderable)
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(encodable(_UNPRINTABLE.sub("", text), self.encoding), style)

    def measure(self, renderable: RenderableType, *, options: ConsoleOptions | None = None) -> Measurement:
        """Includes the --store that rendering adds, so that columns are wide enough."""
        text = self.render_str(renderable) if isinstance(renderable, str) else renderable
        return super().measure(complete(text) if isinstance(text, Text) else text, options=options)

    def print_json(self, json: str) -> None:  # type: ignore[override]
        """Print JSON unchanged; characters that the stream lacks are escaped."""
        super().print_json(json, ensure_ascii=not self.encoding.startswith("utf"))

    def on_broken_pipe(self) -> None:
        """As for other output to a closed pipe: `main` ends the command."""
        raise


out = SafeConsole()
err = SafeConsole(stderr=True, highlight=False)


def note(message: str) -> None:
    """One line on stderr."""
    err.print(message, soft_wrap=True)


def show(name: str, report: Any, render: Callable[[Any], RenderableType], json: bool) -> None:
    """Print a report for people or, as JSON under its name, for programs."""
    from reports.render.json import to_json

    out.print_json(to_json(name, report)) if json else out.print(render(report))


def plain(text: str) -> None:
    """Print text for programs on stdout, unchanged."""
    loading.end()
    # typer would write UTF-8 where a stream is ASCII
    print(text, end="")


@contextmanager
def progress(*, visible: bool = True) -> Iterator[OnProgress]:
    """A bar with count, rate and time left, shown from the first update; yields the function that updates it."""
    columns = (
        SpinnerColumn("line"),  # it moves also where one step takes long
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        PercentColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=err, transient=True, redirect_stdout=False, disable=not visible)
    task = bar.add_task("", total=None, rate="")

    def advance(done: int, total: int, description: str) -> None:
        if visible and not bar.live.is_started:
            loading.end()  # the bar replaces stderr while it is shown
            bar.start()
        if description != bar.tasks[0].description:
            bar.reset(task, description=description)
        speed = bar.tasks[0].speed
        bar.update(task, completed=done, total=total, rate=f"{speed:,.1f}/s" if speed else "")

    try:
        yield advance
    finally:
        if bar.live.is_started:  # else it would end a line that it did not begin
            bar.stop()
