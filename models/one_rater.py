"""A model of one person's eye: the pool's score, corrected by what the person rated so far.

    rating = pool + level + slope (pool - middle) + w . face + noise

This is Bayesian linear regression of rating - pool, which is a Gaussian process with the pool's score as mean function
and a linear kernel (Rasmussen & Williams 2006, chapter 2). What the coefficients may be, before a person has rated
anything, is learnt from those of other raters; two numbers are fitted to the person by marginal likelihood, shrunk
towards those of other raters: how far the taste is from the pool's, and how noisy the ratings are. All scores are
on `MODEL_SCALE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from featurestore.scale import MODEL_SCALE

Array = NDArray[np.float64]

MIDDLE = (MODEL_SCALE.low + MODEL_SCALE.high) / 2
ROUNDS = 15
"""Of expectation and maximisation; more change the third digit."""

KNOWN_BEFORE = 3.0
"""As so many raters the typical one counts beside those that the store knows (of an inverse Wishart distribution)."""

LEVEL, SLOPE, TASTE, NOISE = 0.3, 0.3, 0.2, 0.55
"""Standard deviations over raters of level and slope, over faces of a rater's own taste, and of the noise of a rating,
in points of MODEL_SCALE: what `Prior.learn` found of the 60 raters of SCUT-FBP5500 on the training rows of fold 1."""

SPREAD = 0.3
"""Standard deviation over raters of the logarithms of noise and of the size of taste, of the same rows."""


@dataclass(frozen=True, eq=False)
class Faces:
    """n faces as the model sees them.

    pool        (n,) the pool's score of each, by a model that had not seen its ratings
    components  (n, K) of the face, each of about unit variance
    """

    pool: Array
    components: Array

    def __len__(self) -> int:
        return len(self.pool)

    @cached_property
    def design(self) -> Array:
        """(n, 2 + K): what the coefficients belong to."""
        return np.column_stack([np.ones(len(self)), self.pool - MIDDLE, self.components])

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Some of the faces, in that order."""
        return type(self)(self.pool[rows], self.components[rows])


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a person before the first rating.

    covariance  (2 + K, 2 + K) of a rater's coefficients, whose mean is zero: the pool's score
    noise       usual standard deviation of a rating about what the rater would give on average
    raters      how many raters it was learnt from; with none it is the typical one
    """

    covariance: Array
    noise: float
    raters: int

    @classmethod
    def learn(cls, faces: Faces, ratings: Array) -> Self:
        """From (R, n) ratings of n faces by R raters, NaN where a rater gave none: a linear mixed model.

        Expectation and maximisation (Dempster, Laird & Rubin 1977) over the raters' coefficients.
        """
        covariance = typical = _typical(faces.components.shape[1])
        if not len(ratings):
            return cls(typical, NOISE, 0)
        rated = np.isfinite(ratings)
        differences = np.where(rated, ratings - faces.pool, 0)
        squares = np.array([faces.design[some].T @ faces.design[some] for some in rated])
        products = differences @ faces.design
        variance = np.full(len(ratings), NOISE**2)
        for _ in range(ROUNDS):
            precision = squares / variance[:, None, None] + np.linalg.inv(covariance)
            spread = np.linalg.inv(precision)
            mean = np.einsum("rij,rj->ri", spread, products) / variance[:, None]
            second = spread + mean[:, :, None] * mean[:, None, :]
            covariance = (second.sum(axis=0) + KNOWN_BEFORE * typical) / (len(ratings) + KNOWN_BEFORE)
            left = (differences**2).sum(axis=1) - 2 * (mean * products).sum(axis=1)
            left += np.einsum("rij,rij->r", second, squares)
            variance = (left + KNOWN_BEFORE * NOISE**2) / (rated.sum(axis=1) + KNOWN_BEFORE)
        return cls(covariance, float(np.exp(np.log(variance).mean() / 2)), len(ratings))


def _typical(count: int) -> Array:
    taste = np.full(count, TASTE**2 / max(count, 1))
    return np.diag(np.concatenate([[LEVEL**2, SLOPE**2], taste]))


@dataclass(frozen=True, eq=False)
class OneRater:
    """What is known of a person after n ratings: coefficients with mean (2 + K,) and covariance (2 + K, 2 + K).

    noise     standard deviation of a rating of this person about what the person would give on average
    left_out  (n,) what the model would give each rated face without its own rating, but for the level
    """

    mean: Array
    covariance: Array
    noise: float
    left_out: Array

    @classmethod
    def fit(cls, prior: Prior, faces: Faces, ratings: Array) -> Self:
        """From (n,) ratings of n faces, n from 0; their order does not matter."""
        size, noise = _fitted(prior, faces, ratings) if len(faces) else (1.0, prior.noise)
        return cls.posterior(prior.covariance * size**2, noise, faces, ratings)

    @classmethod
    def posterior(cls, covariance: Array, noise: float, faces: Faces, ratings: Array) -> Self:
        """The posterior, with the covariance of the prior and the noise taken as known."""
        design, difference = faces.design, ratings - faces.pool
        across = covariance @ design.T
        inverse = np.linalg.inv(design @ across + noise**2 * np.eye(len(faces)))
        mean = across @ inverse @ difference
        # leaving one out needs no other fit (Rasmussen & Williams 2006, equation 5.12); were the level fitted anew for
        # each, a high rating would lower its own prediction, and a correlation would be too low
        others = np.linalg.inv(design[:, 1:] @ covariance[1:, 1:] @ design[:, 1:].T + noise**2 * np.eye(len(faces)))
        return cls(
            mean=mean,
            covariance=covariance - across @ inverse @ across.T,
            noise=noise,
            left_out=ratings - others @ (difference - mean[0]) / np.diag(others),
        )

    def predict(self, faces: Faces) -> tuple[Array, Array]:
        """(n,) what the person would give each face on average, and (n,) the standard deviations of that."""
        variance = ((faces.design @ self.covariance) * faces.design).sum(axis=1)
        return faces.pool + faces.design @ self.mean, np.sqrt(variance.clip(min=0))

    def gains(self, faces: Faces) -> Array:
        """(n,) by how much a rating of each face would lower the mean variance of what is not the pool's.

        That is the taste, of which level and slope are no part: they order faces as the pool does.
        """
        design = faces.design
        taste = design - design[:, :2] @ np.linalg.lstsq(design[:, :2], design)[0]
        across = design @ self.covariance
        lowered = ((across @ (taste.T @ taste / len(faces))) * across).sum(axis=1)
        return lowered / ((across * design).sum(axis=1) + self.noise**2)


def _fitted(prior: Prior, faces: Faces, ratings: Array) -> tuple[float, float]:
    """How many times the usual size the taste is, and the noise: where posterior density is highest."""
    values, vectors = np.linalg.eigh(faces.design @ prior.covariance @ faces.design.T)
    squares = (vectors.T @ (ratings - faces.pool)) ** 2

    def density(logs: Array) -> float:
        variances = np.exp(2 * logs[0]) * values.clip(min=0) + (prior.noise * np.exp(logs[1])) ** 2
        return float(0.5 * (np.log(variances) + squares / variances).sum() + 0.5 * (logs**2).sum() / SPREAD**2)

    size, noise = np.exp(minimize(density, np.zeros(2), method="L-BFGS-B", bounds=[(-3, 3)] * 2).x)
    return float(size), float(prior.noise * noise)
