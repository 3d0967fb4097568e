"""Reports: their data, and every format for people and programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from featurestore.errors import UsageError
from kallos.workflows.stores import open_for_reading
from reports.registry import PAGES, WITH_TABLES, report_page
from reports.render.figures import write
from reports.render.html import write_html
from reports.render.json import to_json
from reports.stats.selection import Selection


@dataclass(frozen=True)
class Report:
    """One report.

    data     a frozen dataclass of plain values
    queries  the SQL behind it
    """

    name: str
    data: Any
    queries: tuple[str, ...]

    def render(self) -> RenderableType:
        """For a terminal, with rich."""
        return report_page(self.name).render(self.data)

    def json(self) -> str:
        """For programs, with a versioned schema."""
        return to_json(self.name, self.data)

    def write_html(self, file: str | Path) -> None:
        """One self-contained HTML file. Raises UsageError when it cannot be written."""
        write_html(Path(file), f"report {self.name}", self.render(), self.queries)

    def write_figures(self, folder: str | Path, suffix: str = "png") -> list[Path]:
        """Its figures as files, png or svg."""
        figures = report_page(self.name).figures(self.data)
        return [write(figure, Path(folder) / f"{figure.name}.{suffix}") for figure in figures]

    def write_tables(self, folder: str | Path) -> list[Path]:
        """The rows behind it, for R and other programs. Raises UsageError for a report that writes none."""
        if self.name not in WITH_TABLES:
            raise UsageError(f"This report writes no tables: those of {', '.join(WITH_TABLES)} do.")
        return list(report_page(self.name).write_tables(self.data, Path(folder)))  # type: ignore[attr-defined]


def report(
    name: str,
    store: str | Path,
    *,
    data_set: str | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    runs: tuple[str, ...] = (),
    image: str | None = None,
    trait: str | None = None,
    photos: bool = False,
) -> Report:
    """The report of that name for the selection; by default the newest data.

    Raises UsageError for names that do not exist, and PrerequisiteError naming the command to run first.
    """
    if name not in PAGES:
        raise UsageError(f"There is no report {name!r}: choose from {', '.join(PAGES)}.")
    selection = Selection(
        data_set=data_set, protocol=protocol, fold=fold, runs=runs, image=image, trait=trait, photos=photos
    )
    with open_for_reading(Path(store)) as opened, opened.record_queries() as queries:
        data = report_page(name).data(opened, selection)
    return Report(name, data, tuple(queries))
