"""Near-duplicates: photos that look like one photo or show one person, and a split that keeps them together.

Distances are measured in parts of the typical one, which is the median, over all photos, of the distance to the
nearest other photo: that makes the rule independent of the encoder and its weights. A pair is one when

- its perceptual hashes are all but equal, at most SAME bits apart, and its Procrustes shapes at most SAME_SHAPE,
  whatever the encoder makes of another background; or
- its hashes differ in at most HAMMING bits, the distance of its shapes and the cosine distance of its embeddings are at
  most the typical ones, and their mean at most NEAR: each of the three measures is wrong by itself; or
- the encoder learnt to tell people apart, and the cosine of its embeddings, less the mean of all photos, is at least
  what `models.networks.known_weights` has for its weights.

On SCUT-FBP5500 with ImageNet's MobileNetV2 it finds 42 pairs, each of which shows one person in one sitting (looked at
one by one); at .68 the first pair of two persons appears. Such an encoder does not find two different photos of one
person: its protocol is free of copies, not of every second picture. The face network finds some of these, too.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from extractors.outputs import EMBEDDING
from featurestore.group_differences import DUPLICATE_GROUPS
from featurestore.ingest.labels import FOLDS, with_roles
from featurestore.next_step import before_extract
from featurestore.outputs import active_table, chosen_encoder, encoder_parameters
from featurestore.store import Store
from featurestore.traits import traits_of

PROTOCOL = "identity-disjoint"
"""The protocol of a store of one trait; where others come, they have their own: `identity-disjoint-trustworthy`."""

HAMMING = 24
"""Of 64 bits: two faces at random differ in 32, the furthest true pair of SCUT-FBP5500 in 20."""

SAME = 3
"""Of 64 bits. Up to 3, true pairs of SCUT-FBP5500 end at .52 of the typical shape distance and strangers begin at 1.07;
at 4, the one pair within SAME_SHAPE that the embedding vetoes shows two strangers."""

SAME_SHAPE = 0.75
NEAR = 2 / 3
BLOCK = 512
"""Photos that are compared with all others at once: 100 MB for each measure of 50,000 photos."""


@dataclass(frozen=True, eq=False)
class _Photos:
    """n different photos: hashes of their bytes, and unit rows so that distances are products."""

    sha256: list[str]
    bits: NDArray[np.float32]
    vectors: NDArray[np.float32]
    centred: NDArray[np.float32]
    shapes: NDArray[np.float32]

    def likeness(self, rows: slice) -> NDArray[np.float32]:
        """(block, n) cosines of the embeddings, less their mean."""
        return self.centred[rows] @ self.centred.T

    def hamming(self, rows: slice) -> NDArray[np.float32]:
        """(block, n) bits that differ; `bits` are -1 and 1."""
        return (np.float32(64) - self.bits[rows] @ self.bits.T) / np.float32(2)

    def cosine(self, rows: slice) -> NDArray[np.float32]:
        """(block, n) cosine distances; a zero vector is far from all."""
        return np.maximum(1 - self.vectors[rows] @ self.vectors.T, 0)

    def shape(self, rows: slice) -> NDArray[np.float32]:
        """(block, n) Euclidean distances of shapes of unit size."""
        return np.sqrt(np.maximum(2 - 2 * self.shapes[rows] @ self.shapes.T, 0))


def find_near_duplicates(
    store: Store, encoder: str | None = None, same_person: Mapping[str, float] | None = None
) -> pl.DataFrame:
    """Find all pairs and put them into `near_duplicates`, which is also what is returned.

    same_person  sha256 of weights that learnt to tell people apart -> the cosine from which on two photos show one

    Raises UsageError for an unknown encoder, PrerequisiteError before `kallos extract`.
    """
    encoder = chosen_encoder(store, encoder)
    if encoder is None:
        raise before_extract(store, "The store has no embeddings yet")
    photos = _photos(store, encoder)
    if not photos.sha256:
        raise before_extract(store, "No photo has a fingerprint, a shape and an embedding yet")
    weights = encoder_parameters(store, encoder).get("weights_sha256", "")
    one_person = (same_person or {}).get(weights, math.inf)
    pairs = _named(store, _pairs(photos, one_person))
    with store.transaction():
        store.sync("near_duplicates", pairs)
    return pairs


def make_protocol(store: Store, data_set: str | None = None) -> None:
    """Write the protocol `identity-disjoint`: five folds of whole groups, balanced by data set, subset and score.

    Where photos were rated on several traits there is one for each. A trait that has the plain name keeps it, with all
    that was trained on it.

    Images are ordered by data set, subset, fifth of the scores within the subset, and a hash of their group's bytes,
    and groups are dealt to the folds in that order. Neither the order of rows nor a seed plays a part.
    """
    known = store.frame("SELECT data_set FROM data_sets WHERE data_set = coalesce($name, data_set)", name=data_set)
    dealt = {
        protocol: _dealt(store, data_set, trait, protocol)
        for trait, protocol in _protocols(store, traits_of(store, known["data_set"].to_list())).items()
    }
    with store.transaction():
        for protocol, rows in dealt.items():
            store.sync("splits", rows, "t.protocol = $protocol", protocol=protocol)


def _protocols(store: Store, traits: Sequence[str]) -> dict[str, str]:
    """trait -> its protocol."""
    holder = store.value("SELECT min(trait) FROM splits WHERE protocol = $protocol", protocol=PROTOCOL)
    if holder is None and store.value("SELECT count(DISTINCT trait) FROM traits") == 1:
        (holder,) = traits
    return {trait: PROTOCOL if trait == holder else f"{PROTOCOL}-{trait}" for trait in traits}


def _dealt(store: Store, data_set: str | None, trait: str, protocol: str) -> pl.DataFrame:
    query = f"""
        SELECT image_id, sha256, coalesce(group_id, sha256) AS unit, data_set, coalesce(subset, '') AS subset, score
        FROM images JOIN (FROM scores WHERE trait = $trait) USING (image_id)
        SEMI JOIN geometric_features USING (image_id)
        LEFT JOIN {DUPLICATE_GROUPS} USING (image_id)
        WHERE data_set = coalesce($data_set, data_set)"""
    images = store.frame(query, data_set=data_set, trait=trait)
    stratum = ["data_set", "subset"]
    fifth = (pl.col("score").rank("ordinal").over(stratum) - 1) * 5 // pl.len().over(stratum)
    units = (
        images.sort("score", "sha256", "image_id")
        .with_columns(fifth=fifth, least=pl.col("sha256").min().over("unit"))
        .with_columns(order=pl.col("least").map_elements(_shuffled, return_dtype=pl.String))
        .sort(*stratum, "fifth", "order", "image_id")
        .unique("unit", keep="first", maintain_order=True)
        .with_row_index("place")
        .select("unit", test_fold=pl.col("place") % FOLDS + 1)
    )
    return with_roles(images.join(units, on="unit"), protocol, trait)


def searched(store: Store) -> bool:
    """Whether near-duplicates were searched for, which leaves the protocol behind even where there are none."""
    return bool(store.value("SELECT count(*) FROM splits WHERE starts_with(protocol, $protocol)", protocol=PROTOCOL))


def leaks(store: Store) -> pl.DataFrame:
    """Of each fold: protocol, fold, tested images, and `leaked`, those with a near-duplicate in the training role."""
    return store.frame(
        """
        WITH pairs AS (
            SELECT image_id, other_id FROM near_duplicates UNION SELECT other_id, image_id FROM near_duplicates),
        leaked AS (
            SELECT DISTINCT t.protocol, t.fold, t.image_id
            FROM splits t JOIN pairs USING (image_id)
            JOIN splits o ON o.image_id = pairs.other_id AND o.protocol = t.protocol AND o.fold = t.fold
            WHERE t.role = 'test' AND o.role = 'train')
        SELECT protocol, fold, count(*)::INT AS tested, count(leaked.image_id)::INT AS leaked
        FROM splits LEFT JOIN leaked USING (protocol, fold, image_id)
        WHERE role = 'test' GROUP BY ALL ORDER BY ALL"""
    )


def _photos(store: Store, encoder: str) -> _Photos:
    fingerprints, embeddings = active_table(store, "fingerprint"), active_table(store, f"{EMBEDDING}{encoder}")
    rows = store.frame(
        f'SELECT sha256, phash, vector, shape FROM "{fingerprints}" JOIN "{embeddings}" USING (sha256) '
        f'JOIN "{active_table(store, "shape")}" USING (sha256) SEMI JOIN images USING (sha256) ORDER BY sha256'
    )
    hashes = rows["phash"].to_numpy().astype(">u8").view(np.uint8).reshape(len(rows), 8)
    bits = 2 * np.unpackbits(hashes, axis=1).astype(np.float32) - 1
    vectors = rows["vector"].to_numpy()
    centred = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    return _Photos(rows["sha256"].to_list(), bits, _unit(vectors), _unit(centred), _unit(rows["shape"].to_numpy()))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return rows / lengths


def _pairs(photos: _Photos, one_person: float) -> pl.DataFrame:
    """sha256, other, hamming and cosine_distance of every pair, sha256 < other."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(photos.sha256), BLOCK)]
    nearest = [(_to_nearest(photos.cosine(rows), rows), _to_nearest(photos.shape(rows), rows)) for rows in blocks]
    found = []
    cosine, shape = (float(np.median(np.concatenate(distances))) for distances in zip(*nearest, strict=True))
    for rows in blocks:
        cosines, shapes, differing = photos.cosine(rows), photos.shape(rows), photos.hamming(rows)
        same = (differing <= SAME) & (shapes <= SAME_SHAPE * shape)
        near = (differing <= HAMMING) & (cosines <= cosine) & (shapes <= shape)
        near &= cosines * shape + shapes * cosine <= 2 * NEAR * cosine * shape
        person = photos.likeness(rows) >= one_person
        for i, j in zip(*np.nonzero(same | near | person), strict=True):
            first, second = photos.sha256[rows.start + i], photos.sha256[j]
            if first < second:
                found.append((first, second, round(float(differing[i, j])), float(cosines[i, j])))
    columns = {"sha256": pl.String, "other": pl.String, "hamming": pl.Int32, "cosine_distance": pl.Float64}
    return pl.DataFrame(found, schema=columns, orient="row")


