"""Raters beside themselves: answers that were given twice."""

import numpy as np
import polars as pl
from scipy.sparse import coo_array

from reports.stats.bootstrap import LEAST_SPREAD, UNKNOWN, Estimate, Reals, resamples
from reports.stats.raters.ratings import PAIR, checked

FEWEST_PAIRS = 3
"""Pairs of answers for a correlation."""


def given_twice(frame: pl.DataFrame) -> pl.DataFrame:
    """Every pair of answers by one rater to one image: image_id, rater_id, first, second.

    `first_rating` is the first answer of a question that was asked again. Between sessions the pair is of the earliest
    and the latest one; they are ordered as numbers where they are numbers. Raises UsageError as `Ratings.of` does.
    """
    long = checked(frame)
    again = long.drop_nulls("first_rating").select(*PAIR, first="first_rating", second="rating")
    ordered = long.drop_nulls("session").sort(
        pl.col("session").cast(pl.Float64, strict=False), "session", maintain_order=True
    )
    sessions = ordered.group_by(PAIR, maintain_order=True).agg(
        first=pl.col("rating").first(), second=pl.col("rating").last(), sessions=pl.col("session").n_unique()
    )
    return pl.concat([again, sessions.filter(pl.col("sessions") > 1).drop("sessions")])


def retest(twice: pl.DataFrame) -> Estimate:
    """Correlation of first with second answers over all raters; its interval is of resampled images and raters."""
    if len(twice) < FEWEST_PAIRS:
        return UNKNOWN
    (images, image), (raters, rater) = (
        np.unique(twice[name].to_numpy().astype(np.str_), return_inverse=True) for name in PAIR
    )
    first, second = (twice[name].to_numpy() - twice["first"].mean() for name in ("first", "second"))
    products = (np.ones_like(first), first, second, first**2, second**2, first * second)
    tables = [coo_array((values, (image, rater)), (len(images), len(raters))).tocsr() for values in products]

    def correlation(a: Reals, b: Reals) -> Reals:
        n, x, y, xx, yy, xy = (((a @ table) * b).sum(axis=1) for table in tables)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2)
            return np.asarray((xy / n - x * y / n**2) / np.sqrt(np.where(spread > LEAST_SPREAD, spread, np.nan)))

    whole = correlation(np.ones((1, len(images))), np.ones((1, len(raters))))
    return Estimate.from_resamples(float(whole[0]), correlation(resamples(images), resamples(raters, fold=1)))


def retest_by_rater(twice: pl.DataFrame) -> dict[str, float | None]:
    """The same correlation of each rater with three pairs or more; None where either answer does not vary."""
    known = twice.group_by("rater_id").agg(r=pl.corr("first", "second").fill_nan(None), n=pl.len())
    return dict(known.filter(pl.col("n") >= FEWEST_PAIRS).select("rater_id", "r").iter_rows())
