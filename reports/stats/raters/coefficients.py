"""Coefficients of agreement, each with its 95 % interval.

Intraclass correlations are named as by Shrout & Fleiss (1979). ICC(1): each image has raters of its own. ICC(2): raters
are a sample, and must agree in level. ICC(3): raters are these, and may differ in level. McGraw & Wong (1996) call them
ICC(1), ICC(A,1) and ICC(C,1). Each is a ratio of variance components by REML; in a balanced design where none is zero,
that is the ratio of mean squares. Intervals are McGraw & Wong's (1996, table 7), by F, exact for ICC(1) and ICC(3) of
a balanced design. With blanks they are approximations: components are put into the same formulas, with the harmonic
means of ratings an image and a rater in place of their numbers (Thomas & Hultquist 1978) and the degrees of freedom
that there are.
"""

import math

import numpy as np
from scipy.stats import f, rankdata

from reports.stats.bootstrap import UNKNOWN, Estimate, Reals, resamples
from reports.stats.raters.ratings import Ratings
from reports.stats.raters.variance_components import Components, anova, anova_of_images, reml, reml_of_images

TAIL = 0.975
ROUNDING = 1e-9


def harmonic_mean(counts: Reals) -> float:
    """Of those above zero."""
    return float(1 / (1 / counts[counts > 0]).mean())


def spearman_brown(single: Estimate, k: float) -> Estimate:
    """Reliability of the mean of k raters, of that of one (Spearman 1910, Brown 1910)."""
    return Estimate(*(k * r / (1 + (k - 1) * r) for r in (single.value, single.low, single.high)))


def raters_needed(single: float, reliability: float) -> float:
    """Raters whose mean has that reliability, by the same formula; infinite where one rater has none."""
    if math.isnan(single):
        return math.nan
    if single <= 0:
        return math.inf
    needed = reliability * (1 - single) / ((1 - reliability) * single)
    # a whole number that rounding has lifted is that number
    return float(max(math.ceil(needed - ROUNDING), 1))


def icc_1(ratings: Ratings) -> Estimate:
    """ICC(1): part of the variance of one rating that is due to the image, whoever gives it; NaN without repeats."""
    pooled = ratings.without_raters()
    images, freedom = len(pooled.counts) - 1, pooled.total - len(pooled.counts)
    if freedom < 1 or images < 1:
        return UNKNOWN
    found = reml_of_images(pooled)
    image, error = anova_of_images(pooled) if pooled.complete else (found.image, found.error)
    k = harmonic_mean(pooled.counts)
    return _part(found.image, found.error, _limits(k * image + error, error, error, k, images, freedom))


def icc_2_and_3(ratings: Ratings) -> tuple[Estimate, Estimate]:
    """ICC(2) and ICC(3) of ratings that each rater gave once; NaN where raters and images cannot be told apart."""
    counts = ratings.counts
    images, raters = counts.shape[0] - 1, counts.shape[1] - 1
    freedom = ratings.total - images - raters - 1
    if freedom < 1:
        return UNKNOWN, UNKNOWN
    found = reml(ratings)
    parts = Components(*anova(ratings)) if ratings.complete else found
    k, n = harmonic_mean(counts.sum(axis=1)), harmonic_mean(counts.sum(axis=0))
    error, between, rest = parts.residual, k * parts.image + parts.residual, parts.rater + parts.residual
    # Satterthwaite's degrees of freedom (1946) for the mixture of mean squares under ICC(2)
    times = k * parts.image / rest if rest > 0 else 0.0
    from_raters, from_error = times / n * (n * parts.rater + error), (1 + times * (n - 1) / n) * error
    per_freedom = from_raters**2 / raters + from_error**2 / freedom
    mixed = (from_raters + from_error) ** 2 / per_freedom if per_freedom else freedom
    return (
        _part(found.image, found.rater + found.residual, _limits(between, error, rest, k, images, mixed)),
        _part(found.image, found.residual, _limits(between, error, error, k, images, freedom)),
    )


def _limits(between: float, error: float, rest: float, k: float, images: float, freedom: float) -> tuple[float, float]:
    """Of an ICC, from mean squares between images and of error, the variance beside the image, degrees of freedom."""
    if rest <= 0:
        return 1.0, 1.0
    least, most = between / f.ppf(TAIL, images, freedom), between * f.ppf(TAIL, freedom, images)
    low, high = ((end - error) / (k * rest) for end in (least, most))
    return float(low / (1 + low)), float(high / (1 + high))


def _part(image: float, rest: float, limits: tuple[float, float]) -> Estimate:
    return Estimate(image / (image + rest), *limits) if image + rest > 0 else UNKNOWN


def cronbach(ratings: Ratings) -> Estimate:
    """Cronbach's alpha (1951) of the sum over raters, of pairwise covariances where there are blanks.

    The interval is Feldt's (Feldt et al. 1987), approximate with blanks. NaN where two raters share fewer than two
    images.
    """
    known, answer = ratings.known, ratings.known * (ratings.means - ratings.centre)
    pairs = known.T @ known
    images, raters = known.shape[0] - 1, known.shape[1]
    freedom = ratings.total - images - raters
    if pairs.min() < 2 or freedom < 1:
        return UNKNOWN
    sums = answer.T @ known
    covariances = (answer.T @ answer - sums * sums.T / pairs) / (pairs - 1)
    if covariances.sum() <= 0:
        return UNKNOWN
    alpha = raters / (raters - 1) * (1 - np.trace(covariances) / covariances.sum())
    low, high = (1 - (1 - alpha) * f.ppf(tail, images, freedom) for tail in (TAIL, 1 - TAIL))
    return Estimate(float(alpha), float(low), float(high))


def krippendorff(ratings: Ratings, *, ordinal: bool) -> Estimate:
    """Krippendorff's alpha (2011) for ordinal or interval data; its interval is of resampled images.

    The ordinal metric is the interval metric of mid-ranks among all pairable values: between two values lie the
    numbers of values in between, and half of those that equal either.
    """
    counts = ratings.counts.sum(axis=1)
    known = ratings.counts[counts > 1] > 0
    values = ratings.means[counts > 1][known]
    if not len(values) or np.ptp(values) == 0:
        return UNKNOWN
    image, n = np.nonzero(known)[0], counts[counts > 1]
    values = rankdata(values) if ordinal else values
    values = values - values.mean()
    sums, squares = np.bincount(image, values), np.bincount(image, values**2)
    within = 2 * (n * squares - sums**2) / (n - 1)

    def alpha(drawn: Reals) -> Reals:
        """Of (b, images) how often each is drawn."""
        total = drawn @ n
        expected = 2 * (total * (drawn @ squares) - (drawn @ sums) ** 2) / (total - 1)
        return np.asarray(1 - np.divide(drawn @ within, expected, out=np.full(len(drawn), np.nan), where=expected > 0))

    drawn = resamples(ratings.images[counts > 1])
    return Estimate.from_resamples(float(alpha(np.ones((1, len(n))))[0]), alpha(drawn))
