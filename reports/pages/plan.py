"""`kallos plan`: what is fresh, what is not and why, and how long `kallos extract` would take."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.planning import PlanLine
from reports.render.layout import PlainTable, dim, duration, page, plain_table, plural, section
from reports.render.palette import WARM


@dataclass(frozen=True)
class PlanReport:
    """The plan.

    images        images of the store
    photos        different photos among them, known by their bytes; figures of `lines` count these
    absent        folders of data sets that are not there, where photos remain to be processed
    unreadable    images whose file could not be read at ingest
    seconds       wall time that `kallos extract` would take; at least, where some extractor has no time
                  recorded yet, and None where none has
    normalized    protocol -> (folds whose normalised features are fresh, folds)
    """

    images: int
    photos: int
    unreadable: int
    absent: tuple[str, ...]
    lines: tuple[PlanLine, ...]
    normalized: Mapping[str, tuple[int, int]]
    seconds: float | None

    @property
    def todo(self) -> int:
        """Photos that some extractor has not tried, at least."""
        return max((line.stale + line.missing for line in self.lines), default=0)


def render(report: PlanReport) -> RenderableType:
    why = [f"{line.extractor}: {'; '.join(line.why)}" for line in report.lines if line.why]
    why += [f"{line.extractor}: the views show version {line.shown[:6]}" for line in report.lines if line.shown]
    normalized = (
        (protocol, Text(str(fresh), style="" if fresh == folds else WARM), str(folds))
        for protocol, (fresh, folds) in report.normalized.items()
    )
    return page(
        "Plan",
        f"{plural(report.images, 'image')}, {plural(report.photos, 'different photo')}",
        _lines(report),
        section("Why", *map(Text, why)) if why else None,
        section("Normalised features", plain_table("protocol", "fresh", "folds", rows=normalized))
        if report.normalized
        else None,
        _advice(report),
    )


def _lines(report: PlanReport) -> PlainTable:
    table = plain_table("extractor", "fresh", "stale", "missing", "failed", "orphaned", "work")
    for line in report.lines:
        counts = (line.stale, line.missing, line.failed, line.orphaned)
        shown = (Text(f"{n:,}", style=WARM) if n else dim("0") for n in counts)
        table.add_row(line.extractor, f"{line.fresh:,}", *shown, _work(line))
    return table


def _work(line: PlanLine) -> Text | str:
    if not line.stale + line.missing:
        return dim("none")
    return "?" if line.seconds is None else duration(line.seconds)


def _advice(report: PlanReport) -> RenderableType:
    lines: list[RenderableType] = [
        Text(f"The folder {root} is not there: connect its disk, or ingest its data set again.", style=WARM)
        for root in report.absent
    ]
    if again := max((line.again for line in report.lines), default=0):
        remedy = f"`kallos extract` tries {'it' if again == 1 else 'them'} again."
        lines.append(Text(f"{plural(again, 'photo')} could not be read before and can be now: {remedy}"))
    if report.unreadable:
        files = plural(report.unreadable, "file")
        lines.append(dim(f"{files} could not be read at ingest: repair the files and ingest again."))
    if any(line.failed for line in report.lines):
        lines.append(dim("`kallos extract --retry-failed` tries failed photos once more."))
    if any(line.orphaned for line in report.lines):
        lines.append(dim("`kallos compact` removes orphaned rows and earlier versions."))
    stale_folds = any(fresh < folds for fresh, folds in report.normalized.values())
    if report.todo:
        is_whole = all(line.seconds is not None for line in report.lines)
        some = "about" if is_whole else "at least"
        known = "an unknown time" if report.seconds is None else f"{some} {duration(report.seconds)}"
        lines.append(Text(f"`kallos extract` would take {known}."))
    elif stale_folds or any(line.shown for line in report.lines):
        lines.append(Text("`kallos extract` would bring it up to date in a moment, without computing anything again."))
    else:
        lines.append(Text("`kallos extract` has nothing to do."))
    return Group(*lines)
