"""Normalised features: z-scores with statistics of a fold's training rows, stored beside the raw values.

`averageness` is made here and not by an extractor, because the mean face that it is measured against
must be the mean of the training rows of the fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore.outputs import active_versions, show
from featurestore.schema import Column, Table
from featurestore.store import Store

AVERAGENESS = "averageness"
DEFINITION = {
    "feature": AVERAGENESS,
    "region": "symmetry",
    "unit": "Procrustes distance",
    "formula": "‖aligned landmarks − mean of the training rows‖",
    "points": "all 468 landmarks",
    "source": "Langlois & Roggman 1990",
    "low": 0.0,
    "high": 0.5,
    "version": 1,
    "extractor": "normalization",
}


@dataclass(frozen=True, eq=False)
class Normalization:
    """Statistics of one fold's training rows.

    name        protocol/fold
    features    F names; the last one is `averageness`
    regions     F regions
    mean, sd    (F,) float64 in each feature's unit; sd is 1 for a constant feature
    mean_shape  (936,) float32
    """

    name: str
    features: tuple[str, ...]
    regions: tuple[str, ...]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    mean_shape: NDArray[np.float32]

    def transform(self, raw: NDArray[np.float64], shapes: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, F-1) raw features and (n, 936) shapes to (n, F) z-scores."""
        values = np.column_stack([raw, averageness(shapes, self.mean_shape)])
        scored: NDArray[np.float64] = (values - self.mean) / self.sd
        return scored


def averageness(shapes: NDArray[np.float32], mean_shape: NDArray[np.float32]) -> NDArray[np.float64]:
    """Procrustes distance to the mean face, (n,): 0 is the mean itself (Langlois & Roggman 1990)."""
    difference = shapes.astype(np.float64) - mean_shape.astype(np.float64)
    distance: NDArray[np.float64] = np.sqrt((difference**2).sum(axis=1))
    return distance


def normalized_columns(normalization: Normalization) -> str:
    """The features as a SQL select list, in the order of the normalization."""
    return ", ".join(f'f."{name}"' for name in normalization.features)


def fit(store: Store, protocol: str, fold: int, manifest_id: str) -> Normalization:
    """Fit on the training rows of the manifest and store statistics and z-scores of every image.

    Already fitted on the same manifest and complete: nothing is written.
    """
    name = f"{protocol}/{fold}"
    if not _complete(store, name, manifest_id):
        values = store.frame("SELECT * FROM geometric_features JOIN shapes USING (image_id) ORDER BY image_id")
        train = store.frame(
            "SELECT image_id FROM splits WHERE protocol = $protocol AND fold = $fold AND role = 'train'",
            protocol=protocol,
            fold=fold,
        )
        with store.transaction():
            store.sync("feature_catalog", pl.DataFrame([DEFINITION]), "feature = $name", name=AVERAGENESS)
            fitted = _fitted(store, name, values.join(train, on="image_id", how="semi"))
            _store(store, fitted, values, manifest_id)
    return read(store, name)


def read(store: Store, name: str) -> Normalization:
    """The stored normalization of that name (protocol/fold)."""
    rows = store.frame(
        "SELECT n.feature, c.region, n.mean, n.sd FROM normalizations n JOIN feature_catalog c USING (feature) "
        "WHERE normalization = $name ORDER BY n.rowid",
        name=name,
    )
    shape = store.frame("SELECT shape FROM mean_shapes WHERE normalization = $name", name=name)
    return Normalization(
        name=name,
        features=tuple(rows["feature"]),
        regions=tuple(rows["region"]),
        mean=rows["mean"].to_numpy(),
        sd=rows["sd"].to_numpy(),
        mean_shape=shape["shape"].to_numpy().reshape(-1),
    )


def _split(values: pl.DataFrame) -> tuple[list[str], NDArray[np.float64], NDArray[np.float32]]:
    """Feature names, (n, F-1) raw features, (n, 936) shapes."""
    names = [c for c in values.columns if c not in ("image_id", "shape")]
    shapes = values["shape"].to_numpy().reshape(len(values), -1)
    return names, values.select(names).to_numpy().astype(np.float64), shapes


def _complete(store: Store, name: str, manifest_id: str) -> bool:
    """Whether every image has z-scores under this name, fitted on this manifest."""
    fitted = store.value(
        "SELECT count(*) FROM mean_shapes WHERE normalization = $name AND manifest_id = $manifest_id",
        name=name,
        manifest_id=manifest_id,
    )
    if not fitted:
        return False
    missing = store.value(
        "SELECT count(*) FROM geometric_features JOIN shapes USING (image_id) "
        "ANTI JOIN (FROM normalized_features WHERE normalization = $name) USING (image_id)",
        name=name,
    )
    return int(missing) == 0


def _fitted(store: Store, name: str, train: pl.DataFrame) -> Normalization:
    names, raw, shapes = _split(train)
    mean_shape = shapes.astype(np.float64).mean(axis=0).astype(np.float32)
    values = np.column_stack([raw, averageness(shapes, mean_shape)])
    sd = np.nanstd(values, axis=0)
    features = (*names, AVERAGENESS)
    regions = dict(store.frame("SELECT feature, region FROM feature_catalog").iter_rows())
    return Normalization(
        name=name,
        features=features,
        regions=tuple(regions[f] for f in features),
        mean=np.nanmean(values, axis=0),
        sd=np.where(sd > 0, sd, 1.0),
        mean_shape=mean_shape,
    )


def _store(store: Store, fitted: Normalization, values: pl.DataFrame, manifest_id: str) -> None:
    _, raw, shapes = _split(values)
    z_scores = pl.DataFrame(fitted.transform(raw, shapes), schema=list(fitted.features)).insert_column(
        0, values["image_id"]
    )
    statistics = pl.DataFrame(
        {"feature": fitted.features, "mean": fitted.mean, "sd": fitted.sd, "manifest_id": manifest_id}
    )
    shape = pl.DataFrame(
        {"shape": fitted.mean_shape[None], "manifest_id": [manifest_id]},
        schema={"shape": pl.Array(pl.Float32, fitted.mean_shape.size), "manifest_id": pl.String},
    )
    named = pl.lit(fitted.name).alias("normalization")
    table = _table_of(store, fitted)
    for target, rows in ((table, z_scores), ("normalizations", statistics), ("mean_shapes", shape)):
        store.execute(f'DELETE FROM "{target}" WHERE normalization = $name', name=fitted.name)
        store.append(target, rows.with_columns(named))


def _table_of(store: Store, fitted: Normalization) -> str:
    """The table of z-scores; its columns are those of the active versions, so it is one table a version."""
    versions = active_versions(store)
    table = f"normalized__{versions['geometry']}_{versions['skin']}"
    if not store.has(table):
        columns = [
            Column("normalization", "VARCHAR", "protocol/fold, see normalizations"),
            Column("image_id", "VARCHAR", "see images"),
            *(Column(f, "DOUBLE", "z-score, see feature_catalog") for f in fitted.features),
        ]
        for statement in Table(table, "", tuple(columns)).statements():
            store.execute(statement)
    comment = "one row is one image under one normalization: geometric_features and averageness as z-scores"
    show(store, "normalized_features", f'SELECT * FROM "{table}"', comment, [table])
    return table
