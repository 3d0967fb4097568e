"""`kallos duplicates`: photos that look the same, what they leak between folds, and folds that keep them together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from featurestore.duplicates import PROTOCOL, leaks
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.traits import SINGLE_SCORES, scale_of_scores
from reports.render.contact_sheet import Photo, contact_sheet
from reports.render.figures import write
from reports.render.json import for_pictures
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section, share
from reports.render.palette import WARM
from reports.render.scales import score_on, shown_on

SHOWN = 20


@dataclass(frozen=True)
class Pair:
    """Two images, their distance, and the raters' score of each, on the scale of models.

    For one face, one would expect the same score.
    """

    image_id: str
    other_id: str
    group_id: str
    hamming: int
    cosine_distance: float
    score: float | None
    other_score: float | None


@dataclass(frozen=True)
class Leak:
    """Of one fold: tested images, and those with a near-duplicate in the training role."""

    protocol: str
    fold: int
    tested: int
    leaked: int


@dataclass(frozen=True)
class DuplicatesReport:
    """All pairs, nearest first, and the leak of every fold of the store.

    scale   that of the pairs' raters; None where they used several
    """

    groups: int
    images: int
    scale: Scale | None
    pairs: tuple[Pair, ...]
    leaks: tuple[Leak, ...]
    photos: tuple[Photo, ...] = for_pictures()


def data(store: Store) -> DuplicatesReport:
    """From the tables that `find_near_duplicates` and `make_protocol` wrote."""
    rows = store.frame(
        "SELECT n.image_id, other_id, group_id, hamming, cosine_distance, a.score, b.score AS other_score "
        f"FROM near_duplicates n LEFT JOIN {SINGLE_SCORES} a ON a.image_id = n.image_id "
        f"LEFT JOIN {SINGLE_SCORES} b ON b.image_id = n.other_id ORDER BY cosine_distance, n.image_id, other_id"
    )
    pairs = tuple(Pair(*row) for row in rows.iter_rows())
    images = {image_id for pair in pairs for image_id in (pair.image_id, pair.other_id)}
    scale = scale_of_scores(store, sorted(images))
    leaked = tuple(Leak(*row) for row in leaks(store).iter_rows())
    photos = _photos(store, pairs, shown_on(scale))
    return DuplicatesReport(rows["group_id"].n_unique(), len(images), scale, pairs, leaked, photos)


def _photos(store: Store, pairs: tuple[Pair, ...], own: Scale) -> tuple[Photo, ...]:
    paths = dict(
        store.frame(
            "SELECT image_id, root || '/' || path FROM images JOIN locations USING (data_set) "
            "WHERE image_id IN (SELECT image_id FROM near_duplicates UNION SELECT other_id FROM near_duplicates)"
        ).iter_rows()
    )
    return tuple(
        Photo(Path(paths[image_id]), f"{image_id.split('/')[-1]}  {score_on(own, score)}", None)
        for pair in pairs[:SHOWN]
        for image_id, score in ((pair.image_id, pair.score), (pair.other_id, pair.other_score))
    )


def render(report: DuplicatesReport) -> RenderableType:
    return page(
        "Near-duplicates",
        f"{plural(len(report.pairs), 'pair')}, {plural(report.groups, 'group')} of {plural(report.images, 'image')}",
        section("Nearest pairs", _pairs_table(report), remark=f"scores on {shown_on(report.scale)}")
        if report.pairs
        else dim("No two photos are near-duplicates."),
        section("Test images with a near-duplicate among the training rows", _leaks_table(report)),
        dim(
            f"Protocols named {PROTOCOL}, one per trait, keep groups together: "
            "their figures are free of that leak. "
            "Other photos of one person are found only where the encoder learnt to tell people apart, "
            "and then not all: see docs/design/duplicates.md."
        ),
    )


def _pairs_table(report: DuplicatesReport) -> PlainTable:
    table = plain_table("image", "and", "bits", "cosine", "score", "score", "apart")
    table.columns[1].justify = "left"
    own = shown_on(report.scale)
    for pair in report.pairs[:SHOWN]:
        difference = np.nan if pair.score is None or pair.other_score is None else abs(pair.score - pair.other_score)
        scores = (score_on(own, pair.score), score_on(own, pair.other_score))
        distances = (str(pair.hamming), number(pair.cosine_distance))
        table.add_row(pair.image_id, pair.other_id, *distances, *scores, number(own.errors_from_models(difference), 2))
    if len(report.pairs) > SHOWN:
        table.add_row(dim(f"… {len(report.pairs) - SHOWN:,} more"), *[""] * 6)
    return table


def _leaks_table(report: DuplicatesReport) -> PlainTable:
    table = plain_table("protocol", "fold", "tested", "leaked", "share")
    for before, leak in zip((None, *report.leaks), report.leaks, strict=False):
        name = "" if before and before.protocol == leak.protocol else leak.protocol
        leaked = Text(f"{leak.leaked:,}", style=WARM) if leak.leaked else dim("0")
        table.add_row(name, str(leak.fold), f"{leak.tested:,}", leaked, share(leak.leaked, leak.tested))
    return table


def write_sheet(report: DuplicatesReport, file: Path) -> Path:
    """The nearest pairs side by side, two pairs a row. Raises InputError or PhotoError when a photo is gone."""
    title = f"Near-duplicates: two pairs a row, nearest first; scores on {shown_on(report.scale)}"
    return write(contact_sheet(report.photos, title), file)
