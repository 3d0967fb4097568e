"""Colour profiles: photos whose numbers mean other colours than sRGB's are converted to sRGB.

A profile that is damaged, of another kind than its picture or too large to be one is ignored, as browsers do.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageCms

LARGEST = 16 * 2**20
"""Bytes of a profile: as many as a JPEG can hold."""

ROUNDING = 2
"""Levels of 255. A profile that moves no colour further is sRGB itself, in the spelling of another programme."""

_PICTURES = {
    "RGB": ("RGB", {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"}),
    "GRAY": ("L", {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N"}),
    "CMYK": ("CMYK", {"CMYK"}),
}
"""What a profile is of -> the mode that is converted, and the modes of pictures that it can belong to."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """From a profile to sRGB; `name` is what the profile calls itself, `mode` what pictures must have."""

    name: str
    mode: str
    transform: ImageCms.ImageCmsTransform

    def apply(self, image: Image.Image) -> Image.Image:
        """The picture, without transparency and with 8 bits a channel, in sRGB."""
        converted = ImageCms.applyTransform(image.convert(self.mode), self.transform)
        assert converted is not None, "only a conversion in place gives none"
        return converted


def conversion_of(image: Image.Image) -> Conversion | None:
    """What an opened picture's colours need: None without a profile, with sRGB's, and with one that cannot be used."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= LARGEST:
        return None
    return _conversion(profile, image.mode)


@lru_cache(maxsize=8)
def _conversion(content: bytes, picture: str) -> Conversion | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        mode, pictures = _PICTURES.get(profile.profile.xcolor_space.strip(), ("", set[str]()))
        if picture not in pictures:
            return None
        transform = ImageCms.buildTransform(
            profile,
            _srgb(),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        conversion = Conversion(_name(profile), mode, transform)
        return None if mode != "CMYK" and _changes_nothing(conversion) else conversion
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    text = profile.profile.profile_description or ""
    return "".join(c for c in text if c.isprintable()).strip()[:60] or "without a name"


def _changes_nothing(conversion: Conversion) -> bool:
    levels = range(256) if conversion.mode == "L" else range(0, 256, 15)
    colours = [(level,) * 3 for level in levels] if conversion.mode == "L" else list(product(levels, repeat=3))
    before = np.array([colours], dtype=np.uint8)
    after = np.asarray(conversion.apply(Image.fromarray(before)))
    return bool(np.abs(after.astype(int) - before).max() <= ROUNDING)
