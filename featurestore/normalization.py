"""Normalised features: z-scores with statistics of a fold's training rows.

`averageness` is made here and not by an extractor, because the mean face that it is measured against
must be the mean of the training rows of the fold.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.averageness import AVERAGENESS
from featurestore.errors import LeakageError, UsageError
from featurestore.outputs import NORMALIZED, active_table, active_versions, feature_versions
from featurestore.sql_text import quote
from featurestore.store import Store

ROW_BYTES = 6000
"""Of one photo in a query of `values_of`: its hash, some 190 features and its shape."""

CHUNK = 1_000
"""Faces whose shapes are widened to float64 at once: of half a million they would take 4 GB, twice over."""


@dataclass(frozen=True, eq=False)
class Normalization:
    """Statistics of one fold's training rows.

    name        protocol/fold
    features    F names; the last one is `averageness`
    regions     F regions
    mean, sd    (F,) float64 in each feature's unit; sd is 1 for a constant feature
    mean_shape  (2M,) float32, M landmarks of the mesh
    """

    name: str
    features: tuple[str, ...]
    regions: tuple[str, ...]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    mean_shape: NDArray[np.float32]

    def transform(self, raw: NDArray[np.float64], shapes: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, F-1) raw features and (n, 2M) shapes to (n, F) z-scores."""
        values = np.column_stack([raw, averageness(shapes, self.mean_shape)])
        return (values - self.mean) / self.sd

    def only(self, features: tuple[str, ...]) -> Self:
        """The statistics of some of the features, in the order of the store, `averageness` always among them."""
        places = [i for i, name in enumerate(self.features) if name in features or name == AVERAGENESS]
        return replace(
            self,
            features=tuple(self.features[i] for i in places),
            regions=tuple(self.regions[i] for i in places),
            mean=self.mean[places],
            sd=self.sd[places],
        )


def averageness(shapes: NDArray[np.float32], mean_shape: NDArray[np.float32]) -> NDArray[np.float64]:
    """Procrustes distance to the mean face, (n,): 0 is the mean itself (Langlois & Roggman 1990)."""
    chunks = (shapes[start : start + CHUNK] for start in range(0, max(len(shapes), 1), CHUNK))
    mean = mean_shape.astype(np.float64)
    return np.concatenate([np.sqrt(((chunk - mean) ** 2).sum(axis=1)) for chunk in chunks])


def read(store: Store, statistics_id: str) -> Normalization:
    """The stored statistics of that id."""
    row = store.frame("FROM statistics WHERE statistics_id = $id", id=statistics_id).row(0, named=True)
    # an earlier version of a formula may have been of another region
    regions = store.mapping(
        "SELECT feature, coalesce(any_value(c.region), any_value(d.region)) "
        "FROM feature_definitions d LEFT JOIN feature_catalog c USING (feature) GROUP BY feature"
    )
    return Normalization(
        name=row["normalization"],
        features=tuple(row["features"]),
        regions=tuple(regions[name] for name in row["features"]),
        mean=np.array(row["mean"], dtype=np.float64),
        sd=np.array(row["sd"], dtype=np.float64),
        mean_shape=np.array(row["mean_shape"], dtype=np.float32),
    )


def chosen(store: Store, name: str) -> str:
    """The id of the statistics of that name (protocol/fold) that the views show. Raises UsageError without any."""
    query = "SELECT normalization, statistics_id FROM statistics WHERE current AND versions = $versions ORDER BY ALL"
    known = store.mapping(query, versions=feature_versions(active_versions(store)))
    if name not in known:
        raise UsageError(f"There is no normalization {name!r}: choose from {', '.join(known)}.")
    return str(known[name])


def check_fitted_within(store: Store, statistics_id: str, protocol: str, fold: int) -> None:
    """Raises LeakageError when statistics were fitted on a photo that is not a training row of this fold."""
    name, query = store.frame(
        "SELECT normalization, sql FROM statistics WHERE statistics_id = $id", id=statistics_id
    ).row(0)
    if query is None:
        raise LeakageError(
            f"An earlier kallos fitted {name} and kept no record of the rows: run `kallos extract` again."
        )
    training = training_photos(f"({photos_with_features(store)})", of_fold(protocol, fold))
    if not_training := store.value(f"SELECT count(*) FROM ({query}) ANTI JOIN ({training}) USING (sha256)"):
        raise LeakageError(
            f"The statistics of {name} were fitted on {not_training:,} photos outside the training rows of {protocol} "
            f"fold {fold}: use that fold's own, which is the default."
        )


def photos_with_features(store: Store) -> str:
    """The query of images with features: image_id, sha256, and `arrived`, the place of the photo's first image.

    Images stand in the order in which they were ingested.
    """
    joins = "".join(f' SEMI JOIN "{active_table(store, extractor)}" USING (sha256)' for extractor in NORMALIZED)
    return f"SELECT image_id, sha256, min(rowid) OVER (PARTITION BY sha256) AS arrived FROM images{joins}"


def training_photos(photos: str, where: str = "true") -> str:
    """The query of training photos: protocol, fold, sha256, arrived; `photos` are those of `photos_with_features`."""
    return (
        f"SELECT protocol, fold, sha256, arrived FROM splits JOIN {photos} USING (image_id)\n"
        f"SEMI JOIN scores USING (image_id, trait) WHERE role = 'train' AND {where}"
    )


def of_fold(protocol: str, fold: int) -> str:
    """The condition of `training_photos` that they are of one fold."""
    return f"protocol = {quote(protocol)} AND fold = {int(fold)}"


def training_values(store: Store, protocol: str, fold: int, count: int) -> str:
    """The query of what a fold's statistics are fitted on, the first `count` photos, on tables of today's versions."""
    photos = training_photos(f"({photos_with_features(store)})", of_fold(protocol, fold))
    first = f"SELECT sha256 FROM ({photos})\nGROUP BY sha256 ORDER BY min(arrived) LIMIT {int(count)}"
    return values_of(store, f"({first})")


def values_of(store: Store, photos: str) -> str:
    """The query of what statistics are fitted on, of the photos (sha256) of a table or subquery."""
    geometry, skin, shape = (active_table(store, extractor) for extractor in NORMALIZED)
    return (
        f"SELECT sha256, g.features AS geometry, k.features AS skin, shape FROM {photos}\n"
        f'JOIN "{geometry}" g USING (sha256) JOIN "{skin}" k USING (sha256) JOIN "{shape}" s USING (sha256)\n'
        "ORDER BY sha256"
    )


def measured(rows: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(n, F-1) features without `averageness` and (n, 2M) shapes, of rows that a query of `values_of` gave."""
    return np.column_stack([rows["geometry"].to_numpy(), rows["skin"].to_numpy()]), rows["shape"].to_numpy()
