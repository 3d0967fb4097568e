"""What is left to compute: for `kallos extract`, which does it, and for `kallos plan`, which says it.

A photo is known by its bytes: moved, renamed or twice in the data sets, it is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from featurestore.outputs import Output
from featurestore.store import Store

_WANTED = "wanted AS (SELECT unnest($extractors) AS extractor, unnest($versions) AS version)"


def from_pixels_todo(store: Store, outputs: Sequence[Output]) -> pl.DataFrame:
    """The photos to look at: sha256, paths (absolute) and the list of extractors that have not tried them.

    A photo whose landmarks failed is done: nothing else can be computed from it.
    """
    return store.frame(
        f"""
        WITH {_WANTED},
        contents AS (
            SELECT sha256, list(root || '/' || path ORDER BY image_id) AS paths, min(image_id) AS first_id
            FROM images JOIN locations USING (data_set) WHERE sha256 IS NOT NULL GROUP BY sha256),
        missing AS (
            SELECT sha256, extractor FROM contents CROSS JOIN wanted
            ANTI JOIN attempts USING (sha256, extractor, version)),
        faceless AS (
            SELECT sha256 FROM attempts JOIN wanted USING (extractor, version)
            WHERE extractor = 'landmarks' AND status <> 'ok')
        SELECT sha256, paths, list(extractor ORDER BY extractor <> 'landmarks', extractor) AS missing
        FROM missing JOIN contents USING (sha256) ANTI JOIN faceless USING (sha256)
        GROUP BY sha256, paths, first_id ORDER BY first_id""",
        **_named(outputs),
    )


def from_landmarks_todo(store: Store, output: Output, landmarks: Output) -> pl.DataFrame:
    """sha256 of the photos that have landmarks of that version but not this output."""
    return store.frame(
        f"""
        SELECT sha256 FROM "{landmarks.table_name}" SEMI JOIN images USING (sha256)
        ANTI JOIN (FROM attempts WHERE extractor = $extractor AND version = $version) USING (sha256)
        ORDER BY sha256""",
        extractor=output.extractor,
        version=output.version,
    )


def forget_failures(store: Store, outputs: Sequence[Output]) -> None:
    """Take the failures of these versions out of the ledger, so that they are tried again."""
    store.execute(
        f"WITH {_WANTED} DELETE FROM attempts WHERE status <> 'ok' AND (extractor, version) IN (FROM wanted)",
        **_named(outputs),
    )


def _named(outputs: Sequence[Output]) -> dict[str, object]:
    return {"extractors": [o.extractor for o in outputs], "versions": [o.version for o in outputs]}
