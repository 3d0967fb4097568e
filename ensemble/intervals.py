"""Conformal prediction intervals of scores from out-of-fold errors, for everyone and for each group.

Split-conformal intervals (Vovk et al. 2005; Lei et al. 2018) on cross-fitted predictions: of n absolute errors on
rows held out from the predicting model, the ceil((n + 1) level)-th smallest is the half-width. It covers at least
`level` of new photos of the same kind, however wrong the model is. A group's own calibration first subtracts the
group's mean error, and covers within the group; it is fitted where the group's mean error is shown to differ from that
of another group.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from featurestore.errors import UsageError
from featurestore.groups import differing_groups
from featurestore.scale import MODEL_SCALE
from models.untrusted import as_bundle_error, read_json

FILE = "intervals.json"
LEVEL = 0.9
EVERYONE = ""
MIN_PHOTOS = 40
"""Minimum number of photos for a calibration of a group."""


@dataclass(frozen=True)
class Calibration:
    """Bias and interval width from the errors on n photos.

    bias        mean of predicted - true, which is subtracted; 0 for everyone, as the combiner was fitted on them
    half_width  of the interval around the score
    """

    n: int
    bias: float
    half_width: float

    @classmethod
    def fit(cls, errors: NDArray[np.float64], bias: float = 0.0) -> Self:
        """From (n,) predicted - true."""
        distances = np.sort(np.abs(errors - bias))
        place = min(math.ceil((len(distances) + 1) * LEVEL), len(distances))
        return cls(len(distances), bias, float(distances[place - 1]))

    def corrected(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (n,) without the bias, clipped to the scale."""
        return MODEL_SCALE.clip(scores - self.bias)

    def interval(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high ends (n,), clipped to the scale."""
        middle = scores - self.bias
        return MODEL_SCALE.clip(middle - self.half_width), MODEL_SCALE.clip(middle + self.half_width)


@dataclass(frozen=True)
class Intervals:
    """Calibrations by group, always including EVERYONE."""

    calibrations: Mapping[str, Calibration]

    @classmethod
    def fit(cls, errors: NDArray[np.float64], groups: Sequence[str | None]) -> Self:
        """From (n,) out-of-fold predicted - true and the group of each row, None where unknown."""
        group_of_row = np.array([group or EVERYONE for group in groups])
        calibrations = {EVERYONE: Calibration.fit(errors)}
        differing = differing_groups(errors, groups)
        for group in sorted(set(group_of_row.tolist()) - {EVERYONE}):
            group_errors = errors[group_of_row == group]
            if len(group_errors) >= MIN_PHOTOS and group in differing:
                calibrations[group] = Calibration.fit(group_errors, float(group_errors.mean()))
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

    def rows(self) -> list[dict[str, object]]:
        """The calibrations as rows of the table `intervals`."""
        return [
            {"subset": group or None, **asdict(calibration), "level": LEVEL}
            for group, calibration in self.calibrations.items()
        ]

    def save(self, folder: Path) -> None:
        """Write intervals.json."""
        content = {"level": LEVEL, "calibrations": {name: asdict(c) for name, c in self.calibrations.items()}}
        (folder / FILE).write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises BundleError when the folder holds none."""
        content = read_json(folder / FILE)
        with as_bundle_error(folder / FILE):
            read = {
                name: Calibration(int(c["n"]), float(c["bias"]), float(c["half_width"]))
                for name, c in content["calibrations"].items()
            }
            return cls({EVERYONE: read[EVERYONE], **read})
