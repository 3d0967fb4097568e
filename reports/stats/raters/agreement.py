"""How well raters agree: every coefficient by name, on one frame of ratings or by its columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from reports.stats.bootstrap import Estimate
from reports.stats.raters.coefficients import (
    cronbach,
    harmonic_mean,
    icc_1,
    icc_2_and_3,
    krippendorff,
    raters_needed,
    spearman_brown,
)
from reports.stats.raters.ratings import Ratings, by_group
from reports.stats.raters.repeats import given_twice, retest

RELIABILITIES = (0.8, 0.9)
"""Of a mean, for which the raters needed are told."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of raters on one trait; every estimate has a 95 % interval and is NaN where it cannot be told.

    ratings             of a rater and an image, sessions and repeats together
    complete            whether every rater rated every image: then the intervals by F have no approximation
    k                   raters an image, in the harmonic mean: those that a mean is over
    icc_1, icc_2, icc_3 of a single rating (Shrout & Fleiss 1979), by name as in `coefficients.py`
    icc_1k ... icc_3k   of the mean of k raters, by Spearman-Brown
    cronbach            alpha of the sum over all raters
    ordinal, interval   Krippendorff's alpha
    retest              correlation of the first with the second answers
    again               ratings that were given twice
    """

    images: int
    raters: int
    ratings: int
    complete: bool
    k: float
    icc_1: Estimate
    icc_2: Estimate
    icc_3: Estimate
    icc_1k: Estimate
    icc_2k: Estimate
    icc_3k: Estimate
    cronbach: Estimate
    ordinal: Estimate
    interval: Estimate
    retest: Estimate
    again: int

    def needed(self, single: Estimate, reliability: float) -> Estimate:
        """Raters whose mean has a reliability, given that of one; fewest and most by its interval, maybe infinite."""
        ends = (single.value, single.high, single.low)
        return Estimate(*(raters_needed(end, reliability) for end in ends))


def agreement_of(frame: pl.DataFrame) -> Agreement:
    """Of a frame with image_id, rater_id, rating and, where known, first_rating and session.

    Raises UsageError where a column is missing or holds what is no number, and for fewer than two raters or images.
    """
    ratings, twice = Ratings.of(frame).once(), given_twice(frame)
    singles = (icc_1(ratings), *icc_2_and_3(ratings))
    k = harmonic_mean(ratings.counts.sum(axis=1))
    return Agreement(
        len(ratings.images),
        len(ratings.raters),
        ratings.total,
        ratings.complete,
        k,
        *singles,
        *(spearman_brown(single, k) for single in singles),
        cronbach(ratings),
        krippendorff(ratings, ordinal=True),
        krippendorff(ratings, ordinal=False),
        retest(twice),
        len(twice),
    )


NAMES = {
    "icc_1": "ICC(1)",
    "icc_2": "ICC(2)",
    "icc_3": "ICC(3)",
    "icc_1k": "ICC(1,k)",
    "icc_2k": "ICC(2,k)",
    "icc_3k": "ICC(3,k)",
    "cronbach": "Cronbach's alpha",
    "ordinal": "Krippendorff's alpha, ordinal",
    "interval": "Krippendorff's alpha, interval",
    "retest": "retest",
}
"""Field -> name of a coefficient."""


def agreement(ratings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """How well raters agree: a row a coefficient, of the whole frame or of each group of the columns `by`.

    ratings  image_id, rater_id, rating and, where known, first_rating and session; blanks are missing rows or nulls
    by       columns such as trait, subset, session

    The rows have the columns `by`, coefficient, value, low and high (95 % interval), raters_for_80 and raters_for_90
    (whose mean has that reliability, for single ICCs), k (raters an image, harmonic mean), images, raters and ratings.
    Raises UsageError where a column is missing or holds what is no number, and where a group has fewer than two raters
    or images.
    """
    rows = []
    for group, part in by_group(ratings, by):
        found = agreement_of(part)
        of = {"k": found.k, "images": found.images, "raters": found.raters, "ratings": found.ratings}
        for field, name in NAMES.items():
            estimate: Estimate = getattr(found, field)
            needed = {
                f"raters_for_{100 * level:.0f}": raters_needed(estimate.value, level)
                if field in ("icc_1", "icc_2", "icc_3")
                else None
                for level in RELIABILITIES
            }
            row = {"coefficient": name, "value": estimate.value, "low": estimate.low, "high": estimate.high}
            rows.append(group | row | needed | of)
    return pl.DataFrame(rows, infer_schema_length=None).fill_nan(None)
