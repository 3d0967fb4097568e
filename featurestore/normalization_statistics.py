"""Statistics of folds: the photos that they are fitted on, read together and part by part, and what is fitted."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.averageness import AVERAGENESS, DEFINITION
from featurestore import normalization, normalized_values
from featurestore.feature_definitions import define_features
from featurestore.outputs import active_features, active_versions, feature_versions
from featurestore.store import Store

FEW = 10_000
"""Photos that are read once and kept, 60 MB; of more, each of three passes reads them again."""

ALL, STEP = 10_000, 1_000
"""Statistics are of all training photos up to ALL; of more only whole STEPs count, in the order of their ingestion.

So one photo more in 100,000 mostly changes no statistics, and no other photo's z-scores. A mean over 10,000 is known to
a hundredth of a standard deviation, so those that do not count yet could hardly change it.
"""

ROUNDING, SMALLEST = 1e-6, 1e-9
"""A standard deviation of at most this part of the mean, or of at most SMALLEST, is that of a constant up to rounding.

The smallest of real faces are 5e-3 of the mean, and 2e-4. To divide by that of a constant would blow up its rounding.
"""

Fold = tuple[str, int]
"""Protocol and fold."""

Part = tuple[NDArray[np.float64], NDArray[np.float32]]
"""(n, F-1) features without `averageness` and (n, 2M) shapes of some photos."""


def fit(store: Store, only: Fold | None = None) -> dict[Fold, str]:
    """Fit each fold, or only one, on its training rows, and normalise every photo; returns the ids of the statistics.

    Of many training rows the last do not count yet, see STEP. A fold that is fitted already on the same photos and
    versions is left as it is; the others are read together. What was fitted on folds that are no more is current no
    longer.
    """
    versions = feature_versions(active_versions(store))
    known = store.mapping("SELECT statistics_id, current FROM statistics")
    photos = _training_photos(store, only)
    ids = {fold: _statistics_id(fold, versions, hashes) for fold, hashes in photos.items()}
    changed = [fold for fold in ids if not known.get(ids[fold])]
    replaced = {_name(fold) for fold in changed}
    if only is None:
        replaced |= set(store.column("SELECT normalization FROM statistics WHERE current")) - set(map(_name, ids))
    missing = normalized_values.lacking(store, list(ids.values()))
    if replaced or len(missing):
        unknown = [fold for fold in changed if ids[fold] not in known]
        fitted = _fitted(store, [photos[fold] for fold in unknown])
        with store.transaction():
            define_features(store, [DEFINITION], {})
            for name in replaced:
                store.execute("UPDATE statistics SET current = false WHERE normalization = $name", name=name)
            for fold in set(changed) - set(unknown):
                store.execute("UPDATE statistics SET current = true WHERE statistics_id = $id", id=ids[fold])
            for fold, values in zip(unknown, fitted, strict=True):
                about = {
                    "statistics_id": ids[fold],
                    "normalization": _name(fold),
                    "current": True,
                    "versions": versions,
                    "sql": normalization.training_values(store, *fold, len(photos[fold])),
                    "row_count": len(photos[fold]),
                    "row_hash": _hash(photos[fold]),
                }
                store.append("statistics", pl.DataFrame([about]).hstack(values))
            normalized_values.write(store, missing)
    return ids


def fresh(store: Store, versions: str) -> set[Fold]:
    """The folds that need no `fit`: their statistics are of today's training photos and of these feature versions."""
    if versions != feature_versions(active_versions(store)):
        return set()
    fitted = normalized_values.shown(store)
    whole = set(fitted) - set(normalized_values.lacking(store, fitted)["statistics_id"])
    photos = _training_photos(store)
    return {fold for fold, hashes in photos.items() if _statistics_id(fold, versions, hashes) in whole}


def rows_of(store: Store, query: str) -> tuple[int, str]:
    """How many photos a query of statistics gives, and the sha256 over their hashes."""
    photos = store.frame(f"SELECT sha256 FROM ({query}) ORDER BY sha256")["sha256"]
    return len(photos), _hash(photos)


def from_query(store: Store, query: str, names: Sequence[str]) -> pl.DataFrame:
    """One row: features, mean, sd and mean_shape over the photos of a query of statistics.

    `names` are those of the features that the query gives as arrays, geometry before skin.
    """
    count = store.value(f"SELECT count(*) FROM ({query})")
    return _frames(store, query, names, [np.ones(count, dtype=np.bool_)])[0]


