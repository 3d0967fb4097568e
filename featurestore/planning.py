"""What is left to compute: for `kallos extract`, which does it, and for `kallos plan`, which shows it.

A photo is known by its bytes: moved, renamed or twice in the data sets, it is computed once.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from extractors.outputs import Output
from extractors.photo_files import reads_heic
from extractors.recipes import changes
from featurestore.folders import gone, is_there
from featurestore.outputs import active_versions
from featurestore.store import Store

_ENVIRONMENT_FAILURES = "status IN ('missing', 'needs_extra')"
"""Failures that are not due to the photo itself."""

_REQUESTED = "requested AS (SELECT unnest($extractors) AS extractor, unnest($versions) AS version)"


def from_pixels_todo(store: Store, outputs: Sequence[Output]) -> pl.DataFrame:
    """The photos to extract: sha256, paths (absolute), their data sets' folders, extractors that have not tried them.

    A photo whose landmarks failed is done: nothing else can be computed from it.
    """
    query = f"""
        WITH {_REQUESTED},
        photos AS (SELECT DISTINCT sha256 FROM images WHERE sha256 IS NOT NULL),
        faceless AS (
            SELECT sha256 FROM attempts JOIN requested USING (extractor, version)
            WHERE extractor = 'landmarks' AND status <> 'ok'),
        untried AS (
            SELECT sha256, extractor FROM photos CROSS JOIN requested
            ANTI JOIN attempts USING (sha256, extractor, version)),
        todo AS (
            SELECT sha256, list(extractor ORDER BY extractor <> 'landmarks', extractor) AS missing
            FROM untried ANTI JOIN faceless USING (sha256) GROUP BY sha256)
        SELECT sha256, list(root || '/' || path ORDER BY image_id) AS paths, list(DISTINCT root ORDER BY root) AS roots,
               any_value(missing) AS missing
        FROM todo JOIN images USING (sha256) JOIN locations USING (data_set)
        GROUP BY sha256 ORDER BY min(image_id)"""
    return store.frame(query, **_named(outputs))


def require_folders(todo: pl.DataFrame) -> None:
    """Raises FolderGoneError when photos of `from_pixels_todo` lie in a folder that is not there."""
    if absent := [root for root in todo["roots"].explode().unique().sort() if not is_there(Path(root))]:
        unreachable = todo.filter(pl.col("roots").list.eval(pl.element().is_in(absent)).list.all())
        if len(unreachable):
            raise gone(unreachable["roots"][0][0])


def resolved(store: Store, outputs: Sequence[Output]) -> pl.DataFrame:
    """sha256 of photos whose failure was no fault of theirs and is over: missing ones are there, extras installed."""
    query = f"""
        WITH {_REQUESTED}
        SELECT sha256, bool_or(status = 'missing') AS missing, list(DISTINCT root || '/' || path) AS paths
        FROM attempts JOIN requested USING (extractor, version)
        JOIN images USING (sha256) JOIN locations USING (data_set)
        WHERE {_ENVIRONMENT_FAILURES} GROUP BY sha256 ORDER BY sha256"""
    rows = store.frame(query, **_named(outputs))
    over = [
        any(os.access(path, os.R_OK) for path in paths) if missing else reads_heic()
        for _, missing, paths in rows.iter_rows()
    ]
    return rows.filter(pl.Series(over, dtype=pl.Boolean)).select("sha256")


def from_landmarks_todo(store: Store, output: Output, landmarks: Output) -> pl.DataFrame:
    """sha256 of the photos that have landmarks of that version but not this output."""
    query = f"""
        SELECT sha256 FROM "{landmarks.table_name}" SEMI JOIN images USING (sha256)
        ANTI JOIN (FROM attempts WHERE extractor = $extractor AND version = $version) USING (sha256)
        ORDER BY sha256"""
    return store.frame(query, extractor=output.extractor, version=output.version)


@dataclass(frozen=True)
class PlanLine:
    """What `kallos extract` would find of one extractor; figures count photos, each once.

    version   the requested one; None of an encoder that was never used
    fresh     has a row of the requested version
    stale     has a row of another version only
    missing   was never tried, or only with failures of other versions
    failed    was tried by the requested version and failed, or its landmarks did
    again     of those that are stale or missing: failed by no fault of theirs, such as missing ones that are there now
    orphaned  has rows, of any version, but is no image of the store any more
    why       what made rows stale, what went wrong, as short phrases
    shown     the version that the views show, where it is another
    seconds   of work that stale and missing photos take, as recorded before; None while nothing is recorded
    """

    extractor: str
    version: str | None
    fresh: int
    stale: int
    missing: int
    failed: int
    again: int
    orphaned: int
    why: tuple[str, ...]
    shown: str | None
    seconds: float | None


def plan(store: Store, outputs: Sequence[Output]) -> tuple[PlanLine, ...]:
    """A line for each requested output, landmarks first; nothing is written."""
    with store.registered(resolved(store, outputs)):
        return tuple(_line(store, output, outputs[0]) for output in outputs)


def _line(store: Store, output: Output, landmarks: Output) -> PlanLine:
    counts = _counts(store, output, landmarks)
    query = """
        SELECT count(DISTINCT a.sha256) FILTER (i.sha256 IS NULL)::INT, avg(milliseconds) FILTER (status = 'ok')
        FROM attempts a LEFT JOIN (SELECT DISTINCT sha256 FROM images) i ON i.sha256 = a.sha256
        WHERE extractor = $extractor"""
    orphaned, milliseconds = store.frame(query, extractor=output.extractor).row(0)
    shown = active_versions(store).get(output.extractor)
    todo = counts["stale"] + counts["missing"]
    return PlanLine(
        extractor=output.extractor,
        version=output.version,
        **counts,
        orphaned=orphaned,
        why=(
            *(_changes(store, output) if counts["stale"] else ()),
            *(_failures(store, output, landmarks) if counts["failed"] else ()),
        ),
        shown=None if shown == output.version else shown,
        seconds=0.0 if not todo else None if milliseconds is None else todo * milliseconds / 1000,
    )


def _counts(store: Store, output: Output, landmarks: Output) -> dict[str, int]:
    """How many photos are fresh, stale, missing, failed and tried again, see `PlanLine`."""
    return store.frame(
        f"""
        WITH photos AS (SELECT DISTINCT sha256 FROM images WHERE sha256 IS NOT NULL),
        tried AS (FROM attempts WHERE NOT ({_ENVIRONMENT_FAILURES} AND sha256 IN (SELECT sha256 FROM incoming))),
        now AS (FROM tried WHERE extractor = $extractor AND version = $version),
        faceless AS (FROM tried WHERE extractor = 'landmarks' AND version = $landmarks AND status <> 'ok'),
        before AS (
            SELECT DISTINCT sha256 FROM attempts
            WHERE extractor = $extractor AND version <> $version AND status = 'ok'),
        states AS (
            SELECT CASE WHEN now.status = 'ok' THEN 'fresh'
                        WHEN now.status IS NOT NULL OR faceless.status IS NOT NULL THEN 'failed'
                        WHEN before.sha256 IS NOT NULL THEN 'stale' ELSE 'missing' END AS state,
                   sha256 IN (SELECT sha256 FROM incoming) AS is_resolved
            FROM photos LEFT JOIN now USING (sha256) LEFT JOIN faceless USING (sha256) LEFT JOIN before USING (sha256))
        SELECT count(*) FILTER (state = 'fresh')::INT AS fresh, count(*) FILTER (state = 'stale')::INT AS stale,
               count(*) FILTER (state = 'missing')::INT AS missing, count(*) FILTER (state = 'failed')::INT AS failed,
               count(*) FILTER (state IN ('stale', 'missing') AND is_resolved)::INT AS again FROM states""",
        extractor=output.extractor,
        version=output.version,
        landmarks=landmarks.version,
    ).row(0, named=True)


def _failures(store: Store, output: Output, landmarks: Output) -> tuple[str, ...]:
    """`3 no_face`, of this output or, where it was not tried for that, of its landmarks."""
    query = """
        SELECT status, count(DISTINCT sha256) AS photos FROM attempts SEMI JOIN images USING (sha256)
        WHERE status <> 'ok' AND (extractor, version) IN (($extractor, $version), ('landmarks', $landmarks))
        GROUP BY status ORDER BY photos DESC, status"""
    rows = store.frame(query, extractor=output.extractor, version=output.version, landmarks=landmarks.version)
    return tuple(f"{photos:,} {status}" for status, photos in rows.iter_rows())


def _changes(store: Store, output: Output) -> tuple[str, ...]:
    """How the requested recipe differs from that of the version that people see."""
    rows = store.frame(
        "SELECT recipe FROM extractor_versions WHERE extractor = $extractor AND active", extractor=output.extractor
    )
    if rows.is_empty():
        return ()
    return tuple(changes(json.loads(rows.item()), json.loads(output.recipe)))


def forget_failures(store: Store, outputs: Sequence[Output]) -> None:
    """Take the failures of these versions out of the ledger, so that they are tried again."""
    store.execute(
        f"WITH {_REQUESTED} DELETE FROM attempts WHERE status <> 'ok' AND (extractor, version) IN (FROM requested)",
        **_named(outputs),
    )


def forget_resolved(store: Store, outputs: Sequence[Output]) -> None:
    """Take failures that are over out of the ledger, see `resolved`."""
    with store.registered(resolved(store, outputs)):
        store.execute(f"DELETE FROM attempts WHERE {_ENVIRONMENT_FAILURES} AND sha256 IN (SELECT sha256 FROM incoming)")


def _named(outputs: Sequence[Output]) -> dict[str, object]:
    """The parameters of _REQUESTED."""
    return {"extractors": [o.extractor for o in outputs], "versions": [o.version for o in outputs]}
