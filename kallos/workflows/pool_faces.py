"""The faces that a store's ensemble has scored, as models of single raters see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ensemble.parts import last_combined
from extractors.outputs import EMBEDDING
from featurestore import runs
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import train_all
from featurestore.outputs import active_table
from featurestore.scale import Scale
from featurestore.store import Store
from featurestore.training_rows import Arrays
from featurestore.traits import target_of_run
from models.baseline.pca import Components
from models.one_rater import Faces, Prior
from models.registry import ENSEMBLE

COMPONENTS = 32
"""Principal components of the embeddings, chosen on training rows (docs/studies/one-rater.md)."""


@dataclass(frozen=True, eq=False)
class PoolFaces:
    """N faces, by image_id: those of the ensemble's training rows, scored out of fold, and of its test rows.

    run_id      the ensemble
    trait       what it scores, on raters' own `scale`
    encoder     whose embeddings are seen
    image_ids   N ids
    photos      N files
    trained     (N,) whether it is a training row
    components  of the embeddings of the training rows
    raters      R raters with single ratings on the trait
    ratings     (R, N) what they gave, on `MODEL_SCALE`, NaN where nothing
    """

    run_id: str
    trait: str
    scale: Scale
    encoder: str
    image_ids: tuple[str, ...]
    photos: tuple[Path, ...]
    trained: NDArray[np.bool_]
    faces: Faces
    components: Components
    ratings: NDArray[np.float64]
    raters: tuple[str, ...]

    @classmethod
    def read(cls, store: Store, protocol: str | None = None, fold: int | None = None) -> Self:
        """Of the ensemble of that fold, by default of the one that was trained last.

        Raises PrerequisiteError without one, or where embeddings are gone, UsageError where it is of several scales.
        """
        protocol, fold = last_combined(store, protocol, fold)
        run = runs.load(store, runs.latest(store, protocol, fold)[ENSEMBLE])
        target = target_of_run(store, run.run_id)
        if target.scale is None:
            raise UsageError(
                f"{run.run_id} is of data sets with different scales: choose one --protocol of one data set."
            )
        keys = store.frame(
            "SELECT image_id, sha256, root || '/' || path AS photo, score, role = 'out_of_fold' AS trained "
            "FROM predictions JOIN images USING (image_id) JOIN locations USING (data_set) "
            "WHERE run_id = $run_id AND role IN ('out_of_fold', 'test') ORDER BY image_id",
            run_id=run.run_id,
        )
        table = active_table(store, f"{EMBEDDING}{run.encoder}")
        keys, arrays = Arrays.read(store, {"vector": (table, "vector")}).gather(keys)
        trained = keys["trained"].to_numpy()
        if not trained.any():
            raise PrerequisiteError(
                f"No training photo of {run.run_id} is left in the store: "
                f"run `{train_all(store, protocol, fold)}` first."
            )
        components = Components.fit(arrays["vector"][trained], COMPONENTS)
        faces = Faces(keys["score"].to_numpy(), components.transform(arrays["vector"]))
        raters, ratings = _single_ratings(store, target.trait, target.scale, keys["image_id"])
        return cls(
            run_id=run.run_id,
            trait=target.trait,
            scale=target.scale,
            encoder=str(run.encoder),
            image_ids=tuple(keys["image_id"]),
            photos=tuple(map(Path, keys["photo"])),
            trained=trained,
            faces=faces,
            components=components,
            raters=raters,
            ratings=ratings,
        )

    @cached_property
    def prior(self) -> Prior:
        """What is known of a person before the first rating, from what raters gave training rows."""
        return Prior.learn(self.faces.take(self.trained), self.ratings[:, self.trained])


def _single_ratings(
    store: Store, trait: str, scale: Scale, image_ids: pl.Series
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """R raters, and (R, N) their ratings of these images on the scale of models, sessions averaged."""
    rows = store.frame(
        "SELECT image_id, rater_id, avg(rating) AS rating FROM ratings WHERE trait = $trait GROUP BY ALL", trait=trait
    ).join(pl.DataFrame({"image_id": image_ids}).with_row_index("column"), on="image_id")
    raters = rows["rater_id"].unique().sort()
    place = rows["rater_id"].replace_strict(raters, range(len(raters)), return_dtype=pl.Int64)
    ratings = np.full((len(raters), len(image_ids)), np.nan)
    ratings[place.to_numpy(), rows["column"].to_numpy()] = scale.to_models(rows["rating"].to_numpy())
    return tuple(raters), ratings
