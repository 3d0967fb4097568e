"""Normalised features as they are stored: every photo's z-scores under the current statistics of each fold.

`Normalization.transform` makes them, as it makes those of a photo that is predicted: both are equal bit for bit. They
are keyed by the statistics, whose id is of a fold, its training photos and the versions of the features: where one of
these changes there are other statistics, and the rows of the former ones go.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore import normalization
from featurestore.normalization import ROW_BYTES, measured, values_of
from featurestore.outputs import NORMALIZED, active_table, active_versions, feature_versions
from featurestore.sql_text import quote
from featurestore.store import Store


def shown(store: Store) -> list[str]:
    """The ids of the current statistics of the versions that are shown."""
    query = "SELECT statistics_id FROM statistics WHERE current AND versions = $versions ORDER BY ALL"
    return store.column(query, versions=feature_versions(active_versions(store)))


def lacking(store: Store, statistics_ids: Sequence[str]) -> pl.DataFrame:
    """statistics_id and sha256 of photos with features that have no row under the statistics yet."""
    geometry, skin, shape = (active_table(store, extractor) for extractor in NORMALIZED)
    query = f"""
        SELECT statistics_id, sha256
        FROM (SELECT sha256 FROM "{geometry}" SEMI JOIN "{skin}" USING (sha256) SEMI JOIN "{shape}" USING (sha256)
              SEMI JOIN images USING (sha256))
        CROSS JOIN (SELECT unnest($ids::VARCHAR[]) AS statistics_id)
        ANTI JOIN normalized_values USING (statistics_id, sha256)"""
    return store.frame(query, ids=list(statistics_ids))


def complete(store: Store, statistics_ids: Sequence[str]) -> None:
    """Add the rows that are `lacking` under these of the `shown` statistics."""
    if len(missing := lacking(store, statistics_ids)):
        with store.transaction():
            write(store, missing)


def write(store: Store, missing: pl.DataFrame) -> None:
    """Add the rows that are `lacking` and remove those of statistics that are not current; in a transaction."""
    store.execute(
        "DELETE FROM normalized_values WHERE statistics_id NOT IN (SELECT statistics_id FROM statistics WHERE current)"
    )
    with store.bounded_memory(len(missing) * ROW_BYTES):
        for (statistics_id,), photos in missing.group_by("statistics_id", maintain_order=True):
            fitted = normalization.read(store, str(statistics_id))
            with store.registered(photos.select("sha256")):
                parts = [
                    part.select("sha256", pl.Series("z_scores", fitted.transform(*measured(part))))
                    for part in store.parts(values_of(store, "incoming"))
                ]
            store.append("normalized_values", pl.concat(parts).with_columns(statistics_id=pl.lit(statistics_id)))


def read(store: Store, statistics_id: str, width: int) -> tuple[pl.DataFrame, NDArray[np.float64]]:
    """The photos' hashes (sha256), and (n, width) their z-scores, in the order of the statistics' features."""
    rows = store.frame(
        f"SELECT sha256, z_scores::DOUBLE[{int(width)}] AS z_scores FROM normalized_values WHERE statistics_id = $id",
        id=statistics_id,
    )
    return rows.select("sha256"), rows["z_scores"].to_numpy()


def differing(store: Store, statistics_id: str) -> int:
    """How many rows of statistics that are `shown` are not what their photos' raw features give."""
    fitted = normalization.read(store, statistics_id)
    stored = f"(FROM normalized_values WHERE statistics_id = {quote(statistics_id)})"
    photos = f"(SELECT DISTINCT sha256 FROM {stored})"
    query = (
        f"SELECT v.*, try_cast(z_scores AS DOUBLE[{len(fitted.features)}]) AS stored "
        f"FROM ({values_of(store, photos)}) v JOIN {stored} USING (sha256) WHERE stored IS NOT NULL"
    )
    equal = 0
    for part in store.parts(query):
        found, expected = part["stored"].to_numpy(), fitted.transform(*measured(part))
        equal += int(((found == expected) | (np.isnan(found) & np.isnan(expected))).all(axis=1).sum())
    return int(store.value(f"SELECT count(*) FROM {stored}")) - equal
