"""`kallos doctor`: the state of this installation, machine and store."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from featurestore.upkeep.health import Symptom
from reports.pages.checks import MARKS
from reports.render.layout import PlainTable, page, plain_table, section


@dataclass(frozen=True)
class DoctorReport:
    """Symptoms by part: installation, machine, weights, store."""

    parts: Mapping[str, tuple[Symptom, ...]]

    @property
    def failed(self) -> tuple[str, ...]:
        """What is not well."""
        return tuple(s.what for symptoms in self.parts.values() for s in symptoms if s.state == "fail")


def render(report: DoctorReport) -> RenderableType:
    verdict = f"not well: {', '.join(report.failed)}" if report.failed else "all is well"
    return page("Doctor", verdict, *(section(name, _symptoms(symptoms)) for name, symptoms in report.parts.items()))


def _symptoms(symptoms: tuple[Symptom, ...]) -> PlainTable:
    table = plain_table("", "", "", text=(0, 1, 2))
    table.show_header = False
    for symptom in symptoms:
        mark, colour = MARKS[symptom.state]
        message = Text(symptom.message, style="" if symptom.state == "ok" else colour)
        table.add_row(Text(mark, style=colour), symptom.what, message)
    return table
