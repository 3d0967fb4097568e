"""How well raters agree: every coefficient by name, on one frame of ratings or by its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

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

COEFFICIENTS = {
    "icc_1": "ICC(1)",
    "icc_2": "ICC(2)",
    "icc_3": "ICC(3)",
    "icc_1k": "ICC(1,k)",
    "icc_2k": "ICC(2,k)",
    "icc_3k": "ICC(3,k)",
    "cronbach": "Cronbach's alpha",
    "krippendorff_ordinal": "Krippendorff's alpha, ordinal",
    "krippendorff_interval": "Krippendorff's alpha, interval",
    "retest": "retest",
}
"""Key -> name. An ICC is of a single rating, or of the mean of k raters; the retest is a correlation."""

SINGLE = ("icc_1", "icc_2", "icc_3")


@dataclass(frozen=True)
class Agreement:
    """Agreement of raters on one trait.

    ratings       of a rater and an image, sessions and repeats together
    complete      whether every rater rated every image: then intervals by F have no approximation for blanks
    k             raters an image, in the harmonic mean: those that a mean is over
    coefficients  of every key of COEFFICIENTS, with its 95 % interval; NaN where it cannot be told
    again         ratings that were given twice
    """

    images: int
    raters: int
    ratings: int
    complete: bool
    k: float
    coefficients: Mapping[str, Estimate]
    again: int


def agreement_of(frame: pl.DataFrame) -> Agreement:
    """Of a frame with image_id, rater_id, rating and, where known, first_rating and session.

    A rater counts once an image, with the mean over sessions; first answers count for the retest alone. Raises
    UsageError where a column is missing or holds what is no number, and for fewer than two raters or images.
    """
    ratings, twice = Ratings.final(frame), given_twice(frame)
    singles = (icc_1(ratings), *icc_2_and_3(ratings))
    k = harmonic_mean(ratings.counts.sum(axis=1))
    found = (
        *singles,
        *(spearman_brown(single, k) for single in singles),
        cronbach(ratings),
        krippendorff(ratings, ordinal=True),
        krippendorff(ratings, ordinal=False),
        retest(twice),
    )
    return Agreement(
        images=len(ratings.images),
        raters=len(ratings.raters),
        ratings=ratings.total,
        complete=ratings.complete,
        k=k,
        coefficients=dict(zip(COEFFICIENTS, found, strict=True)),
        again=len(twice),
    )


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
        numbers = {name: getattr(found, name) for name in ("k", "images", "raters", "ratings")}
        for key, estimate in found.coefficients.items():
            row = {"coefficient": COEFFICIENTS[key], **asdict(estimate)}
            needed = {
                f"raters_for_{100 * level:.0f}": raters_needed(estimate.value, level) if key in SINGLE else None
                for level in RELIABILITIES
            }
            rows.append(group | row | needed | numbers)
    return pl.DataFrame(rows, infer_schema_length=None).fill_nan(None)
