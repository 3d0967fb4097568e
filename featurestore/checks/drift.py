"""Whether groups of photos were measured alike.

Groups are compared by the Kolmogorov-Smirnov statistic, the largest distance between two cumulative
distributions: 0 the same, 1 no value in common; a shift of half a standard deviation gives .2, of one .38.
"""

import math

import numpy as np
from numpy.typing import NDArray

from featurestore.checks.contract import ENOUGH, Finding, NotRunError, Severity, need
from featurestore.checks.embeddings import encoders, sample
from featurestore.store import Store

FALSE_ALARM = 0.01
"""Chance that any of all comparisons of one check passes its threshold although nothing differs (Bonferroni)."""

DIFFERENT_SUBSETS = 0.95
"""Subsets differ for good reasons: sex moves brows by .66, the skin tones of drawn portraits differ by .78. With hardly
a value in common, though, the subsets were photographed or measured in different ways."""

DIFFERENT_DATA_SETS = 0.2
"""A model that was trained on one data set sees every face of the other shifted by half a standard deviation."""

SAME_DIRECTION = 0.9
"""Cosine of mean embeddings: .88 to .95 between the subsets of SCUT-FBP5500, .75 from those to drawn portraits,
.998 between 110 random photos and the rest."""


def subset_drift(store: Store, data_set: str) -> list[Finding]:
    """Features of the subsets overlap."""
    need(store, "geometric_features", data_set, ENOUGH)
    condition = "data_set = $data_set AND subset IS NOT NULL"
    names, values, subsets = _features(store, "subset", condition, data_set=data_set)
    groups = [str(g) for g in np.unique(subsets) if ENOUGH <= np.sum(subsets == g) <= len(subsets) - ENOUGH]
    found = []
    for group in groups:
        inside = subsets == group
        gaps, chance = ks_statistics(values, inside), chance_limit(inside, len(names) * len(groups))
        worst = int(gaps.argmax())
        limit = max(DIFFERENT_SUBSETS, chance)
        severity: Severity = "warn" if gaps[worst] > limit else "info"
        finding = Finding(
            severity,
            f"{names[worst]} of {group}",
            "KS distance to the other subsets",
            float(gaps[worst]),
            limit,
            int(inside.sum()),
            "compare the subsets' photos: light, camera and crop should be alike",
        )
        found.append(finding)
    return sorted(found, key=lambda finding: -finding.value)


def data_set_drift(store: Store, data_set: str) -> list[Finding]:
    """Features are as in the other data sets."""
    need(store, "geometric_features", data_set, ENOUGH)
    names, values, sets = _features(store, "data_set", "true")
    inside = sets == data_set
    if len(sets) - inside.sum() < ENOUGH:
        raise NotRunError("no other data set to compare with")
    gaps, limit = ks_statistics(values, inside), max(DIFFERENT_DATA_SETS, chance_limit(inside, len(names)))
    remedy = "do not trust a model trained on one of them on the other; train on both"
    return [
        Finding("warn", names[i], "KS distance to the rest", float(gaps[i]), limit, int(inside.sum()), remedy)
        for i in np.argsort(-gaps)
        if gaps[i] > limit
    ]


def embedding_drift(store: Store, data_set: str) -> list[Finding]:
    """Embeddings point as in other data sets."""
    need(store, "embeddings", data_set, ENOUGH)
    found, compared = [], 0
    for encoder in encoders(store, data_set):
        vectors, rest = (sample(store, encoder, f"data_set {sign} $data_set", data_set) for sign in ("=", "<>"))
        if min(len(vectors), len(rest)) < ENOUGH:
            continue
        compared += 1
        a, b = vectors.mean(axis=0, dtype=np.float64), rest.mean(axis=0, dtype=np.float64)
        cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
        if cosine < SAME_DIRECTION:
            measure = "cosine of mean embeddings"
            remedy = "compare the data sets' photos: light, camera and crop should be alike"
            found.append(Finding("warn", encoder, measure, cosine, SAME_DIRECTION, len(vectors), remedy))
    if not compared:
        raise NotRunError("no other data set to compare with")
    return found


def _features(
    store: Store, group: str, where: str, **parameters: object
) -> tuple[list[str], NDArray[np.float64], NDArray[np.str_]]:
    """F names, (n, F) values and the (n,) group of each image."""
    rows = store.frame(
        f"SELECT g.*, i.{group} AS grouped FROM geometric_features g JOIN images i USING (image_id) "
        f"WHERE {where} ORDER BY image_id",
        **parameters,
    )
    names = [c for c in rows.columns if c not in ("image_id", "grouped")]
    return names, rows.select(names).to_numpy().astype(np.float64), rows["grouped"].to_numpy().astype(str)


def ks_statistics(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(F,) Kolmogorov-Smirnov statistics of the rows inside against the others, over (n, F) values.

    Values that are not finite are left out; a feature without any on one side gives 0.
    """
    order = np.argsort(np.where(np.isfinite(values), values, np.inf), axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    known = np.isfinite(ordered)
    ours, others = (side[order] & known for side in (inside, ~inside))
    counts = [np.maximum(side.sum(axis=0), 1) for side in (ours, others)]
    gap = np.abs(ours.cumsum(axis=0) / counts[0] - others.cumsum(axis=0) / counts[1])
    # between equal values the distributions have not yet taken their step
    gap[:-1][ordered[:-1] == ordered[1:]] = 0
    both_sides = ours.any(axis=0) & others.any(axis=0)
    return np.where(both_sides, gap.max(axis=0, initial=0.0), 0.0)


def chance_limit(inside: NDArray[np.bool_], comparisons: int) -> float:
    """The statistic that chance alone passes with probability FALSE_ALARM in any of so many comparisons."""
    n, m = int(inside.sum()), int((~inside).sum())
    return math.sqrt(math.log(2 * comparisons / FALSE_ALARM) / 2 * (n + m) / (n * m))
