"""Limits of several measures together, so that a chosen share of ordinary rows is beyond any of them.

A limit for each measure would have to be a quantile far beyond what a hundred rows show. So the measures are put on
one scale, each row counts by its most unusual measure, and the one limit on that scale is a conformal quantile of rows
(Vovk et al. 2005): if a new row is like the others, it is beyond with a probability of at most the chosen share, at
any number of rows and whatever the scale. How even the alarms are over the measures depends on the scale alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

FOLDS = 10
"""The scale that a row is put on comes from the other folds: by its own, an extreme row would look less extreme."""

FEWEST_IN_TAIL = 8


def fewest_rows(rate: float) -> int:
    """With fewer rows no limit holds: even beyond the most unusual of them there is more than `rate`."""
    return math.ceil(1 / rate) - 1


def joint_limits(values: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """(n, M) values, the larger the more unusual, to (M,) limits; n is at least `fewest_rows(rate)`.

    Of new rows a share `rate` has any value beyond its limit. The limit of a measure that is constant or known of too
    few rows is NaN; values that are NaN are beyond nothing.
    """
    fold = np.arange(len(values)) % FOLDS
    most = np.empty(len(values))
    for number in range(FOLDS):
        start, excess = _tails(values[fold != number])
        most[fold == number] = np.fmax.reduce((values[fold == number] - start) / excess, axis=1, initial=-np.inf)
    place = math.ceil((len(values) + 1) * (1 - rate))
    start, excess = _tails(values)
    return np.asarray(start + np.sort(most)[place - 1] * excess)


def _tails(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M,) start and mean excess of the tail of each measure, that of an exponential one (Coles 2001, ch. 4)."""
    start, excess = np.transpose([_tail(column[np.isfinite(column)]) for column in values.T])
    return start, excess


def _tail(known: NDArray[np.float64]) -> tuple[float, float]:
    """The sqrt(n) largest of (n,) values: where they start, and how far they lie beyond on average."""
    if len(known) < 2 * FEWEST_IN_TAIL or np.ptp(known) <= 1e-9 * np.abs(known).max():
        return np.nan, np.nan
    count = max(math.isqrt(len(known)), FEWEST_IN_TAIL)
    start, *tail = np.sort(known)[-count - 1 :]
    # where the largest values are all the same, any other would be infinitely unusual
    return float(start), float(max(np.mean(tail) - start, 0.05 * known.std()))
