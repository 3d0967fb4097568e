"""Problems found in a data set at ingest: counts and the first offenders."""

from dataclasses import dataclass

import polars as pl
from rich.table import Table
from rich.text import Text

from reports.render.layout import plain_table
from reports.render.palette import WARM

OFFENDERS = 3


@dataclass(frozen=True)
class FindingCount:
    """One kind of problem; `first` holds subject and detail of the first offenders."""

    kind: str
    count: int
    first: tuple[tuple[str, str], ...]


def counted(findings: pl.DataFrame) -> tuple[FindingCount, ...]:
    """Rows of the table `findings` by kind, the most frequent first."""
    counts = []
    for (kind,), group in findings.sort("subject").group_by("kind", maintain_order=True):
        first = group.select("subject", "detail").head(OFFENDERS).rows()
        counts.append(FindingCount(str(kind), len(group), tuple(first)))
    return tuple(sorted(counts, key=lambda finding: (-finding.count, finding.kind)))


def findings_table(findings: tuple[FindingCount, ...]) -> Table:
    """One line per offender, the rest of its kind as a count."""
    table = plain_table("found", "count", "subject", "what is wrong", text=(0, 2, 3))
    for finding in findings:
        head = (Text(finding.kind, style=WARM), f"{finding.count:,}")
        for subject, detail in finding.first:
            table.add_row(*head, subject, detail)
            head = (Text(""), "")
        if finding.count > len(finding.first):
            table.add_row("", "", f"… {finding.count - len(finding.first):,} more", "", style="dim")
    return table
