"""The faces nearest to one face: exact, in one SELECT on the store's views that people can run themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.errors import PhotoError
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.next_step import before_extract
from featurestore.outputs import chosen_encoder
from featurestore.sql_text import quote
from featurestore.store import Store
from featurestore.traits import SINGLE_SCORES

VIEWS = {"embedding": "embeddings", "geometry": "geometric_features", "landmarks": "shapes"}
"""What faces can be compared by -> the view that holds it."""

# DOUBLE and not the stored FLOAT: as fast, and near ties come in their true order
_ARRAYS = """
WITH distances AS MATERIALIZED (
    SELECT image_id, {function}({column}::DOUBLE[{size}], {query}) AS distance
    FROM {view}{where})"""

# lists and not UNPIVOT: a row a feature would take as much memory as all features, several times over
_FEATURES = """
WITH features AS (
    SELECT image_id, [{names}] AS measured FROM geometric_features),
spread AS (
    SELECT list(CASE WHEN sd > 1e-9 * high THEN sd END ORDER BY place) AS sds FROM (
        SELECT place, stddev_pop(value) FILTER (isfinite(value)) AS sd, max(abs(value)) FILTER (isfinite(value)) AS high
        FROM (SELECT unnest(measured) AS value, generate_subscripts(measured, 1) AS place FROM features)
        GROUP BY place)),
query AS ({query}),
distances AS MATERIALIZED (
    SELECT image_id, sqrt(list_avg(list_filter(
        list_transform(list_zip(f.measured, q.measured, sds), lambda v: ((v[1] - v[2]) / v[3]) ** 2),
        lambda square: isfinite(square)))) AS distance
    FROM features f, query q, spread)"""

# the columns that are shown are joined to the nearest alone
_NEAREST = """,
nearest AS (
    SELECT image_id, distance FROM distances WHERE isfinite(distance){scope} ORDER BY distance, image_id LIMIT {k})
SELECT row_number() OVER (ORDER BY distance, image_id) AS rank, image_id, distance, score, subset,
       sha256 = {sha256} AS same_photo
FROM nearest JOIN images USING (image_id) LEFT JOIN {scores} USING (image_id)
ORDER BY distance, image_id"""


@dataclass(frozen=True)
class Search:
    """What to search for.

    by        embedding: cosine distance of the embeddings of one encoder; a zero vector has none and is left out
              geometry: root mean square difference of the geometric features, in standard deviations over all images
              of the store; a feature counts when it varies and is measured in both
              landmarks: Euclidean distance of Procrustes shapes, which are aligned to the canonical face
    k         how many neighbours
    encoder   whose embeddings
    data_set  only neighbours of this data set
    """

    by: str
    k: int
    encoder: str | None = None
    data_set: str | None = None


@dataclass(frozen=True, eq=False)
class Query:
    """The face that others are compared with: an image of the store, or a photo measured just now.

    image_id  None for a photo that is given as a file
    sha256    hash of the photo's bytes
    values    of a file: what its row in the view would hold, column -> vector (n,) or feature -> value ()
    """

    image_id: str | None
    sha256: str
    values: Mapping[str, NDArray[np.floating[Any]]] | None = None


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest images.

    rows  rank (from 1), image_id, distance, score, subset, same_photo (its bytes are the query's)
    sql   the statement that gave them; `kallos sql` can run it
    """

    rows: pl.DataFrame
    sql: str


def stored_image(store: Store, name: str) -> Query:
    """The image of that image_id, or the only one whose image_id ends in /name.

    Raises UsageError when there is none or more than one.
    """
    rows = store.frame(
        "SELECT image_id, sha256 FROM images WHERE image_id = $name OR ends_with(image_id, '/' || $name) "
        "ORDER BY image_id <> $name, image_id",
        name=name,
    )
    if rows.is_empty():
        raise UsageError(
            f"{name} is neither an image of the store nor a photo file: "
            '`kallos sql "SELECT image_id FROM images"` lists the images.'
        )
    ids = rows["image_id"].to_list()
    if len(ids) > 1 and ids[0] != name:
        shown = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
        raise UsageError(f"{name} may be any of {len(ids)} images ({shown}): give the whole image_id.")
    return Query(ids[0], rows["sha256"][0])


