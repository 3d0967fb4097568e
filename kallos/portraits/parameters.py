"""The parameters of a drawn portrait, their distributions, and how a seed draws them.

Every measure is drawn independently of the others, so a rank correlation between one parameter and one measured
feature tests that feature alone. The four subsets correspond to the groups of a photographic data set:
warm or fair skin, female or male styling. They are drawing styles, not people, and the preference of the simulated
raters ignores them.
"""

from dataclasses import dataclass

import numpy as np

SUBSETS = ("WF", "WM", "FF", "FM")
"""First letter: Warm or Fair skin tone. Second: Female or Male styling (hair, brows, neck, lips)."""

FEMALE_HAIR = ("long", "side_part", "bob", "bun")
MALE_HAIR = ("crop", "quiff", "swept", "curls")
HAIR_COLOURS = ("black", "umber", "chestnut", "auburn", "honey", "blond")
EYE_COLOURS = ("brown", "amber", "green", "blue", "grey")
SCENE_COLOURS = 6


@dataclass(frozen=True)
class Spread:
    """A normal distribution cut at `low` and `high`. Without a unit the value multiplies the nominal measure."""

    mean: float
    sd: float
    low: float
    high: float
    unit: str = "x nominal"


SPREADS: dict[str, Spread] = {
    "eye_width": Spread(1.0, 0.11, 0.76, 1.24),
    "eye_opening": Spread(1.0, 0.21, 0.55, 1.5),
    "canthal_tilt": Spread(3.0, 5.5, -10.0, 16.0, "degrees, outer corner above the inner one"),
    "brow_height": Spread(1.0, 0.12, 0.72, 1.28),
    "nose_width": Spread(1.0, 0.19, 0.6, 1.4),
    "nose_length": Spread(1.0, 0.08, 0.8, 1.2),
    "mouth_width": Spread(1.0, 0.07, 0.84, 1.16),
    "lip_thickness": Spread(1.0, 0.28, 0.4, 1.6),
    "jaw_width": Spread(1.0, 0.095, 0.8, 1.18),
    "chin_length": Spread(1.0, 0.15, 0.65, 1.35),
    "cheek_width": Spread(1.0, 0.04, 0.9, 1.1),
    "asymmetry": Spread(0.0, 0.4, -1.0, 1.0, "signed; positive raises the features at the right of the picture"),
    "skin_roughness": Spread(0.45, 0.25, 0.0, 1.0, "0 smooth to 1 rough"),
    "yaw": Spread(0.0, 4.0, -10.0, 10.0, "degrees, positive turns to the right of the picture"),
    "pitch": Spread(0.0, 1.2, -3.0, 3.0, "degrees, positive looks up"),
    "roll": Spread(0.0, 3.0, -8.0, 8.0, "degrees, positive tilts clockwise"),
    "light_direction": Spread(0.0, 0.5, -1.0, 1.0, "-1 from the left of the picture to 1 from the right"),
    "light_strength": Spread(1.0, 0.15, 0.6, 1.4),
}

SKIN_TONES = {"W": (0.42, 0.85), "F": (0.0, 0.36)}
"""Range of `skin_tone` by the first letter of the subset; 0 is the fairest, 1 the deepest."""


@dataclass(frozen=True)
class PortraitParameters:
    """One portrait. Units and ranges of the measures: `SPREADS`; names of the styles: the tuples above."""

    subset: str
    eye_width: float
    eye_opening: float
    canthal_tilt: float
    brow_height: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip_thickness: float
    jaw_width: float
    chin_length: float
    cheek_width: float
    asymmetry: float
    skin_roughness: float
    yaw: float
    pitch: float
    roll: float
    light_direction: float
    light_strength: float
    skin_tone: float
    hair_style: str
    hair_colour: str
    eye_colour: str
    scene: int
    grain: int
    """Seed of the texture of skin, hair and cloth."""

    @property
    def is_female(self) -> bool:
        """Female styling; the measures are drawn alike for both stylings."""
        return self.subset[1] == "F"


def draw_parameters(seed: int) -> PortraitParameters:
    """The portrait of a seed; the same seed gives the same portrait on every machine."""
    rng = np.random.default_rng(seed)
    subset = str(rng.choice(SUBSETS))
    measures = {name: float(np.clip(rng.normal(s.mean, s.sd), s.low, s.high)) for name, s in SPREADS.items()}
    tone = float(rng.uniform(*SKIN_TONES[subset[0]]))
    # Fair hair on deep skin would look unnatural, so deeper tones choose among the darker half.
    colours = HAIR_COLOURS if tone < 0.4 else HAIR_COLOURS[:3]
    eyes = EYE_COLOURS if tone < 0.4 else EYE_COLOURS[:2]
    return PortraitParameters(
        subset=subset,
        **measures,
        skin_tone=tone,
        hair_style=str(rng.choice(FEMALE_HAIR if subset[1] == "F" else MALE_HAIR)),
        hair_colour=str(rng.choice(colours)),
        eye_colour=str(rng.choice(eyes)),
        scene=int(rng.integers(SCENE_COLOURS)),
        grain=int(rng.integers(2**31)),
    )
