"""The average face of any selection of photos, and what it would look like with another shape."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.alignment import Shapes, turned_onto, unit_shapes
from extractors.topologies.registry import topology_of
from extractors.warping import Warp, fitted
from featurestore import user_sql
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.group_differences import FEWEST
from featurestore.store import Store
from featurestore.traits import chosen_trait
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.stored_faces import PhotoFile, photo_files
from kallos.workflows.stores import open_for_reading
from reports.stats.shapes.faces import check_landmarks, landmarks_of, stored_faces
from reports.stats.shapes.procrustes import Aligned
from reports.stats.shapes.space import ShapeSpace, upright

SIZE = 512
PHOTOS_AT_ONCE = 4
"""A thread: pictures that wait to be added."""

FARTHEST = 10
SIZES = (32, 4096)
WHOLE_QUERY = re.compile(r"\s*(SELECT|WITH|FROM)\b", re.IGNORECASE)
CONDITION = """SELECT DISTINCT image_id FROM images LEFT JOIN scores USING (image_id)
LEFT JOIN geometric_features USING (image_id) WHERE ({}
)"""
ALONG = re.compile(r"mean|score|sex|pc\d+")


@dataclass(frozen=True, eq=False)
class Composite:
    """An average face.

    image      (size, size, 3) uint8 RGB
    landmarks  (M, 2) of the mesh, in its pixels
    image_ids  of the photos that it is made of
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    image_ids: tuple[str, ...]


def composite(
    store: str | Path,
    where: str | None = None,
    *,
    along: str | None = None,
    by: float = 1,
    trait: str | None = None,
    size: int = SIZE,
    on_progress: OnProgress = ignore,
) -> Composite:
    """The average face of a selection: photos warped to their mean shape, then averaged pixel by pixel.

    where  a condition in SQL on images, scores and geometric_features, such as `sex = 'female' AND score > 4`, or a
           whole SELECT with a column image_id; every face of the store by default. One face is a selection, too
    along  moves the shape: `mean` away from the mean face of all faces of the same data sets (a caricature; by = -1
           is their mean), `score` by standard deviations of the score, `sex` by differences of the mean man from the
           mean woman, `pc1` and so on by standard deviations of a component. Colours stay as they are
    by     how far, -10 to 10
    trait  whose scores, where photos were rated on several
    size   pixels of the picture's side, 32 to 4,096

    Raises QueryError, UsageError for a selection without faces, PrerequisiteError, InputError or PhotoError when a
    photo is missing, no longer readable, or not the one that was ingested.
    """
    _check(along, by, size)
    with open_for_reading(Path(store)) as opened:
        check_landmarks(opened)
        wanted = _selected(opened, where)
        data_sets = sorted({image_id.partition("/")[0] for image_id in wanted})
        known = stored_faces(opened, data_sets, chosen_trait(opened, data_sets, trait) if along == "score" else None)
        files = photo_files(opened)
    chosen = known.filter(pl.col("image_id").is_in(wanted))
    if chosen.is_empty():
        raise UsageError("No selected image has landmarks: choose others with --where.")
    points = landmarks_of(chosen)
    topology = topology_of(points)
    mean = Aligned.of(unit_shapes(topology.of_mesh(points)), upright(topology)).mean
    target = fitted(_coordinates(mean), size)
    moved = None
    if along:
        pixels = float(np.linalg.norm(target - target.mean(axis=0)))
        moved = target + _coordinates(by * pixels * _direction(known, mean, along))
    paths = [files[image_id] for image_id in chosen["image_id"]]
    image = _average(Warp(target, size, moved), paths, topology.of_mesh(points), on_progress)
    return Composite(image, target if moved is None else moved, tuple(chosen["image_id"]))


def _check(along: str | None, by: float, size: int) -> None:
    if along and not ALONG.fullmatch(along):
        raise UsageError(f"A shape cannot be moved along {along!r}: choose mean, score, sex, or pc1, pc2 and so on.")
    if not abs(by) <= FARTHEST or not SIZES[0] <= size <= SIZES[1]:
        raise UsageError(f"Move by at most {FARTHEST}, and make pictures of {SIZES[0]} to {SIZES[1]:,} pixels.")


def _selected(store: Store, where: str | None) -> list[str]:
    """Raises QueryError as people's SQL does, UsageError where it gives no image of the store."""
    if where is None:
        found = store.frame("SELECT image_id FROM images")
    else:
        found = user_sql.select(store.path, where if WHOLE_QUERY.match(where) else CONDITION.format(where))
    if "image_id" not in found.columns:
        raise UsageError("The SELECT of --where has no column image_id: put it first.")
    if found.is_empty():
        raise UsageError("--where selects no image: choose others.")
    return [str(image_id) for image_id in found["image_id"]]


def _coordinates(shape: Shapes) -> NDArray[np.float64]:
    """(M, 2) of an (M,) complex shape."""
    return np.column_stack([shape.real, shape.imag])


def _direction(known: pl.DataFrame, mean: Shapes, along: str) -> Shapes:
    """(M,) change of the unit shape `mean`, by the faces of its data sets. Raises UsageError or PrerequisiteError."""
    if len(known) < FEWEST:
        raise PrerequisiteError(
            f"Fewer than {FEWEST} faces say little of how shapes vary: add photos, `kallos ingest --help` shows how."
        )
    space = ShapeSpace.of(landmarks_of(known))
    turned = turned_onto(mean[None], space.aligned.mean[None])[0]
    if along == "mean":
        change = turned - space.aligned.mean
    elif along == "score":
        change = space.along_score(known["score"].to_numpy())
    elif along == "sex":
        change = space.along_sex(known["sex"].to_list())
    else:
        change = space.along_component(int(along.removeprefix("pc")))
    # back to how the mean of the selection is turned
    return np.asarray(change * (turned.conj() @ mean))


def _average(
    warp: Warp, files: Sequence[PhotoFile], landmarks: NDArray[np.float64], on_progress: OnProgress
) -> NDArray[np.uint8]:
    """A running sum: memory does not grow with the number of photos."""
    threads = os.cpu_count() or 1
    total = np.zeros((), dtype=np.uint64)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(files), PHOTOS_AT_ONCE * threads):
            part = slice(start, start + PHOTOS_AT_ONCE * threads)
            # decoding and warping leave Python's lock
            for warped in pool.map(lambda file, points: warp(file.read(), points), files[part], landmarks[part]):
                total = total + warped
            on_progress(min(part.stop, len(files)), len(files), "averaging faces")
    return np.asarray(np.round(total / len(files)), dtype=np.uint8)
