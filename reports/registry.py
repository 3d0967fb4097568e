"""Every report by name. A new report is one module and one line here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from rich.console import RenderableType

from featurestore.store import Store
from reports.pages import benchmark, compare, dataset, evaluation, features, lineage, overview, subscores, training
from reports.stats.selection import Selection


class Report(Protocol):
    """What every report module has: data first, then its two renderers."""

    NAME: str

    def data(self, store: Store, selection: Selection) -> Any:
        """A frozen dataclass of plain values. Raises OrderError naming the command to run first."""

    def render(self, report: Any) -> RenderableType:
        """The report for a terminal."""

    def figures(self, report: Any, folder: Path, suffix: str) -> list[Path]:
        """Write the report's figures into the folder, made if need be; returns their paths."""


REPORTS: dict[str, Report] = {
    module.NAME: module
    for module in (overview, dataset, features, training, evaluation, benchmark, subscores, compare, lineage)
}
