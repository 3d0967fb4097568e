"""How much of each photo's mean score is its raters' noise."""

import polars as pl

from reports.stats.raters.ratings import Ratings
from reports.stats.raters.variance_components import reml


def rater_noise(frame: pl.DataFrame) -> pl.DataFrame:
    """image_id and noise, the variance of its mean score, from image_id, rater_id and rating.

    The residual variance over the number of raters, and the raters' variance as far as photos had other raters than
    the rest: where all rated all, a lenient rater raises every photo alike and changes no order. Raises as
    `Ratings.of`.
    """
    ratings = Ratings.of(frame).once()
    parts = reml(ratings)
    shares = ratings.known / ratings.known.sum(axis=1, keepdims=True)
    apart = ((shares - shares.mean(axis=0)) ** 2).sum(axis=1)
    noise = parts.residual / ratings.known.sum(axis=1) + parts.rater * apart
    return pl.DataFrame({"image_id": ratings.images, "noise": noise})
