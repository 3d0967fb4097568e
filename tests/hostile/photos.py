"""Photos that are not what they should be: one small file, one story each, all made of one drawn face.

What kallos should do with them is for the tests to say.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from extractors.photo_files import PHOTO_FORMATS
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from tests.ingest_files import let_pillow_write_heic

let_pillow_write_heic()

FORMATS = (*PHOTO_FORMATS, "HEIF")
MODES = (
    *("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"),
    *("LA", "PA", "RGBX", "RGBa", "La", "I;16", "I;16L", "I;16B", "I;16N"),
)
OPENCV = (
    "bmp",
    "jp2",
    "jpg",
    "png",
    "webp",
    "avif",
    "pbm",
    "pgm",
    "ppm",
    "pxm",
    "pnm",
    "sr",
    "ras",
    "tiff",
    "exr",
    "hdr",
    "pic",
)
FLIPS = 200
"""Photos of each format in which some bits are flipped."""


@cache
def face(side: int = 48) -> Image.Image:
    """A drawn face of that many pixels."""
    return Image.fromarray(paint(draw_parameters(7))).resize((side, side))


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of a file of that format."""
    out = io.BytesIO()
    image.save(out, format=form, **options)
    return out.getvalue()


def by_pillow() -> Iterator[tuple[str, bytes]]:
    """Every mode in every format that Pillow can write, PDF included."""
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for form in sorted(Image.SAVE):
            for mode in MODES:
                try:
                    yield f"{form} {mode}", encoded(face().convert(mode), form)
                except (OSError, ValueError, KeyError):
                    continue  # a mode that the format does not have


def by_opencv() -> Iterator[tuple[str, bytes]]:
    """Every format that this OpenCV can write, with 8, 16 and 32 bits a channel."""
    pixels = np.asarray(face())
    for suffix in OPENCV:
        for depth in (np.uint8, np.uint16, np.float32):
            try:
                written, content = cv2.imencode(f".{suffix}", pixels.astype(depth))
            except cv2.error:
                continue
            if written:
                yield f"OpenCV {suffix} {depth.__name__}", content.tobytes()


def truncated() -> Iterator[tuple[str, bytes]]:
    """Each format cut off at every hundredth of its length."""
    for form in FORMATS:
        content = encoded(face(), form)
        for share in range(1, 100):
            yield f"{form} {share} %", content[: len(content) * share // 100]


def flipped() -> Iterator[tuple[str, bytes]]:
    """Each format with one to eight bits flipped, at random places and in the first 200 bytes."""
    random = np.random.default_rng(6)
    for form in FORMATS:
        content = encoded(face(), form)
        for number in range(FLIPS):
            damaged = bytearray(content)
            reach = len(content) if number % 2 else min(len(content), 200)
            for place in random.integers(0, reach, random.integers(1, 9)):
                damaged[place] ^= 1 << int(random.integers(8))
            yield f"{form} flipped {number}", bytes(damaged)


def bombs() -> Iterator[tuple[str, bytes]]:
    """A few bytes that claim, or would become, gigabytes."""
    for form, side in (("PNG", 100_000), ("BMP", 40_000), ("GIF", 65_000), ("TIFF", 60_000), ("JPEG", 65_000)):
        yield f"{form} that claims {side} pixels", _claiming(form, side)
    yield "WEBP that claims 16,383 pixels", _claiming("WEBP", 16_383)
    yield "PNG of 8,000 pixels that holds as many", encoded(Image.new("L", (8_000, 8_000)), "PNG")
    yield "GIF of 8,000 pixels that holds as many", encoded(Image.new("L", (8_000, 8_000)), "GIF")
    text = b"note\0\0" + zlib.compress(bytes(200_000_000), 9)
    yield "PNG with a text of 200 MB", _png_with(b"zTXt", text)
    yield "PNG with a colour profile of 200 MB", _png_with(b"iCCP", text)
    yield (
        "GIF of 300 frames",
        encoded(face(), "GIF", save_all=True, append_images=[face(16).rotate(i) for i in range(50)] * 6),
    )
    yield "TIFF whose directories go round", _tiff_going_round()
    yield "TIFF that claims 4 billion entries", struct.pack("<2sHIQQ", b"II", 43, 8, 16, 2**32)


def _claiming(form: str, side: int) -> bytes:
    content = bytearray(encoded(face(), form, **({"lossless": True} if form == "WEBP" else {})))
    if form == "PNG":
        content[16:24] = struct.pack(">II", side, side)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif form == "BMP":
        content[18:26] = struct.pack("<ii", side, side)
    elif form == "GIF":
        frame = content.index(b",\0\0\0\0")
        content[6:10] = content[frame + 5 : frame + 9] = struct.pack("<HH", side, side)
    elif form == "JPEG":
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    elif form == "WEBP":
        content[21:25] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    else:
        image = Image.new("L", (1, 1))
        return (
            encoded(image, form, tiffinfo={256: side, 257: side})
            .replace(struct.pack("<HHII", 256, 4, 1, 1), struct.pack("<HHII", 256, 4, 1, side))
            .replace(struct.pack("<HHII", 257, 4, 1, 1), struct.pack("<HHII", 257, 4, 1, side))
        )
    return bytes(content)


def _png_with(kind: bytes, data: bytes) -> bytes:
    content = encoded(face(), "PNG")
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content[:33] + chunk + content[33:]


def _tiff_going_round() -> bytes:
    content = encoded(face(), "TIFF")
    (first,) = struct.unpack("<I", content[4:8])
    (entries,) = struct.unpack("<H", content[first : first + 2])
    after = first + 2 + 12 * entries
    return content[:after] + struct.pack("<I", first) + content[after + 4 :]


def whole_folder(folder: Path) -> list[str]:
    """A folder in which names and kinds of file are hostile; gives the names of the three that are photos."""
    outside = folder.parent / "outside"
    outside.mkdir(parents=True)
    folder.mkdir()
    photo = encoded(face(), "PNG")
    (outside / "secret.png").write_bytes(photo + b"secret")
    good = ["with space.jpg", "l\nine\tbreak.jpg", "zoë 美 🙂.jpg", "-rf.jpg", "x" * 251 + ".jpg", "%2e%2e.jpg"]
    for number, name in enumerate(good):
        (folder / name).write_bytes(photo + bytes([number]))
    (folder / "empty.jpg").touch()
    (folder / "letter.jpg").write_text("Dear reader\n" * 50)
    (folder / "program.png").write_bytes(b"\x7fELF" + bytes(3000))
    (folder / "folder.jpg").mkdir()
    (folder / "round.jpg").symlink_to("round.jpg")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "away").symlink_to(outside, target_is_directory=True)
    (folder / "secret.png").symlink_to(outside / "secret.png")
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.jpg"))
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jpg"))).write_bytes(photo)
    return good
