"""The uncertainty of a figure measured on n images: the bootstrap over people (Efron & Tibshirani 1993).

All photos of one person, as far as `person` of `featurestore.group_differences` knows them, are drawn together (the
cluster bootstrap, Field & Welsh 2007): photos of one person have errors in common, and drawn one by one they would make
intervals too narrow. Calls on the same rows use the same resamples, so that differences of figures are paired; every
fold has a stream of random numbers of its own, so that the resamples of folds are independent.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.records import Evaluation

Reals = NDArray[np.float64]
Names = NDArray[np.str_]

METRICS = {"pearson": "PC", "mae": "MAE", "rmse": "RMSE", "spearman": "Spearman"}
RESAMPLES = 1000
SEED = 0
LEAST_SPREAD = 1e-16
"""Product of two variances below which a resample counts as constant: it has no correlation."""

RANKED_AT_ONCE = 32_000
"""Values of resamples: with more of them, a processor's cache would not hold them."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_resamples(cls, value: float, resampled: Reals) -> Self:
        """From the figure itself and the (1000,) figures of the resamples, NaN where one has none."""
        low, high = np.nanquantile(resampled, (0.025, 0.975)) if np.isfinite(resampled).any() else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))

    @classmethod
    def of_share(cls, inside: NDArray[np.bool_], people: Names) -> Self:
        """The share of (n,) that is true, with Wilson's interval (1927), as resamples of all or none have no width.

        As wide as for one photo of each person.
        """
        from scipy.stats import binomtest

        share, persons = float(inside.mean()), len(np.unique(people))
        low, high = binomtest(round(share * persons), persons).proportion_ci(0.95, method="wilson")
        return cls(share, float(low), float(high))

    @classmethod
    def of_mean(cls, values: Reals, people: Names) -> Self:
        """The mean of (n,) values."""
        return cls.from_resamples(float(values.mean()), means(resamples(people), values))

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def resamples(people: Names, fold: int = 0) -> Reals:
    """(1000, n): how often each of n images, of these people, is drawn in each resample. The seed is fixed.

    As many people are drawn as there are, each with all images. `fold` chooses the stream of random numbers.
    """
    names, person = np.unique(people, return_inverse=True)
    return _drawn(len(names), fold)[:, person].astype(np.float64)


@lru_cache(maxsize=2)  # a card has the figures of every model on the same rows, held-out ones and test rows in turn
def _drawn(persons: int, fold: int) -> NDArray[np.uint8]:
    """(1000, persons): how often each is drawn; no one is drawn 256 times."""
    random = np.random.default_rng(np.random.SeedSequence(SEED).spawn(fold + 1)[fold])
    return random.multinomial(persons, np.full(persons, 1 / persons), RESAMPLES).astype(np.uint8)


def by_person(values: Reals, people: Names) -> Reals:
    """The mean of (n, ...) values over the photos of each person, people in order of their names."""
    place, photos = np.unique(people, return_inverse=True, return_counts=True)[1:]
    sums = np.zeros((len(photos), *values.shape[1:]))
    np.add.at(sums, place, values)
    return sums / photos.reshape(-1, *[1] * (values.ndim - 1))


def means(counts: Reals, values: Reals) -> Reals:
    """(1000,), or (runs, 1000), means of (n,) or (runs, n) values; NaN where a resample has drawn none of them."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values @ counts.T / counts.sum(axis=1))


def correlations(counts: Reals, truth: Reals, predicted: Reals) -> Reals:
    """Pearson's correlation in each resample: (1000,), or (runs, 1000), of (n,) or (runs, n) predictions."""
    # moments of a resample are weighted means; centring keeps their differences exact
    t, p = truth - truth.mean(), predicted - predicted.mean(axis=-1, keepdims=True)
    mean_t, mean_p = means(counts, t), means(counts, p)
    spread = (means(counts, t**2) - mean_t**2) * (means(counts, p**2) - mean_p**2)
    root = np.sqrt(np.where(spread > LEAST_SPREAD, spread, np.nan))
    return np.asarray((means(counts, p * t) - mean_p * mean_t) / root)


def rank_correlations(counts: Reals, truth: Reals, predicted: Reals) -> Reals:
    """Spearman's correlation of two (n,) arrays in each resample, (1000,): every resample is ranked anew."""
    orders = [_Order(values) for values in (truth, predicted)]
    parts = np.array_split(counts, -(-counts.size // RANKED_AT_ONCE))
    return np.concatenate([_rank_correlations(part, *orders) for part in parts])


def resampled_figures(truth: Reals, predicted: Reals, people: Names, fold: int = 0) -> dict[str, Reals]:
    """metric -> (1000,) figures of (n,) predictions in each resample."""
    counts, error = resamples(people, fold), predicted - truth
    return {
        "pearson": correlations(counts, truth, predicted),
        "mae": means(counts, np.abs(error)),
        "rmse": np.sqrt(means(counts, error**2)),
        "spearman": rank_correlations(counts, truth, predicted),
    }


def figures(truth: Reals, predicted: Reals, people: Names) -> dict[str, Estimate]:
    """metric -> figure of (n,) predictions with its interval."""
    evaluation = Evaluation.from_scores(truth, predicted)
    return {
        m: Estimate.from_resamples(getattr(evaluation, m), resampled)
        for m, resampled in resampled_figures(truth, predicted, people).items()
    }


class _Order:
    """Where (n,) values stand among each other."""

    def __init__(self, values: Reals) -> None:
        self._place = np.unique(values, return_inverse=True)[1]  # among the different values
        self._ascending = np.argsort(self._place, kind="stable")
        self._first = np.unique(self._place[self._ascending], return_index=True)[1]

    def mean_ranks(self, counts: Reals) -> Reals:
        """(r, n): the rank of each value among those drawn, from the middle; equal ones share their mean rank."""
        equal = np.take(counts, self._ascending, axis=1)
        if len(self._first) < len(self._ascending):
            equal = np.add.reduceat(equal, self._first, axis=1)
        drawn = np.cumsum(equal, axis=1)
        return np.take(drawn - (equal + drawn[:, -1:]) / 2, self._place, axis=1)


def _rank_correlations(counts: Reals, truth: _Order, predicted: _Order) -> Reals:
    """(r,) correlations of the ranks in r resamples."""
    t, p = truth.mean_ranks(counts), predicted.mean_ranks(counts)
    drawn = counts * t
    spread = np.einsum("ij,ij->i", drawn, t) * np.einsum("ij,ij,ij->i", counts, p, p)
    root = np.sqrt(np.where(spread > LEAST_SPREAD, spread, np.nan))
    return np.asarray(np.einsum("ij,ij->i", drawn, p) / root)
