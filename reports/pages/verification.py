"""`kallos verify`: what was pinned beside what was derived again."""

from rich.console import RenderableType
from rich.text import Text

from featurestore.verification import Verification
from reports.render.layout import page, plain_table
from reports.render.palette import GOOD, WARM

LONGEST = 12


def render(report: Verification) -> RenderableType:
    verdict = "holds: the training set is what it was" if report.holds else "does not hold"
    table = plain_table("", "compared", "pinned", "found", text=(0, 1, 2, 3))
    for comparison in report.compared:
        mark = Text("✓", style=GOOD) if comparison.holds else Text("✗", style=WARM)
        # the first digits of a hash are enough to distinguish it; a sentence is shown whole
        shown = [text if " " in text else text[:LONGEST] for text in (comparison.pinned, comparison.found)]
        table.add_row(mark, comparison.what, *shown)
    return page(f"Run {report.run_id}", f"manifest {report.manifest_id} {verdict}", table)
