"""Seconds of many repeats as tables: for people in the terminal, for docs/lab/benchmarks.md, and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from rich.table import Table

OPERATIONS = (
    "write all",
    "open",
    "training set",
    "training set, again",
    "add one image",
    "add one feature",
    "nearest neighbours",
)
FLOOR = "Parquet + Polars"
NOTHING = 0.0005
"""Seconds below which an operation counts as nothing done."""

PEERS = ("LanceDB", "Feast", "Pixeltable")


@dataclass
class Measured:
    """What one system took.

    seconds     operation -> every repeat's seconds
    recall      share of the true nearest neighbours found, None when it did not come to searching
    failed      why something is missing, None when nothing is
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    recall: float | None = None
    failed: str | None = None

    def seconds_of(self, operation: str) -> float:
        """The median of all repeats. Raises KeyError when the operation was not reached."""
        return median(self.seconds[operation])


@dataclass(frozen=True)
class Grid:
    """A table of text: one row an operation, one column a system."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        table = Table(*self.head, title=self.title, title_justify="left", title_style="bold")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.head, ("---", *["---:"] * (len(self.head) - 1)), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def grids(features: int, systems: dict[str, Measured]) -> list[Grid]:
    """Seconds, ratios to the floor and to bare DuckDB, and kallos beside what it is judged by."""
    width = f"5,500 faces x ({features:,} features + 576-float embedding)"
    tables = [
        _grid(f"{width}: seconds, median (least)", systems, lambda name, op: _seconds(systems[name], op)),
        _grid(f"{width}: times the floor", systems, lambda name, op: _ratio(systems[name], systems[FLOOR], op)),
        _grid(f"{width}: times bare DuckDB", systems, lambda name, op: _ratio(systems[name], systems["DuckDB"], op)),
    ]
    return [*tables, _kallos(f"{width}: kallos", systems)] if "kallos" in systems else tables


def remarks(systems: dict[str, Measured]) -> list[str]:
    """What the cells cannot say: failures, approximate answers, work before the first search."""
    lines = [f"{name} failed: {measured.failed}" for name, measured in systems.items() if measured.failed]
    for name, measured in systems.items():
        if measured.recall is not None and measured.recall < 1:
            lines.append(f"{name} found {measured.recall:.0%} of the true ten nearest: its search is approximate.")
        before = measured.seconds_of("prepare search") if "prepare search" in measured.seconds else 0.0
        if before > NOTHING:
            lines.append(f"{name} needs {before:.1f} s before its first search, which the table does not count.")
    return lines


def _grid(title: str, systems: dict[str, Measured], cell: Callable[[str, str], str]) -> Grid:
    rows = tuple((operation, *(cell(name, operation) for name in systems)) for operation in OPERATIONS)
    return Grid(title, ("", *systems), rows)


def _kallos(title: str, systems: dict[str, Measured]) -> Grid:
    """Each operation beside the best peer, Feast and bare DuckDB."""
    rows = []
    for operation in OPERATIONS:
        able = [name for name in PEERS if name in systems and operation in systems[name].seconds]
        best = min(able, key=lambda name: systems[name].seconds_of(operation), default=None)
        others = [systems.get(name, Measured()) for name in (best or "", "Feast", "DuckDB")]
        rows.append((operation, best or "-", *(_ratio(systems["kallos"], other, operation) for other in others)))
    return Grid(title, ("", "best peer", "times the best peer", "times Feast", "times bare DuckDB"), tuple(rows))


def _seconds(measured: Measured, operation: str) -> str:
    if operation not in measured.seconds:
        return "-"
    return f"{measured.seconds_of(operation):.3f} ({min(measured.seconds[operation]):.3f})"


def _ratio(measured: Measured, reference: Measured, operation: str) -> str:
    # the floor has nothing to open: times that are only a method call give no ratio
    if not (operation in measured.seconds and operation in reference.seconds):
        return "-"
    seconds = reference.seconds_of(operation)
    return f"{measured.seconds_of(operation) / seconds:.2f}" if seconds > NOTHING else "-"
