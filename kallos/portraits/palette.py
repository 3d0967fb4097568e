"""Natural colours of skin, hair, eyes and scenes, all RGB in 0..255."""

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float32]


def rgb(*channels: float) -> Colour:
    """A colour as a float32 array, as the canvas needs it."""
    return np.array(channels, np.float32)


_SKIN_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SKIN = ((247, 219, 200), (238, 197, 168), (214, 163, 126), (172, 118, 84), (120, 80, 57))

HAIR = {
    "black": rgb(40, 33, 34),
    "umber": rgb(66, 46, 37),
    "chestnut": rgb(99, 63, 43),
    "auburn": rgb(138, 72, 44),
    "honey": rgb(160, 117, 72),
    "blond": rgb(207, 171, 116),
}
IRIS = {
    "brown": rgb(98, 62, 38),
    "amber": rgb(138, 98, 52),
    "green": rgb(98, 124, 84),
    "blue": rgb(84, 126, 164),
    "grey": rgb(112, 128, 138),
}
BACKDROPS = (
    rgb(178, 196, 200),
    rgb(206, 190, 172),
    rgb(166, 182, 164),
    rgb(196, 178, 186),
    rgb(158, 174, 196),
    rgb(214, 200, 176),
)
CLOTHES = (rgb(52, 74, 92), rgb(92, 104, 84), rgb(128, 62, 60), rgb(62, 62, 84), rgb(214, 206, 194), rgb(58, 92, 94))


def skin_base(tone: float) -> Colour:
    """Skin in even light; tone 0 is the fairest, 1 the deepest."""
    return rgb(*(float(np.interp(tone, _SKIN_STOPS, channel)) for channel in zip(*_SKIN, strict=True)))


def skin_ramp(tone: float) -> NDArray[np.float32]:
    """(256, 3) colours from deepest shadow to highlight; even light is in the middle.

    Shadows turn warm and red rather than grey, as light that has passed through skin does.
    """
    base = skin_base(tone)
    stops = (0.0, 0.28, 0.5, 0.75, 1.0)
    colours = (
        base * rgb(0.42, 0.30, 0.27),
        base * rgb(0.80, 0.68, 0.63),
        base,
        base + (rgb(255, 246, 236) - base) * 0.38,
        base + (rgb(255, 252, 246) - base) * 0.85,
    )
    tones = np.linspace(0, 1, 256)
    channels = [np.interp(tones, stops, channel) for channel in np.transpose(colours)]
    return np.stack(channels, axis=1).astype(np.float32)
