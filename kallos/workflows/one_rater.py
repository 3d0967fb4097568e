"""A model of one person's eye: the person rates faces of the store, and the model grows with each of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore import personal_ratings
from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.store import Store
from kallos.workflows.pool_faces import PoolFaces
from kallos.workflows.stores import open_for_reading
from models.serialization import write_tensors
from reports.pages import one_rater as page
from reports.pages.one_rater import OneRaterReport, RatedFaces
from reports.render.layout import number, plural

CONSENT = (
    "Your ratings are data about you. They are stored in this store alone, under the name that you gave, with the time "
    "of each; nothing is sent anywhere, and they are no part of any score. From them a model of your taste is made: it "
    "tells what you would say of faces that you never rated. Anyone who has the store, or a copy or an export of it, "
    "can read both. You can stop at any time, and `kallos erase --rater NAME` erases all of it but what was exported."
)
"""What a person reads and agrees to before the first rating."""


class RatingSession:
    """One person before the faces of a store. Each rating is written at once, so that it can go on at any time."""

    def __init__(self, path: Path, pool: PoolFaces, rater: str) -> None:
        """Raises UsageError without a name."""
        if not rater.strip():
            raise UsageError("Give the name that your ratings go by; it need not be your own.")
        self.path, self.pool, self.rater = path, pool, rater.strip()
        self._row = {image_id: row for row, image_id in enumerate(pool.image_ids)}
        with open_for_reading(path) as store:
            self._read(store)

    @property
    def rated(self) -> int:
        """How many of the faces the person has rated."""
        return len(self._rated_faces.rows)

    def next_photo(self, skipped: Collection[str] = ()) -> str | None:
        """The image_id whose rating would tell most; None when all are rated or skipped."""
        ranked = self.report.faces.filter(pl.col("rating").is_null() & ~pl.col("image_id").is_in(skipped))
        return ranked.sort("gain", descending=True)["image_id"][0] if len(ranked) else None

    def photo(self, image_id: str) -> Path:
        """Where the photo lies."""
        return self.pool.photos[self._row[image_id]]

    def foreseen(self, image_id: str) -> str:
        """What the model and the pool would give a face, for people."""
        face = self.report.faces.row(self._row[image_id], named=True)
        interval = f"90 % interval {face['low']:.1f} to {face['high']:.1f}"
        return f"Your model said {face['score']:.1f} ({interval}), the pool's {face['pool']:.1f}."

    @property
    def standing(self) -> str:
        """How far the model agrees with the person, for people."""
        report = self.report
        figures = f"{plural(report.rated, 'rating')}, with which your model correlates {number(report.pearson, 2)}"
        return f"{figures}, each left out in turn, the pool's {number(report.pool_pearson, 2)}."

    def rate(self, ratings: Mapping[str, float]) -> None:
        """image_id -> rating. Raises UsageError, with nothing stored, for what is not on the scale or no such face.

        Raises StoreError while another process writes.
        """
        for image_id, rating in ratings.items():
            personal_ratings.check_on_scale(self.pool.scale, rating)
            if image_id not in self._row:
                raise UsageError(f"There is no face {image_id!r} that {self.pool.run_id} has scored.")
        with open_store(self.path, must_exist=True) as store:
            for image_id, rating in ratings.items():
                personal_ratings.add(store, self.rater, self.pool.trait, image_id, rating)
            self._read(store)

    def undo(self) -> str | None:
        """Take the last rating back; gives its image_id, None where there is none."""
        with open_store(self.path, must_exist=True) as store:
            last = personal_ratings.undo(store, self.rater, self.pool.trait)
            self._read(store)
        return last

    def export(self, file: Path) -> Path:
        """Write the model as one safetensors file; its metadata say what is in it."""
        model, components = self.report.model, self.pool.components
        about = {
            "format": "kallos.one_rater/1",
            "score": "pool + [1, pool - 3, ((embedding - centre) @ axes.T) / spread] @ mean, on 1-5",
            "rater": self.rater,
            "rated": self.rated,
            "trait": self.pool.trait,
            "scale": list(self.pool.scale),
            "pool": self.pool.run_id,
            "encoder": self.pool.encoder,
            "noise": model.noise,
        }
        tensors: dict[str, NDArray[np.floating[Any]]] = {
            "mean": model.mean,
            "covariance": model.covariance,
            "centre": components.mean,
            "axes": components.axes,
            "spread": components.scale,
        }
        write_tensors(file, tensors, {"kallos": json.dumps(about)})
        return file

    def _read(self, store: Store) -> None:
        rated = personal_ratings.ratings_of(store, self.rater, self.pool.trait)
        known = [(self._row[image_id], rating) for image_id, rating in rated.iter_rows() if image_id in self._row]
        rows, ratings = np.array(known, dtype=np.float64).reshape(-1, 2).T
        self._rated_faces = RatedFaces(self.pool.image_ids, self.pool.faces, rows.astype(np.int64), ratings)
        self.report = page.data(
            self.rater, self.pool.trait, self.pool.scale, self.pool.run_id, self.pool.prior, self._rated_faces
        )


def open_session(
    store: str | Path, rater: str, *, protocol: str | None = None, fold: int | None = None
) -> RatingSession:
    """A person before the faces of a fold's ensemble. Raises as `PoolFaces.read` and `RatingSession`."""
    with open_for_reading(Path(store)) as opened:
        pool = PoolFaces.read(opened, protocol, fold)
    return RatingSession(Path(store), pool, rater)


def rate(
    store: str | Path,
    rater: str,
    ratings: Mapping[str, float],
    *,
    protocol: str | None = None,
    fold: int | None = None,
) -> OneRaterReport:
    """Record what a person says of faces, image_id -> rating on the data set's scale, in place of earlier answers.

    The person must have agreed to `CONSENT`. Raises UsageError, with nothing stored, for a rating that is not on the
    scale or of an unknown face; PrerequisiteError where there is no ensemble.
    """
    session = open_session(store, rater, protocol=protocol, fold=fold)
    session.rate(ratings)
    return session.report


def one_rater(
    store: str | Path,
    rater: str,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    export: str | Path | None = None,
) -> OneRaterReport:
    """The model of one person's eye, from the ratings so far; of somebody without any it is the pool's.

    `report.faces` has what the person would give every face, with 90 % intervals, and which face to ask for next.
    `export` names a safetensors file to write the model to. Raises PrerequisiteError where there is no ensemble.
    """
    session = open_session(store, rater, protocol=protocol, fold=fold)
    if export is not None:
        session.export(Path(export))
    return session.report
