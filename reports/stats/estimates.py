"""A figure with its interval as text, in terminals, HTML and cards: no digit finer than the interval supports."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from featurestore.scale import Scale
from reports.render.layout import number
from reports.render.plots import Dots
from reports.stats.bootstrap import RESAMPLES, Estimate

BRACKETS = f"Brackets hold 95 % of {RESAMPLES:,} resamples of the people."
BRACKETS_OF_COVERAGE = "Brackets of coverage are Wilson's 95 % interval."
"""What the interval of a figure is, for pages that show some."""

T95 = "95 % intervals of the means"
"""What `mean_of` gives, where other brackets on the page are of resamples."""

Z95 = 1.96
"""Standard errors from a normal figure to either end of its 95 % interval."""

LEAST_WIDTH = 1e-9
"""Standard error below which an interval is a point, but for rounding."""

NO_INTERVAL, NO_WIDTH = 2, 3
"""Digits of a figure without an interval, and of one whose interval is a point."""


def digits_of(estimate: Estimate) -> int:
    """Digits after the point: the last one stands where the standard error has its first."""
    error = (estimate.high - estimate.low) / (2 * Z95)
    if math.isnan(error):
        return NO_INTERVAL
    return min(max(-math.floor(math.log10(error)), 0), 4) if error > LEAST_WIDTH else NO_WIDTH


def mean_of(values: NDArray[np.float64], people: NDArray[np.str_]) -> Estimate:
    """The mean of (n,) values with its 95 % interval by Student's t over the people, for any number of values.

    The standard error is that of a ratio of people's sums (Cochran 1977, 6.4); of fewer than two people unknown.
    """
    from scipy.stats import t

    count = len(np.unique(people))
    mean = float(values.mean()) if len(values) else math.nan
    if count < 2:
        return Estimate(mean, math.nan, math.nan)
    sums = np.bincount(np.unique(people, return_inverse=True)[1], values - mean)
    reach = float(t.ppf(0.975, count - 1)) * math.sqrt((sums**2).sum() * count / (count - 1)) / len(values)
    return Estimate(mean, mean - reach, mean + reach)


def own_scores(estimate: Estimate, own: Scale) -> Estimate:
    """A score on the scale of models, on a data set's own."""
    return Estimate(*(own.from_models(end) for end in (estimate.value, estimate.low, estimate.high)))


def own_errors(estimate: Estimate, own: Scale) -> Estimate:
    """An error on the scale of models, on a data set's own."""
    return Estimate(*(own.errors_from_models(end) for end in (estimate.value, estimate.low, estimate.high)))


def split_estimate(estimate: Estimate, *, sign: bool = False) -> tuple[str, str]:
    """`0.921` and `[0.911, 0.930]`."""
    digits = digits_of(estimate)
    # adding 0 makes a rounded -0.0 a 0.0
    ends = [round(end, digits) + 0.0 for end in (estimate.value, estimate.low, estimate.high)]
    value, low, high = (number(end, digits, sign=sign) for end in ends)
    return value, f"[{low}, {high}]"


def estimate_text(estimate: Estimate, *, sign: bool = False) -> str:
    """`0.921 [0.911, 0.930]`."""
    return " ".join(split_estimate(estimate, sign=sign))


def estimate_cell(estimate: Estimate, *, sign: bool = False) -> Text:
    """A figure over its interval, for tables with many of them; a dash where it is unknown."""
    if math.isnan(estimate.value):
        return Text("–")
    value, ends = split_estimate(estimate, sign=sign)
    return Text.assemble(value, (f"\n{ends}", "dim"))


def estimate_dots(estimates: Mapping[str, Estimate], label: str) -> Dots:
    values = {name: estimate.value for name, estimate in estimates.items()}
    return Dots(values, label, {name: (estimate.low, estimate.high) for name, estimate in estimates.items()})
