"""Every report by name. A new report is one module of `reports.pages`, and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from rich.console import RenderableType

    from featurestore.store import Store
    from reports.render.figures import Figure
    from reports.stats.selection import Selection

PAGES = (
    "overview",
    "dataset",
    "raters",
    "features",
    "training",
    "evaluation",
    "benchmark",
    "subscores",
    "compare",
    "lineage",
    "study",
    "shape",
)
"""Names of reports, which are those of their modules."""

WITH_TABLES = ("shape",)
"""Those whose modules have `write_tables(report, folder)`, which gives the paths that it wrote."""


class Page(Protocol):
    """What every report module has: data first, then their rendering."""

    def data(self, store: Store, selection: Selection) -> Any:
        """A frozen dataclass of plain values. Raises PrerequisiteError naming the command to run first."""

    def render(self, report: Any) -> RenderableType:
        """The report for a terminal and for HTML."""

    def figures(self, report: Any) -> list[Figure]:
        """The report's pictures for a paper."""


def report_page(name: str) -> Page:
    """The module of a report."""
    return cast(Page, import_module(f"{__package__}.pages.{name}"))
