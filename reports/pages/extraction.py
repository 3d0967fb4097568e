"""The state of extraction by the active extractors, from the ledger: after `kallos extract` and in the data report."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.store import Store
from reports.render.layout import dim, page, plain_table, share
from reports.render.palette import WARM


@dataclass(frozen=True)
class Coverage:
    """The images that the active version of one extractor has processed.

    failed        status -> images
    untried       images without a line in the ledger: new ones, and those whose landmarks failed
    milliseconds  mean time an image
    """

    extractor: str
    version: str
    ok: int
    failed: Mapping[str, int]
    untried: int
    milliseconds: float | None


@dataclass(frozen=True)
class Remark:
    """A failure or remark of the ledger with its number of images and the first of them."""

    status: str
    detail: str
    images: int
    first: str


@dataclass(frozen=True)
class ExtractionReport:
    """A summary of the ledger, for some or all images."""

    images: int
    coverage: tuple[Coverage, ...]
    remarks: tuple[Remark, ...]


def summary(store: Store, data_set: str | None = None) -> ExtractionReport:
    """Coverage of all images, or of those of one data set."""
    chosen = "(SELECT image_id FROM images WHERE data_set = coalesce($data_set, data_set))"
    ledger = (
        "extractor_versions v JOIN extractions e ON e.extractor = v.extractor AND e.version = v.version "
        f"AND v.active AND image_id IN {chosen}"
    )
    images = int(store.value(f"SELECT count(*) FROM {chosen}", data_set=data_set))
    counts = store.frame(
        f"SELECT v.extractor, status, count(*), avg(milliseconds) FROM {ledger} GROUP BY ALL ORDER BY ALL",
        data_set=data_set,
    ).rows()
    remarks = store.frame(
        f"SELECT status, detail, count(DISTINCT image_id) AS images, min(image_id) FROM {ledger} "
        "WHERE detail IS NOT NULL GROUP BY ALL ORDER BY images DESC, detail LIMIT 8",
        data_set=data_set,
    ).rows()
    versions = store.frame("SELECT extractor, version FROM extractor_versions WHERE active ORDER BY extractor").rows()
    coverage = tuple(_coverage(extractor, version, images, counts) for extractor, version in versions)
    return ExtractionReport(images, coverage, tuple(Remark(*row) for row in remarks))


def _coverage(extractor: str, version: str, images: int, counts: list[tuple[str, str, int, float]]) -> Coverage:
    by_status = {status: (count, spent) for name, status, count, spent in counts if name == extractor}
    tried = sum(count for count, _ in by_status.values())
    ok, spent = by_status.pop("ok", (0, None))
    failed = {status: count for status, (count, _) in by_status.items()}
    return Coverage(extractor, version, ok, failed, images - tried, spent)


def render(report: ExtractionReport) -> RenderableType:
    return page("Extraction", f"{report.images:,} images", coverage_part(report))


def coverage_part(report: ExtractionReport) -> RenderableType:
    """A line an extractor, and the failures in the extractors' own words."""
    table = plain_table("extractor", "version", "ok", "failed", "untried", "an image")
    for line in report.coverage:
        failed = Text(", ".join(f"{n:,} {status}" for status, n in line.failed.items()), style=WARM)
        version = dim(line.version[:6])
        spent = "–" if line.milliseconds is None else f"{line.milliseconds:.1f} ms"
        untried = f"{line.untried:,}" if line.untried else dim("0")
        table.add_row(line.extractor, version, share(line.ok, report.images), failed or dim("0"), untried, spent)
    lines = [
        dim(f"{r.images:,} × {r.status}: {r.detail} ({r.first}{' …' if r.images > 1 else ''})") for r in report.remarks
    ]
    return Group(table, *lines)
