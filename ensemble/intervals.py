"""Prediction intervals of scores from out-of-fold errors, for everyone and for each group.

The error on a training row is that of members and a combiner that were fitted without it. Each is divided by the
usual error at such a score, so that intervals are wider where scores are less certain (Lei et al. 2018, section 5.2).
Of the n quotients, the ceil((n + 1) level)-th smallest times the usual error at a new photo's score is the half-width:
if the new photo's error were one more of the same kind, it would be covered with a probability of at least `level`,
over training sets and photos together.

It is of nearly the same kind, not of the same: a new photo is scored by models fitted on all rows, not on a part less.
So `level` is aimed at, not guaranteed; residuals of cross-validation have no guarantee without assumptions (Barber et
al. 2021). docs/design/learning.md says what one would take, and docs/lab/intervals.md what was measured.

A group's own calibration first subtracts the group's mean error; it is fitted where that is shown to differ from the
mean error of another group.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from featurestore.calibration import FEWEST, LEVEL, Calibration, conformal_quantile
from featurestore.errors import UsageError
from featurestore.group_differences import differing_groups
from featurestore.scale import MODEL_SCALE
from models.untrusted import as_bundle_error, read_json

Reals = NDArray[np.float64]

FILE = "intervals.json"
EVERYONE = ""
MIN_PHOTOS = 40
"""Minimum number of photos for a calibration of a group."""
STRETCHES, PHOTOS_A_STRETCH = 8, 50
"""Stretches of the scores for which a usual error is measured; fewer where there are few photos."""
SMALLEST_ERROR = 1e-6
"""So that a stretch without any error divides nothing by zero."""


@dataclass(frozen=True)
class Intervals:
    """Calibrations by group, always including EVERYONE."""

    calibrations: Mapping[str, Calibration]

    @classmethod
    def fit(
        cls,
        predicted: Reals,
        truth: Reals,
        part: NDArray[np.int64],
        groups: Sequence[str | None],
        people: Sequence[str],
    ) -> Self:
        """From (n,) scores predicted out of fold, and of each row the part that it was held out with, group and person.

        None is an unknown group. Rows of one person count as one where groups are compared.
        """
        errors = predicted - truth
        usual, places, sizes = _usual_errors(predicted, np.abs(errors), part)
        calibrations = {EVERYONE: _calibration(errors / usual, 0.0, places, sizes)}
        group_of_row = np.array([group or EVERYONE for group in groups])
        for group in sorted(differing_groups(errors, groups, people)):
            rows = group_of_row == group
            if (n := int(rows.sum())) >= MIN_PHOTOS:
                bias = float(errors[rows].mean())
                # each row's distance from the mean error of the group's other rows
                distances = (errors[rows] - bias) * n / (n - 1)
                calibrations[group] = _calibration(distances / usual[rows], bias, places, sizes)
        return cls(calibrations)

    @property
    def everyone(self) -> Calibration:
        """The calibration for photos of an unknown group."""
        return self.calibrations[EVERYONE]

    def for_group(self, group: str | None) -> Calibration:
        """A group's calibration, or everyone's. Raises UsageError, naming the groups, for an unknown one."""
        if (group or EVERYONE) not in self.calibrations:
            names = ", ".join(sorted(self.calibrations.keys() - {EVERYONE}))
            others = f", or choose from {names}" if names else ""
            raise UsageError(f"The models have no calibration for the group {group!r}: leave the group out{others}.")
        return self.calibrations[group or EVERYONE]

    def by_subset(self) -> dict[str | None, Calibration]:
        """The calibrations as the store has them: that for everyone under None."""
        return {group or None: calibration for group, calibration in self.calibrations.items()}

    def save(self, folder: Path) -> None:
        content = {"level": LEVEL, "calibrations": {name: asdict(c) for name, c in self.calibrations.items()}}
        (folder / FILE).write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises BundleError when the folder holds none."""
        content = read_json(folder / FILE)
        with as_bundle_error(folder / FILE):
            read = {name: _read(c) for name, c in content["calibrations"].items()}
            return cls({EVERYONE: read[EVERYONE], **read})


def _usual_errors(predicted: Reals, distances: Reals, part: NDArray[np.int64]) -> tuple[Reals, Reals, Reals]:
    """The usual size of the error at each row's score, by the other parts' rows; then places and sizes by all rows."""
    stretches = min(max(len(predicted) // PHOTOS_A_STRETCH, 1), STRETCHES)
    usual = np.empty(len(predicted))
    for held_out in (part == number for number in np.unique(part)):
        known = _mean_by_stretch(predicted[~held_out], distances[~held_out], stretches)
        usual[held_out] = np.interp(predicted[held_out], *known)
    return usual, *_mean_by_stretch(predicted, distances, stretches)


def _mean_by_stretch(predicted: Reals, distances: Reals, stretches: int) -> tuple[Reals, Reals]:
    """Mean score and mean distance, relative to that of all rows, of stretches with equally many rows."""
    rows = np.array_split(np.argsort(predicted, kind="stable"), stretches)
    places, first = np.unique([predicted[each].mean() for each in rows], return_index=True)
    sizes = np.array([distances[each].mean() for each in rows])[first].clip(SMALLEST_ERROR)
    return places, sizes / max(float(distances.mean()), SMALLEST_ERROR)


def _calibration(quotients: Reals, bias: float, places: Reals, sizes: Reals) -> Calibration:
    """From (n,) errors without the bias, each divided by the usual one, and the usual ones at some scores."""
    if len(quotients) < FEWEST:
        return Calibration(len(quotients), bias, (), ())
    half_widths = conformal_quantile(np.abs(quotients)) * sizes
    return Calibration(len(quotients), bias, tuple(places.tolist()), tuple(half_widths.tolist()))


def _read(content: Mapping[str, Any]) -> Calibration:
    n, bias = int(content["n"]), float(content["bias"])
    if "half_width" in content:  # of an earlier kallos: the same for all scores
        scores, half_widths = [MODEL_SCALE.low], [content["half_width"]]
    else:
        scores, half_widths = content["scores"], content["half_widths"]
    table = np.array([scores, half_widths], dtype=np.float64)
    if not np.isfinite(table).all() or (np.diff(table[0]) <= 0).any():
        raise ValueError("its half-widths are no numbers at rising scores")
    return Calibration(n, bias, *map(tuple, table.tolist()))
