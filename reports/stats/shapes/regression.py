"""Shapes and scores: what shape tells of a score, and how shape changes with it. A row is a person."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from featurestore.group_differences import PERMUTATIONS, SEED
from reports.stats.bootstrap import Estimate, Reals, correlations, means, resamples

FOLDS = 5
PENALTIES = np.logspace(-7, 2, 19)
"""Of ridge regression, in squares of the largest singular value."""

WEIGHT = 1.4
"""Of a degree of freedom in generalised cross-validation (Kim & Gu 2004): with 1 a small sample's noise is followed."""


@dataclass(frozen=True)
class Prediction:
    """How well scores of people are predicted, by models that have not seen them.

    people       how many
    correlation  of the one predictor with the score; of several, of the prediction with it
    r2           cross-validated: 1 - squared errors / those of the training mean; below 0 where the mean is better
    p            of the permutation test of r2: how often scores dealt to other people are predicted as well
    """

    people: int
    correlation: Estimate
    r2: Estimate
    p: float


@dataclass(frozen=True)
class Change:
    """How much of the variance of shapes a variable explains.

    share     of the Procrustes sum of squares (Goodall 1991; Anderson 2001) of this sample, which chance alone makes
              1 / (people - 1)
    adjusted  the same less what chance adds (Ezekiel 1930): about 0 where the variable tells nothing
    p         of the permutation test: how often the variable, dealt to other people, explains as much
    """

    share: float
    adjusted: Estimate
    p: float


def predicted_score(predictors: Reals, score: Reals) -> Prediction:
    """Ridge regression of (n,) scores on (n, k) predictors in 5 random folds.

    Its penalty is chosen by generalised cross-validation (Golub, Heath & Wahba 1979) on the other rows alone. Scores
    are dealt anew 999 times, and all is fitted again.
    """
    random = np.random.default_rng(SEED)
    folds = random.permutation(np.arange(len(score)) % FOLDS)
    dealt = np.column_stack([score, *(random.permutation(score) for _ in range(PERMUTATIONS))])
    predicted, of_mean = np.empty_like(dealt), np.empty_like(dealt)
    for fold in range(FOLDS):
        test = folds == fold
        of_mean[test] = dealt[~test].mean(axis=0)
        predicted[test] = _ridge(predictors[~test], dealt[~test], predictors[test])
    predicted -= dealt
    of_mean -= dealt
    r2 = 1 - _squares(predicted) / _squares(of_mean)
    counts = _counts(len(score))
    resampled = 1 - means(counts, predicted[:, 0] ** 2) / means(counts, of_mean[:, 0] ** 2)
    alone = predictors[:, 0] if predictors.shape[1] == 1 else predicted[:, 0] + score
    correlation = Estimate.from_resamples(np.corrcoef(alone, score)[0, 1], correlations(counts, score, alone))
    return Prediction(len(score), correlation, Estimate.from_resamples(r2[0], resampled), _p(r2))


def explained_shape(scores: Reals, variable: Reals, variance: float) -> Change:
    """The regression of shape, as (n, K) scores on components, on an (n,) variable.

    `variance` is that of whole shapes, components that are left out included.
    """
    random = np.random.default_rng(SEED)
    centred = scores - scores.mean(axis=0)
    dealt = np.column_stack([variable, *(random.permutation(variable) for _ in range(PERMUTATIONS))])
    standard = (dealt - variable.mean()) / np.sqrt(((variable - variable.mean()) ** 2).sum())
    whole = variance * (len(scores) - 1)
    shares = ((standard.T @ centred) ** 2).sum(axis=1) / whole
    left_out = max(whole - (centred**2).sum(), 0.0) / len(scores)
    adjusted = 1 - (1 - shares[0]) * (len(scores) - 1) / (len(scores) - 2)
    return Change(float(shares[0]), around(adjusted, _resampled(centred, variable, left_out)), _p(shares))


def around(value: float, resampled: Reals) -> Estimate:
    """An estimate without bias, with an interval of resamples moved to have it as their mean.

    For what chance makes larger, such as lengths of mean vectors: resamples add that chance a second time
    (Efron & Tibshirani 1993, ch. 10).
    """
    return Estimate.from_resamples(value, resampled - np.nanmean(resampled) + value)


def length(square: float, resampled: Reals) -> Estimate:
    """A length from its square without bias and squares of resamples; 0 where that is below 0."""
    found = around(square, resampled)
    return Estimate(*(max(end, 0.0) ** 0.5 for end in (found.value, found.low, found.high)))


def _resampled(scores: Reals, variable: Reals, left_out: float) -> Reals:
    """(1000,) shares of resamples of (n, K) scores; `left_out` is the variance beside them."""
    counts = _counts(len(variable))
    mean, mean_shape = means(counts, variable), counts @ scores / len(scores)
    with_it = (counts * variable) @ scores / len(scores) - mean[:, None] * mean_shape
    spread = means(counts, variable**2) - mean**2
    whole = means(counts, (scores**2).sum(axis=1)) - (mean_shape**2).sum(axis=1) + left_out
    return np.asarray((with_it**2).sum(axis=1) / np.where(spread > 0, spread, np.nan) / whole)


def _ridge(inputs: Reals, targets: Reals, new: Reals) -> Reals:
    """(m, c) predictions for (m, k) new rows, of c targets (n, c), each with the penalty that is best for it."""
    mean, target_means = inputs.mean(axis=0), targets.mean(axis=0)
    basis, values, right = np.linalg.svd(inputs - mean, full_matrices=False)
    values, basis, right = (part[..., : int((values > 1e-9 * values[0]).sum())] for part in (values, basis, right.T))
    rotated = basis.T @ (targets - target_means)
    rest = np.maximum(((targets - target_means) ** 2).sum(axis=0) - (rotated**2).sum(axis=0), 0)
    shrunk = values**2 / (values**2 + values[0] ** 2 * PENALTIES[:, None])
    left = len(inputs) - WEIGHT * (1 + shrunk.sum(axis=1, keepdims=True))
    criterion = np.where(left > 0, (rest + (1 - shrunk) ** 2 @ rotated**2) / left**2, np.inf)
    best = shrunk[criterion.argmin(axis=0)].T
    return np.asarray(target_means + (new - mean) @ (right @ (best * rotated / values[:, None])))


def _squares(values: Reals) -> Reals:
    """(c,) sums of squares of the columns of (n, c)."""
    return np.asarray(np.einsum("ij,ij->j", values, values))


@lru_cache(maxsize=2)
def _counts(people: int) -> Reals:
    """(1000, people) resamples of so many, one row each; the regressions of one report have the same."""
    return resamples(np.arange(people).astype(np.str_))


def _p(figures: Reals) -> float:
    """Of the first figure among those of permutations; what equals it up to rounding counts as reaching it."""
    reached = (figures[1:] >= figures[0] - 1e-12 * abs(figures[0])).sum()
    return float((1 + reached) / len(figures))
