"""`kallos check`: the results of the store's checks on each data set."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.checks.contract import Finding
from featurestore.checks.registry import Verdict, run
from featurestore.store import Store
from reports.render.layout import PlainTable, dim, page, plain_table, plural
from reports.render.palette import BAD, GOOD, WARM
from reports.stats.selection import Selection, chosen_data_sets

NAME = "checks"
MARKS = {"ok": ("✓", GOOD), "warn": ("!", WARM), "fail": ("✗", BAD), "not run": ("–", "dim")}


@dataclass(frozen=True)
class CheckedDataSet:
    """One data set and a verdict a check."""

    name: str
    images: int
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class CheckReport:
    """`failed` and `warned` name the checks, `data_sets` holds the rest."""

    failed: tuple[str, ...]
    warned: tuple[str, ...]
    data_sets: tuple[CheckedDataSet, ...]


def data(store: Store, selection: Selection) -> CheckReport:
    """Run every check. Raises PrerequisiteError when the store is empty, UsageError for an unknown data set."""
    images = "SELECT count(*) FROM images WHERE data_set = $name"
    checked = tuple(
        CheckedDataSet(name, store.value(images, name=name), run(store, name))
        for name in chosen_data_sets(store, selection)
    )
    failed, warned = (
        tuple(dict.fromkeys(v.check for data_set in checked for v in data_set.verdicts if v.outcome == outcome))
        for outcome in ("fail", "warn")
    )
    return CheckReport(failed, warned, checked)


def render(report: CheckReport) -> RenderableType:
    return Group(*(_page(data_set) for data_set in report.data_sets))


def _page(data_set: CheckedDataSet) -> RenderableType:
    outcomes = [verdict.outcome for verdict in data_set.verdicts]
    words = {"fail": "failed", "warn": "warned", "ok": "passed", "not run": "not run"}
    counts = ", ".join(f"{outcomes.count(key)} {word}" for key, word in words.items() if key in outcomes)
    images = plural(data_set.images, "image")
    return page(f"Checks of {data_set.name}", f"{images}: {counts}", _verdicts(data_set.verdicts))


def _verdicts(verdicts: tuple[Verdict, ...]) -> PlainTable:
    table = plain_table("check", "found", "images", "gravest finding", text=(0, 3))
    for verdict in verdicts:
        mark, colour = MARKS[verdict.outcome]
        name = Text.assemble((f"{mark} ", colour), verdict.check.replace("_", " "))
        gravest = next(iter(verdict.findings), None)
        if gravest is None or gravest.severity == "info":
            remark = _measured(gravest) if gravest else verdict.reason or verdict.about
            count = dim("–" if verdict.outcome == "not run" else "0")
            table.add_row(name, count, count, dim(remark))
        else:
            detail = f" ({gravest.detail})" if gravest.detail else ""
            line = Text.assemble((_measured(gravest), colour), (detail, "dim"), f"\n→ {gravest.remedy}")
            table.add_row(name, f"{len(verdict.findings):,}", f"{gravest.images:,}", line)
    return table


def _measured(finding: Finding) -> str:
    return f"{finding.subject}: {finding.measure} {finding.value:.3g}, limit {finding.limit:.3g}"
