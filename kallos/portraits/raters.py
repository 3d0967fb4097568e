"""The known preference behind the drawn portraits, and sixty simulated raters who share it with noise.

The preference is invented: it was chosen to be smooth and recoverable from a picture, and says nothing about people. It
ignores skin tone, styling, hair, pose and light.
"""

import math

import numpy as np
from numpy.typing import NDArray

from featurestore.ingest.demo import SCALE
from kallos.portraits.parameters import SPREADS, PortraitParameters

_LINEAR = {
    "eye_width": 0.34,
    "eye_opening": 0.30,
    "canthal_tilt": 0.12,
    "brow_height": 0.22,
    "lip_thickness": 0.30,
    "jaw_width": -0.22,
    "chin_length": -0.15,
    "skin_roughness": -0.75,
}
"""Gain for each standard deviation of the parameter."""

_MIDDLE = {"jaw_width": 0.06, "nose_width": 0.07, "nose_length": 0.07, "mouth_width": 0.10, "cheek_width": 0.05}
"""Loss with the square of the distance from the middle, in standard deviations."""

_ASYMMETRY = 0.35
_BALANCE = 0.08
_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)

MIDDLE = SCALE.at(0.5)
BIAS_SD, NOISE_SD = 0.35, 0.55
SPREADING = (0.85, 1.15)


def true_score(parameters: PortraitParameters) -> float:
    """The mean rating by the pool of raters; about the middle of their scale, with a standard deviation of .65."""
    z = {name: (getattr(parameters, name) - s.mean) / s.sd for name, s in SPREADS.items()}
    preference = sum(weight * z[name] for name, weight in _LINEAR.items())
    preference -= sum(weight * (z[name] ** 2 - 1) for name, weight in _MIDDLE.items())
    preference -= _ASYMMETRY * (abs(z["asymmetry"]) - _MEAN_ABSOLUTE)
    preference -= _BALANCE * z["eye_opening"] * z["lip_thickness"]
    return MIDDLE + SCALE.width / 2 * math.tanh(0.37 * preference)


def rate(scores: NDArray[np.float64], seed: int, raters: int = 60) -> NDArray[np.int64]:
    """(n, raters) integer ratings of portraits with the given (n,) true scores.

    Each rater has a bias (normal, sd `BIAS_SD`), a factor about the middle (uniform in `SPREADING`) and independent
    noise for each rating (normal, sd `NOISE_SD`).
    """
    rng = np.random.default_rng(seed)
    bias = rng.normal(0, BIAS_SD, raters)
    factor = rng.uniform(*SPREADING, raters)
    noise = rng.normal(0, NOISE_SD, (len(scores), raters))
    opinion = MIDDLE + factor * (scores[:, None] - MIDDLE) + bias + noise
    return np.clip(np.rint(opinion), *SCALE).astype(np.int64)
