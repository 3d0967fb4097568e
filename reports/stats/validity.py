"""Whether a model may be used for other raters, from a sample of photos that they rated: the rule of `kallos validate`.

The correlation of ranks is corrected for the raters' noise (Spearman 1904): it is divided by the root of the
reliability of their mean scores, which is resampled with it. docs/studies/validation.md gives the reasons for the
limits, and tests/test_validity.py simulates the error rates.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom, f, spearmanr

from featurestore.calibration import LEVEL
from featurestore.errors import DataError
from reports.stats.bootstrap import Estimate, means, rank_correlations, resamples

Verdict = Literal["use", "recalibrate", "do not use", "undecided"]

USEFUL = 0.5
"""Corrected correlation above which a model may be used: it then orders two of three pairs of photos as the raters."""

FALSE_ALARM = 0.025
"""Chance of each of two tests, of level and of coverage, that a calibrated model is recalibrated for nothing."""

POWER = 0.8
Z_ALPHA, Z_POWER = 1.96, 0.8416
MOST_PHOTOS = 2_000
"""More photos than anybody would have rated to decide it."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Validity:
    """What n photos of `people` different people, rated by others, say of a model; scores are on its scale.

    spearman     of predictions and scores as they are
    reliability  of the scores: share of their variance that is not the raters' noise; None where that is not known
    corrected    `spearman` without the noise; the same where it is not known
    offset       mean of score - prediction
    slope        of the regression of scores on predictions; 1 is right
    miscalibrated  p value of the test that offset is 0 and slope 1 (Wald, by the resamples' covariance)
    coverage     share of scores within the predictions' 90 % intervals; None where there are none
    uncovered    p value of the test that it is at least 90 %
    needed       photos that would decide with 80 % power, were the corrected correlation as estimated; None for more
                 than 2,000
    verdict      see docs/studies/validation.md
    """

    n: int
    people: int
    spearman: Estimate
    reliability: Estimate | None
    corrected: Estimate
    offset: Estimate
    slope: Estimate
    miscalibrated: float
    coverage: Estimate | None
    uncovered: float | None
    needed: int | None
    verdict: Verdict


def validity(photos: pl.DataFrame) -> Validity:
    """The verdict on a model, from a frame of photos.

    score, predicted  what the raters say and what the model says, on one scale
    low, high         ends of the model's 90 % intervals, if there are any
    noise             variance of each score that is the raters' noise, if it is known
    person            the same for photos of one person, if some are

    Raises DataError where all scores or all predictions are equal.
    """
    truth, predicted = (photos[name].to_numpy().astype(np.float64) for name in ("score", "predicted"))
    if np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        raise DataError("All scores or all predictions are equal, so there is no order to compare: rate other photos.")
    rows = photos["person"] if "person" in photos.columns else pl.Series(range(len(photos)))
    people = rows.cast(pl.String).to_numpy().astype(np.str_)
    counts, persons = resamples(people), len(np.unique(people))
    spearman = float(spearmanr(truth, predicted).statistic)
    resampled = rank_correlations(counts, truth, predicted)
    reliability, corrected = None, Estimate.from_resamples(spearman, resampled)
    if "noise" in photos.columns:
        reliability, corrected = _corrected(counts, truth, photos["noise"].to_numpy(), spearman, resampled)
    offset, slope, miscalibrated = _level(counts, truth, predicted, persons)
    coverage, uncovered = None, None
    if "low" in photos.columns:
        inside = photos.select(pl.col("score").is_between("low", "high"))["score"].to_numpy()
        coverage = Estimate.of_share(inside, people)
        uncovered = float(binom.cdf(round(coverage.value * persons), persons, LEVEL))
    is_off = miscalibrated < FALSE_ALARM or (uncovered is not None and uncovered < FALSE_ALARM)
    return Validity(
        n=len(photos),
        people=persons,
        spearman=Estimate.from_resamples(spearman, resampled),
        reliability=reliability,
        corrected=corrected,
        offset=offset,
        slope=slope,
        miscalibrated=miscalibrated,
        coverage=coverage,
        uncovered=uncovered,
        needed=photos_needed(corrected.value, reliability.value if reliability else 1.0),
        verdict=_verdict(corrected, is_off),
    )


def photos_needed(corrected: float, reliability: float) -> int | None:
    """Photos for a verdict with 80 % power, were this the corrected correlation; None where more than 2,000 would be.

    By Fisher's z of a rank correlation (Bonett & Wright 2000), the reliability taken as known.
    """
    root = math.sqrt(max(reliability, 0.0))
    observed, limit = min(corrected * root, 0.999), USEFUL * root
    apart = abs(math.atanh(observed) - math.atanh(limit))
    if apart < 1e-3:
        return None
    needed = math.ceil(3 + (1 + observed**2 / 2) * ((Z_ALPHA + Z_POWER) / apart) ** 2)
    return needed if needed <= MOST_PHOTOS else None


def _verdict(corrected: Estimate, is_off: bool) -> Verdict:
    if corrected.low > USEFUL:
        return "recalibrate" if is_off else "use"
    return "do not use" if corrected.high < USEFUL else "undecided"


def _corrected(
    counts: Array, truth: Array, noise: Array, spearman: float, resampled: Array
) -> tuple[Estimate, Estimate]:
    """The reliability of (n,) scores with these variances of noise, and the correlation without it; at most 1."""
    n = len(truth)
    spread = means(counts, truth**2) - means(counts, truth) ** 2
    # a resample varies less than the sample, as the sample less than all photos
    reliable = 1 - means(counts, noise) / np.maximum(spread * (n / (n - 1)) ** 2, 1e-12)
    reliability = float(1 - noise.mean() / truth.var(ddof=1))
    return (
        Estimate.from_resamples(reliability, reliable),
        Estimate.from_resamples(float(_without_noise(spearman, reliability)), _without_noise(resampled, reliable)),
    )


def _without_noise(correlation: float | Array, reliability: float | Array) -> Array:
    """Where all variance is noise, the correlation without it may be anything up to 1."""
    divided = correlation / np.sqrt(np.maximum(reliability, 1e-12))
    return np.clip(divided, -1, 1)


def _level(counts: Array, truth: Array, predicted: Array, persons: int) -> tuple[Estimate, Estimate, float]:
    """Offset and slope of n predictions, and the p value of both being right."""
    error, centred = truth - predicted, predicted - predicted.mean()
    mean = means(counts, centred)
    spread = np.maximum(means(counts, centred**2) - mean**2, 1e-12)
    offsets, slopes = means(counts, error), 1 + (means(counts, centred * error) - mean * means(counts, error)) / spread
    found = float(error.mean()), float(1 + centred @ error / (centred @ centred))
    off = np.array([found[0], found[1] - 1])
    wald = float(off @ np.linalg.solve(np.cov(offsets, slopes) + 1e-12 * np.eye(2), off))
    p = float(f.sf(wald / 2, 2, persons - 2))
    return Estimate.from_resamples(found[0], offsets), Estimate.from_resamples(found[1], slopes), p
