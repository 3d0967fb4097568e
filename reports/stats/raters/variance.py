"""Whose taste a rating shows: its variance by image, rater, image x rater and error, and the beholder's index."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from reports.stats.bootstrap import UNKNOWN, Estimate, Reals, resamples
from reports.stats.raters.ratings import Ratings, by_group
from reports.stats.raters.variance_components import moments, reml


@dataclass(frozen=True)
class Part:
    """A component: its variance, on the squared scale of the ratings, and its share of that of one answer."""

    variance: Estimate
    share: Estimate


@dataclass(frozen=True)
class Beholder:
    """A beholder's index between its bounds, which are one where repeats tell taste from error."""

    least: Estimate
    most: Estimate


@dataclass(frozen=True)
class RatingVariance:
    """Variance of one answer, by crossed random effects (REML).

    answers      with every repeat
    repeats      answers beyond the first of a rater to an image; without any, image x rater and error are one residual
    repeated_by  raters who gave those: error is theirs, and that of the others as far as they are alike
    parts        `image`, `rater`, then `image x rater` and `error`, or `residual`
    b1           private taste, image x rater, over itself and shared taste, which is the image (Hönekopp 2006)
    b2           the same where a rater's level counts as private taste too
    """

    images: int
    raters: int
    answers: int
    repeats: int
    repeated_by: int
    parts: dict[str, Part]
    b1: Beholder
    b2: Beholder


def variance_of(frame: pl.DataFrame) -> RatingVariance:
    """Of a frame with image_id, rater_id, rating and, where known, first_rating and several sessions.

    Intervals hold 95 % of 1,000 resamples of the images and, independently, of the raters (Owen 2007), of components by
    `moments`. Without repeats the index lies between bounds: image x rater is none or all of the residual. Raises
    UsageError where a column is missing or holds what is no number, and for fewer than two raters or images.
    """
    ratings = Ratings.of(frame)
    found = reml(ratings)
    drawn = np.maximum(moments(ratings, resamples(ratings.images), resamples(ratings.raters, fold=1)), 0)
    both = np.vstack([[found.image, found.rater, found.both, found.error], drawn])
    image, rater, taste, error = both.T
    total = both.sum(axis=1)
    named = {"image": image, "rater": rater} | (
        {"image x rater": taste, "error": error} if ratings.repeats else {"residual": taste}
    )
    none = taste if ratings.repeats else np.zeros_like(taste)
    return RatingVariance(
        len(ratings.images),
        len(ratings.raters),
        ratings.total,
        ratings.repeats,
        int((ratings.counts > 1).any(axis=0).sum()),
        {name: Part(_estimate(part), _share(part, total)) for name, part in named.items()},
        Beholder(_share(none, none + image), _share(taste, taste + image)),
        Beholder(_share(none + rater, none + rater + image), _share(taste + rater, taste + rater + image)),
    )


def _share(part: Reals, whole: Reals) -> Estimate:
    return _estimate(np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0))


def _estimate(values: Reals) -> Estimate:
    """The first of (1 + resamples,) values is the figure."""
    return Estimate.from_resamples(float(values[0]), values[1:])


def rating_variance(ratings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Whose taste ratings show: a row a component of their variance, of the whole frame or of each group of `by`.

    ratings  image_id, rater_id, rating and, where known, first_rating and several sessions
    by       columns such as trait, subset

    The rows have the columns `by`, figure, value, low and high (95 % interval), share with its own interval (of the
    variance of one answer), images, raters, answers, repeats and repeated_by, the raters who gave those. Beneath the
    components stand b1 and b2 (Hönekopp 2006); without repeats each has two rows, `at least` and `at most`. Raises
    UsageError where a column is missing or holds what is no number, and where a group has fewer than two raters or
    images.
    """
    rows: list[dict[str, object]] = []
    for group, part in by_group(ratings, by):
        found = variance_of(part)
        numbers = {name: getattr(found, name) for name in ("images", "raters", "answers", "repeats", "repeated_by")}
        figures = {name: (component.variance, component.share) for name, component in found.parts.items()}
        for name, index in (("b1", found.b1), ("b2", found.b2)):
            if found.repeats:
                figures[name] = (index.most, UNKNOWN)
            else:
                figures |= {f"{name} at least": (index.least, UNKNOWN), f"{name} at most": (index.most, UNKNOWN)}
        for name, (value, share) in figures.items():
            shares = {"share": share.value, "share_low": share.low, "share_high": share.high}
            rows.append(group | {"figure": name} | asdict(value) | shares | numbers)
    return pl.DataFrame(rows, infer_schema_length=None).fill_nan(None)


def rater_noise(frame: pl.DataFrame) -> pl.DataFrame:
    """image_id and noise, the variance of its mean score, from image_id, rater_id and rating.

    The residual variance over the number of raters, and the raters' variance as far as photos had other raters than
    the rest: where all rated all, a lenient rater raises every photo alike and changes no order. Raises as
    `Ratings.of`.
    """
    ratings = Ratings.of(frame).once()
    parts = reml(ratings)
    shares = ratings.known / ratings.known.sum(axis=1, keepdims=True)
    unlike_the_rest = ((shares - shares.mean(axis=0)) ** 2).sum(axis=1)
    noise = parts.residual / ratings.known.sum(axis=1) + parts.rater * unlike_the_rest
    return pl.DataFrame({"image_id": ratings.images, "noise": noise})
