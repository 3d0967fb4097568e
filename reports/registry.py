"""Every report by name. A new report is one module of `reports.pages`, and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from featurestore.store import Store
    from reports.stats.selection import Selection

PAGES = (
    "overview",
    "dataset",
    "features",
    "training",
    "evaluation",
    "benchmark",
    "subscores",
    "compare",
    "lineage",
)
"""Names of reports, which are those of their modules."""


class Page(Protocol):
    """What every report module has: data first, then its two renderers."""

    def data(self, store: Store, selection: Selection) -> Any:
        """A frozen dataclass of plain values. Raises OrderError naming the command to run first."""

    def render(self, report: Any) -> RenderableType:
        """The report for a terminal."""

    def figures(self, report: Any, folder: Path, suffix: str) -> list[Path]:
        """Write the report's figures into the folder, made if need be; returns their paths."""


def report_page(name: str) -> Page:
    """The module of a report."""
    return cast(Page, import_module(f"reports.pages.{name}"))
