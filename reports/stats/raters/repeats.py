"""Raters beside themselves and beside the others: retest, and each rater's agreement with the rest."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reports.stats.bootstrap import LEAST_SPREAD, Estimate, resamples
from reports.stats.raters.components import sums_over
from reports.stats.raters.ratings import PAIR, Ratings, checked

FEWEST_PAIRS = 3
"""Pairs of ratings for a correlation of one rater."""


@dataclass(frozen=True)
class Rater:
    """One rater.

    images  that others rated too
    bias    mean over them of the rating minus the mean of the others
    rest    correlation with the mean of the others; NaN where either does not vary
    retest  correlation of the first with the second answers; NaN where fewer than three were given twice
    """

    rater_id: str
    images: int
    bias: float
    rest: float
    retest: float


def raters(ratings: Ratings, twice: pl.DataFrame) -> tuple[Rater, ...]:
    """Every rater by name. `ratings` were given once, `twice` is what `given_twice` gives of the same frame."""
    known = ratings.known
    others = known.sum(axis=1, keepdims=True) - known
    sums = (known * ratings.means).sum(axis=1, keepdims=True) - known * ratings.means
    rest = np.divide(sums, others, out=np.zeros_like(sums), where=others > 0)
    again = {str(name): pairs for (name,), pairs in twice.group_by("rater_id")}
    found = []
    for place, name in enumerate(ratings.raters):
        both = (known[:, place] > 0) & (others[:, place] > 0)
        own, of_others = ratings.means[both, place], rest[both, place]
        pairs = again.get(str(name))
        retest = math.nan if pairs is None else _correlation(pairs["first"].to_numpy(), pairs["second"].to_numpy())
        bias = float((own - of_others).mean()) if len(own) else math.nan
        found.append(Rater(str(name), len(own), bias, _correlation(own, of_others), retest))
    return tuple(found)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if len(x) < FEWEST_PAIRS or x.std() * y.std() < LEAST_SPREAD:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


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
        return Estimate(math.nan, math.nan, math.nan)
    (images, image), (raters, rater) = (
        np.unique(twice[name].to_numpy().astype(np.str_), return_inverse=True) for name in PAIR
    )
    first, second = (twice[name].to_numpy() - twice["first"].mean() for name in ("first", "second"))
    of_each = (np.ones_like(first), first, second, first**2, second**2, first * second)

    def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        moments = []
        for values in of_each:
            table = np.zeros((len(images), len(raters)))
            np.add.at(table, (image, rater), values)
            moments.append(sums_over(table, a, b))
        n, x, y, xx, yy, xy = moments
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2)
            return np.asarray((xy / n - x * y / n**2) / np.sqrt(np.where(spread > LEAST_SPREAD, spread, np.nan)))

    whole = correlation(np.ones((1, len(images))), np.ones((1, len(raters))))
    return Estimate.from_resamples(float(whole[0]), correlation(resamples(images), resamples(raters, fold=1)))