def checked(store: Store, search: Search) -> Search:
    """The search with its encoder, which may be left out when the store holds the embeddings of one only.

    Raises PrerequisiteError before `kallos extract`, UsageError for an encoder that is unknown, needed or of no use.
    """
    view = VIEWS[search.by]
    if search.by != "embedding" and search.encoder is not None:
        raise UsageError(f"--encoder {search.encoder} chooses embeddings: leave it out, or search --by embedding.")
    if not store.has(view) or not store.value(f"SELECT count(*) FROM {view}"):
        raise before_extract(store, f"The store has no {view} yet")
    if search.by != "embedding":
        return search
    return replace(search, encoder=chosen_encoder(store, search.encoder))


def nearest(store: Store, query: Query, search: Search) -> Neighbours:
    """The images nearest to the query, itself left out; ties go by image_id. The search must be `checked`.

    Raises PhotoError when the stored image has no face, PrerequisiteError when it was not extracted yet.
    """
    if query.image_id is not None:
        _check_extracted(store, query.image_id, search)
    if search.by == "geometry":
        distances = _features(store, query)
    elif search.by == "landmarks":
        distances = _arrays(store, query, "shapes", "shape", "array_distance")
    else:
        scope = f"encoder = {quote(str(search.encoder))}"
        distances = _arrays(store, query, "embeddings", "vector", "array_cosine_distance", scope)
    scope = f" AND image_id <> {_id(query)}" if query.image_id is not None else ""
    if search.data_set is not None:
        scope += f" AND image_id IN (SELECT image_id FROM images WHERE data_set = {quote(search.data_set)})"
    sql = (
        distances + _NEAREST.format(scores=SINGLE_SCORES, sha256=quote(query.sha256), scope=scope, k=search.k)
    ).strip()
    return Neighbours(store.frame(sql), sql)


def _arrays(store: Store, query: Query, view: str, column: str, function: str, scope: str | None = None) -> str:
    where = f" WHERE {scope}" if scope else ""
    size = store.value(f"SELECT len({column}) FROM {view}{where} LIMIT 1")
    if query.values is None:
        chosen = f" AND {scope}" if scope else ""
        vector = f"(SELECT {column}::DOUBLE[{size}] FROM {view} WHERE image_id = {_id(query)}{chosen})"
    else:
        vector = f"{_numbers(query.values[column])}::DOUBLE[{size}]"
    return _ARRAYS.format(query=vector, function=function, column=column, size=size, view=view, where=where)


def _features(store: Store, query: Query) -> str:
    names = store.column("SELECT feature FROM feature_catalog WHERE extractor = 'geometry' ORDER BY feature")
    if query.values is None:
        measured = f"SELECT measured FROM features WHERE image_id = {_id(query)}"
    else:
        values = np.array([query.values.get(name, np.nan) for name in names])
        measured = f"SELECT {_numbers(values)}::DOUBLE[] AS measured"
    return _FEATURES.format(names=", ".join(f'"{name}"' for name in names), query=measured)


def _id(query: Query) -> str:
    return quote(str(query.image_id))


def _numbers(values: NDArray[np.floating[Any]]) -> str:
    """A literal that casts to exactly these numbers: bare decimals would be read with fewer digits."""
    return quote(str(values.astype(np.float64).tolist()))


def _check_extracted(store: Store, image_id: str, search: Search) -> None:
    rows = store.frame(f"FROM {VIEWS[search.by]} WHERE image_id = $image_id", image_id=image_id)
    if search.encoder is not None:
        rows = rows.filter(pl.col("encoder") == search.encoder)
    if len(rows):
        return
    failed = store.frame(
        "SELECT detail FROM extractions WHERE image_id = $image_id AND status <> 'ok' LIMIT 1", image_id=image_id
    )
    if failed.is_empty():
        raise PrerequisiteError(f"{image_id} is not extracted yet: run `kallos extract` first.")
    raise PhotoError(f"{image_id} cannot be compared: {failed['detail'][0]}")
