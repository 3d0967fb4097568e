"""The one safe decoder: photo files of any kind to upright RGB pixels."""

import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from extractors.colour_profiles import conversion_of
from extractors.errors import ExtraError, InputError, PhotoError
from extractors.photo_files import open_photo

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 50_000_000
UNNAMED = Path("The photo")
"""What messages call a photo that is not a file."""

_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
# what the decoders of Pillow and libheif raise on damaged data
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError, struct.error, zlib.error)


def decode(path: Path) -> NDArray[np.uint8]:
    """Read a photo as (h, w, 3) uint8 sRGB, turned upright by its EXIF orientation.

    Grey, palette, CMYK and 16-bit pictures become RGB, transparency lies on white, of several frames the first
    counts; a colour profile is obeyed. The limits are checked before any pixel is decoded. Raises InputError when
    there is no such file or the system cannot read it, PhotoError when it is empty, too large, damaged or no picture.
    """
    _check_file(path)
    with _in_sentences(path), path.open("rb") as file, open_photo(file) as image:
        return _upright(path, image)


def decode_bytes(content: bytes) -> NDArray[np.uint8]:
    """The same of what a photo file holds."""
    _check_bytes(UNNAMED, len(content))
    with _in_sentences(UNNAMED), open_photo(BytesIO(content)) as image:
        return _upright(UNNAMED, image)


def decode_image(image: Image.Image) -> NDArray[np.uint8]:
    """The same of a PIL image, which is left as it is."""
    with _in_sentences(UNNAMED):
        check_pixels(UNNAMED, image.width * image.height)
        return _upright(UNNAMED, ImageOps.exif_transpose(image))


def _upright(name: Path, image: Image.Image) -> NDArray[np.uint8]:
    check_pixels(name, image.width * image.height)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return _rgb(image)


@contextmanager
def _in_sentences(name: Path) -> Iterator[None]:
    """What Pillow raises of a photo that cannot be used becomes PhotoError or InputError."""
    with warnings.catch_warnings():
        # Pillow warns of large sizes, which are checked here, and of damaged metadata, which do not matter
        warnings.simplefilter("ignore")
        try:
            yield
        except Image.DecompressionBombError as error:
            check_pixels(name, int(re.findall(r"\d+", str(error))[0]))
            raise
        except ExtraError as error:
            raise ExtraError(f"{name} {error}") from error
        except PermissionError as error:
            raise InputError(f"{name} may not be read: change its permissions.") from error
        except UnidentifiedImageError as error:
            raise PhotoError(f"{name} is not a photo: convert it to JPEG or PNG.") from error
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                # not the photo's fault, as on a network folder that went away
                raise InputError(f"{name} cannot be read ({error.strerror}): check its disk.") from error
            raise PhotoError(f"{name} is damaged or cut short: save or copy it again.") from error


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except PermissionError as error:
        raise InputError(f"{path} may not be read: change its permissions.") from error
    except OSError as error:
        raise InputError(f"{path} does not exist: give the path of a photo.") from error
    if not stat.S_ISREG(status.st_mode):
        what = "is a folder, not a photo" if stat.S_ISDIR(status.st_mode) else "is not a file"
        raise InputError(f"{path} {what}: give the path of a photo.")
    _check_bytes(path, status.st_size)


def _check_bytes(path: Path, size: int) -> None:
    if size == 0:
        raise PhotoError(f"{path} is empty: copy or download it again.")
    if size > MAX_BYTES:
        raise PhotoError(f"{path} has {size / 2**20:.0f} MiB, the limit is {MAX_BYTES // 2**20} MiB: save it smaller.")


def check_pixels(path: Path, pixels: int) -> None:
    """Raises PhotoError when a photo has more pixels than are decoded."""
    if pixels > MAX_PIXELS:
        raise PhotoError(
            f"{path} has {pixels / 1e6:.0f} million pixels, the limit is {MAX_PIXELS // 1_000_000} million: "
            "scale it down."
        )


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    conversion, plain = conversion_of(image), _plain(image)
    if conversion:
        plain = conversion.apply(plain)
    return np.asarray(plain if plain.mode == "RGB" else plain.convert("RGB"))


def _plain(image: Image.Image) -> Image.Image:
    """Eight bits a channel, without transparency."""
    if image.mode in _SIXTEEN_BIT:
        # Pillow's own conversion would cut off at 255
        return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) / 257, 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        coloured = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", coloured.size, "white")
        image.paste(coloured, mask=coloured)
    return image
