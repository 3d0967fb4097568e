"""The uncertainty of a figure measured on n images: the bootstrap over images (Efron & Tibshirani 1993).

Every call uses the same resamples, so that differences of figures are paired.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.records import Evaluation

METRICS = {"pearson": "PC", "mae": "MAE", "rmse": "RMSE", "spearman": "Spearman"}
RESAMPLES = 1000
SEED = 0
LEAST_SPREAD = 1e-16
"""Product of two variances below which a resample counts as constant: it has no correlation."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_resamples(cls, value: float, resampled: NDArray[np.float64]) -> Self:
        """From the figure itself and the (1000,) figures of the resamples, NaN where one has none."""
        low, high = np.nanquantile(resampled, (0.025, 0.975)) if np.isfinite(resampled).any() else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))

    @classmethod
    def of_mean(cls, values: NDArray[np.float64]) -> Self:
        """The mean of (n,) values."""
        return cls.from_resamples(float(values.mean()), means(resamples(len(values)), values))

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def resamples(n: int) -> NDArray[np.float64]:
    """(1000, n): how often each of n images is drawn in each resample. The seed is fixed."""
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)


def means(counts: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1000,), or (runs, 1000), means of (n,) or (runs, n) values; NaN where a resample has drawn none of them."""
    with np.errstate(invalid="ignore"):
        resampled: NDArray[np.float64] = values @ counts.T / counts.sum(axis=1)
    return resampled


def correlations(
    counts: NDArray[np.float64], truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson's correlation in each resample: (1000,), or (runs, 1000), of (n,) or (runs, n) predictions."""
    # moments of a resample are weighted means; centring keeps their differences exact
    t, p = truth - truth.mean(), predicted - predicted.mean(axis=-1, keepdims=True)
    mean_t, mean_p = means(counts, t), means(counts, p)
    spread = (means(counts, t**2) - mean_t**2) * (means(counts, p**2) - mean_p**2)
    root = np.sqrt(np.where(spread > LEAST_SPREAD, spread, np.nan))
    resampled: NDArray[np.float64] = (means(counts, p * t) - mean_p * mean_t) / root
    return resampled


def rank_correlations(
    counts: NDArray[np.float64], truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of two (n,) arrays in each resample, (1000,): every resample is ranked anew."""
    places = [np.unique(values, return_inverse=True)[1] for values in (truth, predicted)]
    found = np.empty(len(counts))
    for i, drawn in enumerate(counts):
        t, p = (_mean_ranks(drawn, place) for place in places)
        spread = ((drawn * t) @ t) * ((drawn * p) @ p)
        found[i] = (drawn * t) @ p / np.sqrt(spread) if spread > LEAST_SPREAD else np.nan
    return found


def resampled_figures(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """metric -> (1000,) figures of (n,) predictions in each resample."""
    counts, error = resamples(len(truth)), predicted - truth
    return {
        "pearson": correlations(counts, truth, predicted),
        "mae": means(counts, np.abs(error)),
        "rmse": np.sqrt(means(counts, error**2)),
        "spearman": rank_correlations(counts, truth, predicted),
    }


def figures(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Estimate]:
    """metric -> figure of (n,) predictions with its interval."""
    evaluation = Evaluation.from_scores(truth, predicted)
    return {
        m: Estimate.from_resamples(getattr(evaluation, m), resampled)
        for m, resampled in resampled_figures(truth, predicted).items()
    }


def _mean_ranks(drawn: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rank of each value among those drawn, from the middle; equal ones share their mean rank."""
    equal = np.bincount(place, drawn)
    ranks: NDArray[np.float64] = np.cumsum(equal) - (equal + drawn.sum()) / 2
    return ranks[place]
