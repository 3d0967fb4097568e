"""Variance components of crossed random effects: rating = mean + image + rater + image x rater + error.

`reml` maximises the restricted likelihood (Patterson & Thompson 1971). Henderson's mixed model equations are reduced to
the smaller of the two factors: the larger one is eliminated level by level, since its block is diagonal, which leaves
an r x r Schur complement for r raters; lme4 gets the same by a sparse Cholesky factor (Bates et al. 2015, section 3).
One evaluation costs m r^2 multiplications for m images, however many ratings there are. Repeats within a cell enter by
the cell's mean and sum of squares, which are sufficient.

`moments` equates quadratic forms with their expectations (Henderson 1953, method 1), for any weights of images and
raters. In a balanced design these are the figures of the analysis of variance, and where none is negative REML's too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from reports.stats.bootstrap import Reals
from reports.stats.raters.ratings import Ratings

FIRST_RATIOS = (1e-2, 1e2)
"""Variance of an effect over that of the residual: within these a fit begins."""

STEP = 1e-4
"""In the root of such a ratio, to both sides, for the gradient."""

TOLERANCE = 1e-9
"""Largest gradient of the deviance per rating where a fit ends."""

EXACT = 1e-12
"""Part of a sum of squares that is rounding."""

WORST_CONDITION = 1e12
"""Of the equations of the moments: beyond it, a component cannot be told from another."""

AT_ONCE = 4_000_000
"""Values of resamples by images that are held at once: 32 MB."""


@dataclass(frozen=True)
class Components:
    """Variances on the squared scale of the ratings.

    both   image x rater: taste of one's own, which only repeats tell from error; without them it is the residual
    error  of one answer; 0 without repeats
    """

    image: float
    rater: float
    both: float
    error: float

    @property
    def residual(self) -> float:
        """Of one answer beside what image and rater explain."""
        return self.both + self.error


def reml(ratings: Ratings) -> Components:
    """The components that maximise the restricted likelihood, none of them negative."""
    if ratings.unanimous:
        return Components(float(ratings.without_raters().means.var(ddof=1)), 0.0, 0.0, 0.0)
    start = anova(ratings)
    if ratings.complete and min(start) >= 0:
        return Components(*start)
    if ratings.counts.shape[0] < ratings.counts.shape[1]:
        turned = reml(ratings.turned())
        return Components(turned.rater, turned.image, turned.both, turned.error)
    *effects, residual = start if ratings.repeats else start[:3]
    image, rater, *rest = _maximised(ratings, effects, residual)
    return Components(image, rater, *(rest if ratings.repeats else (*rest, 0.0)))


def reml_of_images(ratings: Ratings) -> Components:
    """The same of rating = mean + image + error: who rated is not looked at."""
    if ratings.unanimous:
        return reml(ratings)
    pooled = ratings.without_raters()
    start = anova_of_images(pooled)
    if pooled.complete and start[0] >= 0:
        return Components(start[0], 0.0, 0.0, start[1])
    image, error = _maximised(pooled, start[:1], start[1])
    return Components(image, 0.0, 0.0, error)


def anova(ratings: Ratings) -> tuple[float, float, float, float]:
    """Image, rater, image x rater and error as `moments` have them: one of them can be negative."""
    m, r = ratings.counts.shape
    found = moments(ratings, np.ones((1, m)), np.ones((1, r)))[0]
    image, rater, both, error = np.where(np.abs(found) < EXACT * np.abs(found).max(), 0, found).tolist()
    return image, rater, both, error


def anova_of_images(pooled: Ratings) -> tuple[float, float]:
    """Image and error by the one-way analysis of variance (Searle 1971, chapter 10) of (m, 1) ratings."""
    counts, n = pooled.counts, pooled.total
    error = float(pooled.squares.sum() / (n - len(counts)))
    between = (counts * (pooled.means - pooled.centre) ** 2).sum() / (len(counts) - 1)
    per_image = (n - (counts**2).sum() / n) / (len(counts) - 1)
    return float((between - error) / per_image), error


def _maximised(ratings: Ratings, effects: Sequence[float], residual: float) -> list[float]:
    """Variances of the effects, in the order of `_profiled`, then of the residual; the fit begins at these."""
    first = np.sqrt(np.clip(np.array(effects) / max(residual, EXACT * max(map(abs, effects))), *FIRST_RATIOS))
    steps = STEP * np.eye(len(first))

    def deviance(roots: Reals) -> float:
        return _profiled(ratings, roots**2)[0] / ratings.total

    def gradient(roots: Reals) -> Reals:
        return np.array([deviance(roots + step) - deviance(roots - step) for step in steps]) / (2 * STEP)

    # a root may cross zero, so that a component of zero is a smooth minimum and needs no bound
    ratios = minimize(deviance, first, jac=gradient, method="BFGS", options={"gtol": TOLERANCE}).x ** 2
    unit = _profiled(ratings, ratios)[1]
    return [float(unit * ratio) for ratio in ratios] + [unit]


def _profiled(ratings: Ratings, ratios: Reals) -> tuple[float, float]:
    """-2 log restricted likelihood, up to a constant, and the residual variance that maximises it.

    `ratios` are the variances of image, rater and image x rater over the residual one, zero where left out.
    """
    image, rater, both = np.append(ratios, (0.0, 0.0))[:3]
    weight = ratings.counts / (1 + both * ratings.counts)
    answer = ratings.means - ratings.centre
    weighted = weight * answer
    rows = weight.sum(axis=1)
    # images are eliminated: what is left of the products of raters with raters, with 1 and with the answers
    pulled = np.sqrt(image / (1 + image * rows))
    own, own_answer = weight * pulled[:, np.newaxis], weighted.sum(axis=1) * pulled
    schur = np.diag(weight.sum(axis=0)) - own.T @ own
    sums = np.stack([schur.sum(axis=1), weighted.sum(axis=0) - own.T @ own_answer])
    square = (weighted * answer).sum() - own_answer @ own_answer
    # then raters
    factor = cho_factor(np.eye(len(schur)) + rater * schur, lower=True)
    beyond = rater * sums @ cho_solve(factor, sums.T)
    ones, mean = sums[0].sum() - beyond[0, 0], sums[1].sum() - beyond[0, 1]
    square += ratings.squares.sum() - beyond[1, 1] - mean**2 / ones
    # an exact fit has no likelihood: what is left of the squares is rounding
    square = max(square, EXACT * (ratings.squares.sum() + (ratings.counts * answer**2).sum()))
    logarithms = (
        np.log1p(both * ratings.counts).sum()
        + np.log1p(image * rows).sum()
        + 2 * np.log(np.diag(factor[0])).sum()
        + np.log(ones)
    )
    freedom = ratings.total - 1
    return float(freedom * np.log(square) + logarithms), float(square / freedom)


def moments(ratings: Ratings, images: Reals, raters: Reals) -> Reals:
    """(n, 4) image, rater, image x rater and error, unbiased for each of n weights, not held above zero.

    images  (n, m) how often each image counts, such as in a resample
    raters  (n, r) how often each rater does

    A copy of an image or a rater is the same one again: the expectations say so, and no copy passes for a new level.
    Where the weights leave too little to tell them apart, components are NaN.
    """
    parts = np.array_split(np.arange(len(images)), -(-images.size // AT_ONCE))
    return np.concatenate([_moments(ratings, images[part], raters[part]) for part in parts])


def _moments(ratings: Ratings, a: Reals, b: Reals) -> Reals:
    known = ratings.known
    answer = known * (ratings.means - ratings.centre)
    aa, bb = a**2, b**2
    in_image, in_rater = b @ known.T, a @ known
    total = np.maximum(sums_over(known, a, b), 1)
    share = np.divide(a, in_image, out=np.zeros_like(a), where=in_image > 0)
    share_of_rater = np.divide(b, in_rater, out=np.zeros_like(b), where=in_rater > 0)

    def cells(table: Reals) -> Reals:
        """(n, 4) what each form has of variances that cells have for themselves, in units of the table."""
        weights = ((a, b), (share, bb), (aa, share_of_rater), (aa / total[:, np.newaxis], bb))
        return np.stack([sums_over(table, *pair) for pair in weights], axis=1)

    forms = np.stack(
        [
            sums_over(answer**2, a, b),
            (share * (b @ answer.T) ** 2).sum(axis=1),
            (share_of_rater * (a @ answer) ** 2).sum(axis=1),
            sums_over(answer, a, b) ** 2 / total,
        ],
        axis=1,
    )
    both = cells(known)
    image = np.stack([total, total, both[:, 2], (aa * in_image**2).sum(axis=1) / total], axis=1)
    rater = np.stack([total, both[:, 1], total, (bb * in_rater**2).sum(axis=1) / total], axis=1)
    freedom = sums_over(ratings.counts - known, a, b)
    unknown = np.full_like(total, np.nan if ratings.repeats else 0.0)
    error = np.divide(sums_over(ratings.squares, a, b), freedom, out=unknown, where=freedom > 0)
    per_answer = np.divide(1, ratings.counts, out=np.zeros_like(answer), where=known > 0)
    expected = np.stack([np.tile(total[:, np.newaxis], 4), image, rater, both], axis=2)
    solvable = np.linalg.cond(expected) < WORST_CONDITION
    found = np.full((len(a), 4), np.nan)
    right = forms - error[:, np.newaxis] * cells(per_answer)
    found[solvable, :3] = np.linalg.solve(expected[solvable], right[solvable][..., np.newaxis])[:, 1:, 0]
    found[solvable, 3] = error[solvable]
    return found


def sums_over(table: Reals, a: Reals, b: Reals) -> Reals:
    """(n,) sums of an (m, r) table, weighted by (n, m) and (n, r)."""
    return np.asarray(((a @ table) * b).sum(axis=1))
