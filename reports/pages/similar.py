"""`kallos similar`: the faces nearest to one face, as a table and as a contact sheet."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from featurestore.scale import Scale
from featurestore.similarity import Neighbours, Search
from featurestore.store import Store
from featurestore.traits import scale_of_scores
from reports.render.bars import bar
from reports.render.contact_sheet import CAPTION, Photo, contact_sheet
from reports.render.figures import write
from reports.render.json import for_pictures
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural
from reports.render.palette import ACCENT
from reports.render.scales import score_on, shown_on

DISTANCES = {
    "embedding": "cosine distance of embeddings: 0 is the same direction, 1 none in common",
    "geometry": "root mean square difference of the geometric features, in standard deviations",
    "landmarks": "Procrustes distance: Euclidean, of shapes aligned to the canonical face",
}
SAME = "same photo"
MEANING = "Near means similar appearance, not identity."


@dataclass(frozen=True)
class Neighbour:
    """One image near the query; `score` is on the scale of models, `same_photo` when its bytes are the query's."""

    rank: int
    image_id: str
    distance: float
    score: float | None
    subset: str | None
    same_photo: bool


@dataclass(frozen=True)
class SimilarReport:
    """The images nearest to `query`, an image_id or a file.

    by        embedding, geometry or landmarks; `distance` describes the measure
    encoder   whose embeddings, None for other measures
    scale     that of the neighbours' raters; None where they used several
    sql       the statement that gave the neighbours
    photos    the query, framed, then the neighbours
    """

    query: str
    by: str
    distance: str
    encoder: str | None
    data_set: str | None
    scale: Scale | None
    sql: str
    neighbours: tuple[Neighbour, ...]
    photos: tuple[Photo, ...] = for_pictures()


def data(store: Store, search: Search, nearest: Neighbours, query: str | Photo) -> SimilarReport:
    """The images nearest to `query`: an image_id, or the photo of a file that was measured just now."""
    neighbours = tuple(Neighbour(*row) for row in nearest.rows.iter_rows())
    stored = [n.image_id for n in neighbours]
    scale = scale_of_scores(store, stored)
    if isinstance(query, str):
        name, (photo, *others) = query, _photos(store, [query, *stored], search.by)
    else:
        name, photo, others = str(query.path), query, _photos(store, stored, search.by)
    first = replace(photo, caption=f"query\n{_short(photo.path.name)}", framed=True)
    own, pairs = shown_on(scale), zip(neighbours, others, strict=True)
    rest = (replace(photo, caption=_caption(neighbour, photo.path, own)) for neighbour, photo in pairs)
    return SimilarReport(
        query=name,
        by=search.by,
        distance=DISTANCES[search.by],
        encoder=search.encoder,
        data_set=search.data_set,
        scale=scale,
        sql=nearest.sql,
        neighbours=neighbours,
        photos=(first, *rest),
    )


def _photos(store: Store, image_ids: list[str], by: str) -> list[Photo]:
    """In that order, with landmarks when they are what is compared."""
    rows = store.frame(
        "SELECT image_id, root || '/' || path, x, y, z FROM images JOIN locations USING (data_set) "
        "JOIN landmarks USING (image_id) WHERE list_contains($ids, image_id)",
        ids=image_ids,
    )
    photos = {
        image_id: Photo(Path(path), "", None if by == "embedding" else np.array(xyz, dtype=np.float32).T)
        for image_id, path, *xyz in rows.iter_rows()
    }
    return [photos[image_id] for image_id in image_ids]


def _caption(neighbour: Neighbour, path: Path, own: Scale) -> str:
    score = "" if neighbour.score is None else f"score {score_on(own, neighbour.score)}"
    remarks = (f"{neighbour.distance:.4f}", score, SAME if neighbour.same_photo else "")
    return f"{_short(f'{neighbour.rank}  {path.name}')}\n{' · '.join(filter(None, remarks))}"


def _short(text: str) -> str:
    """The text with its middle left out when it is too long for a caption: names often differ at their ends."""
    half = (CAPTION - 1) // 2
    return text if len(text) <= CAPTION else f"{text[:half]}…{text[-half:]}"


def render(report: SimilarReport) -> RenderableType:
    scope = f" in {report.data_set}" if report.data_set else ""
    encoder = f" of {report.encoder}" if report.encoder else ""
    own = shown_on(report.scale)
    return page(
        f"Nearest to {report.query}",
        f"{plural(len(report.neighbours), 'image')}{scope}, by {report.by}{encoder}; scores on {own}",
        _table(report.neighbours, own) if report.neighbours else dim("There is no other face to compare with."),
        dim(f"{report.distance[0].upper()}{report.distance[1:]}. {MEANING}"),
    )


def _table(neighbours: tuple[Neighbour, ...], own: Scale) -> PlainTable:
    table = plain_table("rank", "image", "distance", "score", "subset", "", text=(0, 1))
    furthest = max(n.distance for n in neighbours) or 1.0
    for n in neighbours:
        remark = Text(SAME, style=f"bold {ACCENT}") if n.same_photo else bar(n.distance / furthest, 20, ACCENT)
        figures = (number(n.distance, 4), score_on(own, n.score), n.subset or "–")
        table.add_row(str(n.rank), n.image_id, *figures, remark)
    table.columns[-1].justify = "left"
    return table


def write_sheet(report: SimilarReport, file: Path) -> Path:
    """The query framed, then its neighbours. Raises InputError or PhotoError when a photo can no longer be read."""
    return write(contact_sheet(report.photos, f"Nearest by {report.by}; scores on {shown_on(report.scale)}"), file)
