"""`kallos ingest`: how it reads a table, what it stored, and the problems that it found."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.enough_rows import FEWEST_PHOTOS
from featurestore.folders import beside_line
from featurestore.ingest.dataset import IngestSummary
from featurestore.ingest.table import TableReading
from reports.render.layout import dim, page, plain_table, plural, section
from reports.render.palette import GOOD, WARM

OFFENDERS = 3


@dataclass(frozen=True)
class FindingCount:
    """One kind of problem; `first` holds subject and detail of the first offenders."""

    kind: str
    count: int
    first: tuple[tuple[str, str], ...]


def render_reading(reading: TableReading) -> RenderableType:
    """How a table was read, and the first ratings as they were parsed."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, text in reading.facts:
        grid.add_row(what, text)
    rows = (
        ["–" if cell is None else f"{cell:g}" if isinstance(cell, float) else cell for cell in row]
        for row in reading.first_rows.iter_rows()
    )
    return page(
        f"How {reading.data_set.name} is read",
        "nothing is stored: --dry-run" if reading.dry_run else "and then stored",
        grid,
        section("First answers", plain_table(*reading.first_rows.columns, rows=rows)),
    )


def render(summary: IngestSummary, following: str) -> RenderableType:
    facts = [
        f"{plural(summary.images, 'image')}, {plural(summary.scored, 'mean score')}",
        f"{plural(summary.ratings, 'single rating')} by {plural(summary.raters, 'rater')}" if summary.ratings else "",
        f"{plural(summary.landmarks, 'image')} with published landmarks" if summary.landmarks else "",
        f"subsets: {_listed(summary.subsets)}" if summary.subsets else "",
        "protocols: " + ", ".join(f"{name} ({plural(n, 'fold')})" for name, n in summary.folds.items())
        if summary.folds
        else "no protocol",
        f"{plural(summary.scored, 'photo')} with a score {'is' if summary.scored == 1 else 'are'} too few to train on: "
        f"{FEWEST_PHOTOS} would be enough"
        if 0 < summary.scored < FEWEST_PHOTOS
        else "",
        beside_line(summary.beside),
    ]
    changed = {table: rows for table, rows in summary.changed.items() if rows}
    findings = counted(summary.findings)
    return page(
        f"Ingested {summary.data_set}",
        f"rows added or removed: {_listed(changed)}" if changed else "nothing was new",
        Text("\n".join(fact for fact in facts if fact)),
        section("Findings", findings_table(findings)) if findings else Text("Nothing wrong was found.", style=GOOD),
        dim(f"Next: {following}."),
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def counted(findings: pl.DataFrame) -> tuple[FindingCount, ...]:
    """Rows of the table `findings` by kind, the most frequent first."""
    counts = []
    for (kind,), group in findings.sort("subject").group_by("kind", maintain_order=True):
        first = group.select("subject", "detail").head(OFFENDERS).rows()
        counts.append(FindingCount(str(kind), len(group), tuple(first)))
    return tuple(sorted(counts, key=lambda finding: (-finding.count, finding.kind)))


def findings_table(findings: tuple[FindingCount, ...]) -> Table:
    table = plain_table("found", "count", "subject", "what is wrong", text=(0, 2, 3))
    for finding in findings:
        head = (Text(finding.kind, style=WARM), f"{finding.count:,}")
        for subject, detail in finding.first:
            table.add_row(*head, subject, detail)
            head = (Text(""), "")
        if finding.count > len(finding.first):
            table.add_row("", "", f"… {finding.count - len(finding.first):,} more", "", style="dim")
    return table