def _training_photos(store: Store, only: Fold | None = None) -> dict[Fold, pl.Series]:
    """Ascending hashes of the photos that each fold's statistics are fitted on: those of `training_values`."""
    images = store.frame(normalization.photos_with_features(store))
    with store.registered(images):
        query = normalization.training_photos("incoming", normalization.of_fold(*only) if only else "true")
        # without the hashes, which would be read and sorted once a fold
        rows = store.frame(f"SELECT protocol, fold, arrived FROM ({query})")
    photos = images.select("sha256", "arrived").unique().sort("sha256")
    return {
        (protocol, fold): photos.filter(pl.col("arrived").is_in(_counted(group["arrived"]).implode()))["sha256"]
        for (protocol, fold), group in rows.group_by("protocol", "fold", maintain_order=True)
    }


def _counted(arrived: pl.Series) -> pl.Series:
    """Of a fold's training photos, by their places, those that its statistics are fitted on."""
    places = arrived.unique().sort()
    return places.head(max(ALL, len(places) // STEP * STEP))


def _fitted(store: Store, photos: Sequence[pl.Series]) -> list[pl.DataFrame]:
    """Statistics over each of several lists of photos, which are read together."""
    if not photos:
        return []
    every = pl.concat(photos).unique().sort()
    members = [every.is_in(some.implode()).to_numpy() for some in photos]
    with store.registered(every.to_frame("sha256")):
        return _frames(store, normalization.values_of(store, "incoming"), active_features(store), members)


def _frames(store: Store, query: str, names: Sequence[str], members: Sequence[NDArray[np.bool_]]) -> list[pl.DataFrame]:
    """Statistics over each of several choices, (n,), of the n photos of a query."""
    with store.bounded_memory(len(members[0]) * normalization.ROW_BYTES):
        parts = list(map(normalization.measured, store.parts(query))) if len(members[0]) <= FEW else None

        def means(measure: Callable[[int, Part], NDArray[Any]]) -> list[NDArray[np.float64]]:
            """For each choice the means of `measure` over its photos."""
            sums = [_Sum() for _ in members]
            start = 0
            for features, shapes in parts or map(normalization.measured, store.parts(query)):
                for choice, member in enumerate(members):
                    inside = member[start : start + len(shapes)]
                    sums[choice].add(measure(choice, (features[inside], shapes[inside])))
                start += len(shapes)
            return [total.mean for total in sums]

        mean_shapes = [mean.astype(np.float32) for mean in means(lambda _, part: part[1])]
        mean = means(lambda choice, part: _values(part, mean_shapes[choice]))
        squares = means(lambda choice, part: (_values(part, mean_shapes[choice]) - mean[choice]) ** 2)
    return [_row(names, *values) for values in zip(mean, map(np.sqrt, squares), mean_shapes, strict=True)]


def _row(
    names: Sequence[str], mean: NDArray[np.float64], sd: NDArray[np.float64], mean_shape: NDArray[np.float32]
) -> pl.DataFrame:
    varies = sd > np.maximum(ROUNDING * np.abs(mean), SMALLEST)
    return pl.DataFrame(
        {
            "features": [[*names, AVERAGENESS]],
            "mean": [mean.tolist()],
            "sd": [np.where(varies, sd, 1.0).tolist()],
            "mean_shape": pl.Series([mean_shape.tolist()], dtype=pl.List(pl.Float32)),
        }
    )


def _values(part: Part, mean_shape: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, F) features of some photos, `averageness` last."""
    features, shapes = part
    return np.column_stack([features, normalization.averageness(shapes, mean_shape)])


class _Sum:
    """The mean of each column over rows that come part by part, without NaN: bit for bit that of all at once."""

    def __init__(self) -> None:
        self._total: Any = 0.0
        self._count: Any = 0

    def add(self, rows: NDArray[Any]) -> None:
        unknown = np.isnan(rows)
        known = rows.astype(np.float64)
        known[unknown] = 0.0
        if len(known):
            # NumPy adds row to row: the sum so far comes into the first
            known[0] += self._total
            self._total = known.sum(axis=0)
            self._count = self._count + len(known) - unknown.sum(axis=0)

    @property
    def mean(self) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return self._total / self._count


def _statistics_id(fold: Fold, versions: str, photos: pl.Series) -> str:
    return hashlib.sha256(f"{_name(fold)} {versions} {_hash(photos)}".encode()).hexdigest()[:12]


def _name(fold: Fold) -> str:
    return f"{fold[0]}/{fold[1]}"


def _hash(photos: pl.Series) -> str:
    return hashlib.sha256(photos.str.join().item().encode()).hexdigest()
