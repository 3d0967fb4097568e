"""Photos of every kind become upright RGB; everything else is one clear sentence."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from extractors import decode as decode_module
from extractors.decode import MAX_BYTES, MAX_PIXELS, decode
from extractors.errors import InputError, PhotoError
from tests.ingest_files import let_pillow_write_heic

let_pillow_write_heic()


def photo(width=24, height=16):
    """Top left red, the rest a gradient: every orientation looks different."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 5, y * 9, x + y], axis=2).astype(np.uint8)
    pixels[:6, :9] = (220, 30, 20)
    return Image.fromarray(pixels)


def saved(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif", "JPEG", "jfif", "avif", "heic"])
def test_every_format_gives_the_same_photo(tmp_path, suffix):
    options = {"webp": {"lossless": True}}.get(suffix, {})
    image = decode(saved(photo(), tmp_path / f"photo.{suffix}", **options))
    assert image.shape == (16, 24, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - np.asarray(photo())).mean() < 12


def test_of_several_frames_the_first_counts(tmp_path):
    first, second = photo(), photo().rotate(180)
    for suffix in ("gif", "tiff", "png", "webp"):
        path = saved(first, tmp_path / f"photo.{suffix}", save_all=True, append_images=[second])
        assert np.abs(decode(path)[:6, :9].astype(int) - (220, 30, 20)).mean() < 12
    path = saved(first, tmp_path / "photo.mpo", format="MPO", save_all=True, append_images=[second])
    assert np.abs(decode(path)[2, 2].astype(int) - (220, 30, 20)).mean() < 12


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("RGB", (10, 20, 30), "png", (10, 20, 30)),
        ("L", 77, "png", (77, 77, 77)),
        ("1", 1, "png", (255, 255, 255)),
        ("LA", (100, 255), "png", (100, 100, 100)),
        ("LA", (100, 0), "png", (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), "png", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), "png", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), "png", (204, 204, 204)),
        ("RGBA", (0, 0, 0, 51), "webp", (204, 204, 204)),
        ("CMYK", (0, 255, 255, 0), "tiff", (255, 0, 0)),
        ("CMYK", (0, 0, 0, 255), "jpg", (0, 0, 0)),
        ("YCbCr", (128, 128, 128), "jpg", (128, 128, 128)),
        ("I;16", 65535, "png", (255, 255, 255)),
        ("I;16", 32896, "png", (128, 128, 128)),
        ("I;16", 200, "tiff", (1, 1, 1)),
        ("I;16B", 25700, "tiff", (100, 100, 100)),
        ("I", 25700, "tiff", (100, 100, 100)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, colour, suffix, expected):
    image = decode(saved(Image.new(mode, (8, 6), colour), tmp_path / f"photo.{suffix}", lossless=True))
    assert image.shape == (6, 8, 3)
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_a_palette_keeps_its_colours_and_its_transparency(tmp_path):
    image = photo().convert("P", palette=Image.Palette.ADAPTIVE)
    plain = decode(saved(image, tmp_path / "plain.png"))
    assert np.abs(plain[:6, :9].astype(int) - (220, 30, 20)).max() < 10
    hidden = image.getpixel((0, 0))
    assert (decode(saved(image, tmp_path / "clear.png", transparency=hidden))[0, 0] == 255).all()
    assert (decode(saved(image, tmp_path / "bytes.png", transparency=bytes(256)))[0, 0] == 255).all()


TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["png", "tiff", "jpg", "avif", "heic"])
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    turn = TURNED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = photo() if turn is None else photo().transpose(turn)
    # of HEIC a box of its own counts, which its writer makes from bytes
    written = exif.tobytes() if suffix == "heic" else exif
    image = decode(saved(stored, tmp_path / f"photo.{suffix}", exif=written, quality=95))
    assert image.shape == (16, 24, 3)
    assert np.abs(image.astype(int) - np.asarray(photo())).mean() < 12


def test_a_missing_path_and_a_folder_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        decode(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="is a folder"):
        decode(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "is empty"), (b"Dear diary, this is no photo.\n" * 50, "is not a photo"), (bytes(5000), "is not a photo")],
)
def test_what_is_no_photo_says_so(tmp_path, content, complaint):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=complaint) as caught:
        decode(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif", "avif", "heic"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_photo_is_refused(tmp_path, suffix, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    path = saved(noise, tmp_path / f"photo.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(PhotoError, match=r"damaged or cut short|is not a photo"):
        decode(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    suffix=st.sampled_from(["jpg", "png", "webp", "bmp", "tiff", "gif", "avif", "heic"]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_a_photo_or_a_photo_error(tmp_path, suffix, changes):
    path = saved(photo(), tmp_path / f"photo.{suffix}")
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        image = decode(path)
    except PhotoError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (12_000, 10_000), (7_100, 7_100)])
def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, width, height):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(width, height))
    tracemalloc.start()
    with pytest.raises(PhotoError, match=rf"has {width * height / 1e6:.0f} million pixels.*limit is 50 million"):
        decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_photo_at_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(decode_module, "MAX_PIXELS", 24 * 16)
    path = saved(photo(), tmp_path / "photo.png")
    assert decode(path).shape == (16, 24, 3)
    monkeypatch.setattr(decode_module, "MAX_PIXELS", 24 * 16 - 1)
    with pytest.raises(PhotoError, match="million pixels"):
        decode(path)
    assert MAX_PIXELS == 50_000_000


def test_too_many_bytes_are_refused_unread(tmp_path):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 2**20)
    with pytest.raises(PhotoError, match="has 65 MiB, the limit is 64 MiB"):
        decode(path)