def _to_nearest(distances: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
    """(block,): from each photo to the nearest other one."""
    diagonal = np.arange(len(distances))
    distances[diagonal, diagonal + rows.start] = np.inf
    return distances.min(axis=1)


def _named(store: Store, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs by image_id, copies of the same bytes among them, each with its group's least image_id."""
    with store.registered(pairs):
        named = store.frame(
            """
            WITH pairs AS (
                FROM incoming UNION ALL
                SELECT DISTINCT sha256, sha256, 0, 0.0 FROM images WHERE sha256 IS NOT NULL)
            SELECT least(a.image_id, b.image_id) AS image_id, greatest(a.image_id, b.image_id) AS other_id,
                   hamming, cosine_distance
            FROM pairs p JOIN images a ON a.sha256 = p.sha256 JOIN images b ON b.sha256 = p.other
            WHERE a.image_id <> b.image_id
            GROUP BY ALL ORDER BY ALL"""
        )
    ids = pl.concat([named["image_id"], named["other_id"]]).unique().sort()
    place = dict(zip(ids, range(len(ids)), strict=True))
    ends = tuple(
        named[column].replace_strict(place, return_dtype=pl.Int64).to_numpy() for column in ("image_id", "other_id")
    )
    graph = coo_array((np.ones(len(named)), ends), shape=(len(ids), len(ids)))
    _, group = connected_components(graph, directed=False)
    # ids are sorted, so the first of a group is its least
    first = {number: image_id for image_id, number in reversed(list(zip(ids, group, strict=True)))}
    least = pl.Series([first[group[place[image_id]]] for image_id in named["image_id"]], dtype=pl.String)
    return named.with_columns(hamming=pl.col("hamming").cast(pl.Int32), group_id=least)


def _shuffled(sha256: str) -> str:
    """A fixed order that has nothing to do with the photo."""
    return hashlib.sha256(f"{PROTOCOL} {sha256}".encode()).hexdigest()
