"""Made-up FaceBatches whose scores can be learned from features, regions' embeddings, shapes or pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.regions import REGIONS
from featurestore.records import FaceBatch

PER_REGION = 3


def learnable_batch(n: int = 240, *, seed: int = 0, side: int = 0, without: str = "skin") -> FaceBatch:
    """n rows; three features for every region but `without`; faces of `side` pixels that brighten with the score."""
    random = np.random.default_rng(seed)
    regions = tuple(region for region in REGIONS if region != without for _ in range(PER_REGION))
    features = random.normal(size=(n, len(regions)))
    embeddings = random.normal(size=(n, 12)).astype(np.float32)
    seen = {region: random.normal(size=(n, 6)).astype(np.float32) for region in REGIONS if region != "symmetry"}
    hidden = sum(values[:, 0] for values in seen.values()) / np.sqrt(len(seen))
    latent = features @ random.normal(size=len(regions)) / 5 + hidden
    scores = np.clip(3 + 0.6 * latent, 1, 5)
    features[random.random(features.shape) < 0.02] = np.nan
    shapes = random.normal(scale=0.01, size=(n, 936)).astype(np.float32)
    shapes[:, :40] += (0.02 * latent)[:, None].astype(np.float32)
    return FaceBatch(
        image_ids=tuple(f"face{i}" for i in range(n)),
        feature_names=tuple(f"{region}_{i % PER_REGION}" for i, region in enumerate(regions)),
        feature_regions=regions,
        features=features,
        shapes=shapes,
        embeddings=embeddings,
        region_embeddings=seen,
        faces=bright_faces(scores, side, random) if side else None,
        scores=scores,
        histograms=np.clip(1 - np.abs(scores[:, None] - np.arange(1, 6)), 0, 1),
    )


def bright_faces(scores: NDArray[np.float64], side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """(n, side, side, 3) uint8: noise with a spot in the middle that grows with the score."""
    faces = random.integers(60, 120, size=(len(scores), side, side, 3)).astype(np.uint8)
    for face, score in zip(faces, scores, strict=True):
        reach = max(1, round(side * score / 14))
        middle = slice(side // 2 - reach, side // 2 + reach)
        face[middle, middle] = (230, 120, 60)
    return faces


def split(batch: FaceBatch) -> tuple[FaceBatch, FaceBatch]:
    """Four fifths of the rows to learn from, and the last fifth."""
    last = np.arange(len(batch)) >= 0.8 * len(batch)
    return batch.take(~last), batch.take(last)
