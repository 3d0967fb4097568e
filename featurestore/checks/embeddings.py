"""Whether the embeddings distinguish photos."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from featurestore.checks.contract import ENOUGH, Finding, graded, need
from featurestore.store import Store

FAIL_REPEATED = 0.05
"""Share of photos: copies saved again explain a few equal vectors; a twentieth means that the network is blind."""

MOST_ALIKE = 0.999
"""Mean cosine of two photos: .69 with ImageNet weights on real faces, .93 with random weights on drawn ones."""

MOST_DEAD = 0.9
"""Share of dimensions that never change: a rectified network leaves some, not nearly all."""

WARN_RANK, FAIL_RANK, RANK_IMAGES = 3.0, 1.1, 50
"""Effective number of directions that embeddings vary in, among at least 50 photos: 28 with ImageNet weights on real
faces. Random weights on drawn portraits give 1.5, which is poor, not broken; nearly 1 means one number a photo."""

SAMPLE = 10_000
"""Photos that spread and direction are measured on: more change neither, and cost a gigabyte."""

DIRECTED = "(list_dot_product(vector, vector) > 0 AND isfinite(list_dot_product(vector, vector)))"
"""A vector that has a direction: neither zero, NaN nor infinite."""

WEIGHTS = "extract again with `--weights imagenet` or with other weights"


def broken_embeddings(store: Store, data_set: str) -> list[Finding]:
    """No embedding is zero, NaN or infinite."""
    need(store, "embeddings", data_set)
    query = f"""
        SELECT encoder, count(*), min(image_id) FROM embeddings JOIN images USING (image_id)
        WHERE data_set = $data_set AND NOT coalesce({DIRECTED}, false)
        GROUP BY encoder ORDER BY ALL"""
    rows = store.frame(query, data_set=data_set)
    return [
        Finding("fail", encoder, "vectors without a direction", broken, 0, broken, WEIGHTS, first)
        for encoder, broken, first in rows.iter_rows()
    ]


def repeated_embeddings(store: Store, data_set: str) -> list[Finding]:
    """No two photos share an embedding."""
    images = need(store, "embeddings", data_set, ENOUGH)
    query = """
        SELECT encoder, sum(n)::INT, any_value(pair) FROM (
            SELECT encoder, count(*) AS n, min(image_id) || ' and ' || max(image_id) AS pair
            FROM embeddings JOIN images USING (image_id) WHERE data_set = $data_set
            GROUP BY encoder, vector HAVING count(DISTINCT sha256) > 1)
        GROUP BY encoder ORDER BY ALL"""
    rows = store.frame(query, data_set=data_set)
    measure, remedy = "share of photos with the vector of another", f"compare the photos; are they different, {WEIGHTS}"
    return [
        Finding(severity, encoder, measure, n / images, limit, n, remedy, pair)
        for encoder, n, pair in rows.iter_rows()
        for severity, limit in [graded(n / images, 0, FAIL_REPEATED)]
    ]


def collapsed_embeddings(store: Store, data_set: str) -> list[Finding]:
    """Embeddings vary in many directions."""
    need(store, "embeddings", data_set, ENOUGH)
    return [finding for encoder in encoders(store, data_set) for finding in _collapse(store, data_set, encoder)]


def _collapse(store: Store, data_set: str, encoder: str) -> list[Finding]:
    vectors = sample(store, encoder, "data_set = $data_set", data_set)
    n = len(vectors)
    if n < ENOUGH:
        return []
    found = []
    alike, dead, rank = mean_cosine(vectors), dead_share(vectors), effective_rank(vectors)
    if alike > MOST_ALIKE:
        found.append(Finding("fail", encoder, "mean cosine of two photos", alike, MOST_ALIKE, n, WEIGHTS))
    if dead > MOST_DEAD:
        found.append(Finding("fail", encoder, "share of dimensions that never change", dead, MOST_DEAD, n, WEIGHTS))
    if n >= RANK_IMAGES and rank < WARN_RANK:
        warned = Finding("warn", encoder, "effective rank", rank, WARN_RANK, n, WEIGHTS)
        found.append(replace(warned, severity="fail", limit=FAIL_RANK) if rank < FAIL_RANK else warned)
    return found


def encoders(store: Store, data_set: str) -> list[str]:
    """Encoders that have embedded photos of this data set."""
    if not store.has("embeddings"):
        return []
    return store.column(
        "SELECT DISTINCT encoder FROM embeddings JOIN images USING (image_id) WHERE data_set = $data_set ORDER BY ALL",
        data_set=data_set,
    )


def sample(store: Store, encoder: str, where: str, data_set: str) -> NDArray[np.float32]:
    """(n, E) sound embeddings of at most SAMPLE photos for which the condition on `images` holds, always the same."""
    query = f"""
        SELECT vector FROM embeddings JOIN images USING (image_id)
        WHERE encoder = $encoder AND {where} AND {DIRECTED}
        ORDER BY hash(image_id) LIMIT {SAMPLE}"""
    rows = store.frame(query, encoder=encoder, data_set=data_set)
    flat: NDArray[np.float32] = rows["vector"].explode().to_numpy()
    return flat.reshape(len(rows), -1) if len(rows) else np.zeros((0, 0), np.float32)


def mean_cosine(vectors: NDArray[np.float32]) -> float:
    """Mean cosine of all pairs of different rows of (n, E), of which none is zero."""
    n = len(vectors)
    total = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).sum(axis=0, dtype=np.float64)
    return float((total @ total - n) / (n * (n - 1)))


def dead_share(vectors: NDArray[np.float32]) -> float:
    """Share of the columns of (n, E) in which all rows agree up to float32's rounding."""
    return float(np.mean(np.ptp(vectors, axis=0) <= 1e-6 * np.abs(vectors).max(axis=0)))


def effective_rank(vectors: NDArray[np.float32]) -> float:
    """Participation ratio of the variances of (n, E): E when all directions vary alike, 1 when one does, 0 when none.

    (sum of eigenvalues)² / sum of their squares, which the covariance gives without finding the eigenvalues.
    """
    centred = vectors - vectors.mean(axis=0)
    gram = centred.T @ centred if len(centred) > centred.shape[1] else centred @ centred.T
    squares = float((gram.astype(np.float64) ** 2).sum())
    return float(np.trace(gram)) ** 2 / squares if squares > 0 else 0.0
