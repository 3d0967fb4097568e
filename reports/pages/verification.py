"""`kallos verify`: what was pinned beside what was derived again."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from featurestore.verification import Verification
from reports.render.layout import page, table
from reports.render.palette import GOOD, WARM

LONGEST = 12


def render(report: Verification) -> RenderableType:
    """A line for each thing that was compared."""
    said = "holds: the training set is what it was" if report.holds else "does not hold"
    return page(f"Run {report.run_id}", f"manifest {report.manifest_id} {said}", _compared(report))


def _compared(report: Verification) -> Table:
    made = table("", "compared", "pinned", "found")
    for column in made.columns[1:]:
        column.justify, column.no_wrap = "left", False
    for each in report.compared:
        mark = Text("✓", style=GOOD) if each.holds else Text("✗", style=WARM)
        # a hash is told from another by its first digits; a sentence is shown whole
        shown = [text if " " in text else text[:LONGEST] for text in (each.pinned, each.found)]
        made.add_row(mark, each.what, *shown)
    return made
