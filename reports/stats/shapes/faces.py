"""The faces whose shapes are studied: their landmarks from the store, and as files for other programs."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.topologies.registry import TOPOLOGIES
from extractors.topology import Topology
from featurestore.errors import UsageError
from featurestore.group_differences import GROUPED_IMAGES
from featurestore.next_step import before_extract
from featurestore.store import Store
from reports.stats.bootstrap import Reals

OUTLINES = (
    *("face_oval", "right_eye", "left_eye", "right_brow", "left_brow"),
    *("nose", "lips_outer", "lips_inner"),
)
"""Contours that stand for a face in drawings and templates."""


def check_landmarks(store: Store) -> None:
    """Raises PrerequisiteError before `kallos extract`."""
    if not store.has("landmarks"):
        raise before_extract(store, "The store has no landmarks yet")


def stored_faces(store: Store, data_sets: Sequence[str], trait: str | None) -> pl.DataFrame:
    """A row a face of these data sets: image_id, x, y, score on the trait, sex, person; in order of image_id.

    Raises PrerequisiteError before `kallos extract`.
    """
    check_landmarks(store)
    return store.frame(
        f"SELECT image_id, x, y, score, sex, person FROM landmarks JOIN {GROUPED_IMAGES} USING (image_id) "
        "LEFT JOIN (FROM scores WHERE trait = $trait) USING (image_id) "
        "WHERE list_contains($names, data_set) ORDER BY image_id",
        trait=trait,
        names=list(data_sets),
    )


def landmarks_of(faces: pl.DataFrame) -> Reals:
    """(n, P, 2) of the columns x and y. Raises UsageError where faces do not all have the landmarks of one set."""
    axes = [faces[axis].cast(pl.List(pl.Float64)) for axis in "xy"]
    numbers = {number for axis in axes for number in axis.list.len()}
    if len(numbers) != 1 or not numbers <= {topology.number for topology in TOPOLOGIES}:
        sets = " or ".join(str(topology.number) for topology in TOPOLOGIES)
        raise UsageError(f"Faces have {sets} landmarks, the same for all: give lists x and y of that many numbers.")
    return np.stack([axis.explode().to_numpy().reshape(len(faces), -1) for axis in axes], axis=2)


def outlines(topology: Topology) -> list[tuple[int, ...]]:
    """Landmarks of each outline in drawing order; they are closed, and end where they begin."""
    return [(*topology.contours[name], topology.contours[name][0]) for name in OUTLINES]


def edges(shape: Reals) -> NDArray[np.int64]:
    """(E, 2) edges of the Delaunay triangles of (M, 2) landmarks."""
    from scipy.spatial import Delaunay

    triangles = Delaunay(shape).simplices
    return np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0).astype(np.int64)


def tps(faces: pl.DataFrame) -> str:
    """The landmarks as a file of the tps series (Rohlf 2015), which `geomorph::readland.tps(specID = "ID")` reads.

    Pixels of the photo with y up, as the programs want it: 0 is the photo's upper edge and what lies below is negative.
    """
    points = landmarks_of(faces) * (1, -1)
    blocks = zip(faces["image_id"], points, strict=True)
    return "".join(f"LM={len(each)}\n{_table(each, ' ')}\nID={image_id}\n" for image_id, each in blocks)


def templates(faces: pl.DataFrame, topology: Topology) -> Iterator[tuple[PurePosixPath, str]]:
    """For each photo the path and text of its template for webmorph and Psychomorph: landmarks in pixels, outlines."""
    lines = outlines(topology)
    # a closed line is told by its first number, and does not come back to its first point
    ends = "\n".join(f"1\n{len(line) - 1}\n{' '.join(map(str, line[:-1]))}" for line in lines)
    for image_id, points in zip(faces["image_id"], landmarks_of(faces), strict=True):
        path = PurePosixPath(*(part for part in PurePosixPath(image_id).parts if part not in ("/", "..")))
        yield path.with_suffix(".tem"), f"{len(points)}\n{_table(points, chr(9))}\n{len(lines)}\n{ends}\n"


def _table(points: Reals, between: str) -> str:
    return "\n".join(f"{x:.3f}{between}{y:.3f}" for x, y in points)
