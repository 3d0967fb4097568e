"""Photo files of the kinds that kallos reads, opened by Pillow; HEIC is an extra."""

from functools import cache
from importlib.util import find_spec
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from extractors.errors import ExtraError

PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
    *(".avif", ".heic", ".heif", ".hif"),
)
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
"""What Pillow may open a photo as, beside HEIC, which is an extra; MPO files are read as JPEG."""

HEIC = "HEIC, which needs an extra: `pip install 'kallos[heic]'`"
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}


def open_photo(file: BinaryIO) -> Image.Image:
    """The photo with its header read and no pixel decoded.

    Raises ExtraError for HEIC where its reader is not installed, and what `PIL.Image.open` raises.
    """
    try:
        return Image.open(file, formats=_formats())
    except UnidentifiedImageError:
        file.seek(0)
        start = file.read(12)
        if start[4:8] == b"ftyp" and start[8:] in _HEIC_BRANDS and not reads_heic():
            raise ExtraError(f"is {HEIC}.") from None
        raise


@cache
def reads_heic() -> bool:
    """Whether the extra for HEIC is installed."""
    return find_spec("pillow_heif") is not None


@cache
def _formats() -> tuple[str, ...]:
    if not reads_heic():
        return PHOTO_FORMATS
    from pillow_heif import register_heif_opener

    # one thread: worker processes have a core each
    register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    return (*PHOTO_FORMATS, "HEIF")
