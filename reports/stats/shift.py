"""How far a sample of photos lies from the photos that a model was trained on, without any label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, t

from reports.stats.bootstrap import Estimate, Reals, by_person

FALSE_ALARM = 0.01
"""Chance that any feature is named although no mean differs (Bonferroni)."""

SHOWN = 6


@dataclass(frozen=True)
class FeatureShift:
    """A feature whose mean differs from that of the training photos, in their standard deviations."""

    feature: str
    mean: float


@dataclass(frozen=True)
class Shift:
    """A sample of photos beside the training photos.

    features  those that differ most, at most six, of `shifted` that differ beyond chance among `compared`
    unusual   measure -> share of the sample beyond the limit that predictions warn at: of pose, light, features, shape,
              the embedding of the face and those of its regions
    warned    share of the sample with any such warning; `expected` of photos like the training photos. None where
              limits are not known
    p         chance of as many warnings among photos like the training photos
    """

    features: tuple[FeatureShift, ...]
    shifted: int
    compared: int
    unusual: Mapping[str, float]
    warned: Estimate | None
    expected: float
    p: float | None


def shift(
    names: Sequence[str],
    z_scores: Reals,
    people: NDArray[np.str_],
    beyond: Mapping[str, NDArray[np.bool_]],
    expected: float,
) -> Shift:
    """From (n, F) features in standard deviations of the training photos, and measure -> (n,) whether it warns."""
    z = by_person(np.nan_to_num(z_scores), people)
    mean = z.mean(axis=0)
    error = np.maximum(z.std(axis=0, ddof=1), 1e-9) / np.sqrt(len(z))
    limit = t.isf(FALSE_ALARM / 2 / len(names), len(z) - 1)
    differing = [i for i in np.argsort(-np.abs(mean)) if abs(mean[i]) > limit * error[i]]
    warned, p = None, None
    if beyond:
        any_warning = np.any(list(beyond.values()), axis=0)
        warned = Estimate.of_share(any_warning, people)
        p = float(binom.sf(round(warned.value * len(z)) - 1, len(z), expected))
    return Shift(
        features=tuple(FeatureShift(names[i], float(mean[i])) for i in differing[:SHOWN]),
        shifted=len(differing),
        compared=len(names),
        unusual={name: float(share) for name, values in beyond.items() if (share := values.mean())},
        warned=warned,
        expected=expected,
        p=p,
    )
