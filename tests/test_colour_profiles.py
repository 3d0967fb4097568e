"""One look in any colour space gives the same pixels; a profile that is no use changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from extractors.colour_profiles import LARGEST, _conversion
from extractors.decode import decode
from extractors.definitions import definitions
from extractors.geometry.compute import compute_geometry
from extractors.landmarker import Landmarker
from extractors.skin import compute_skin
from extractors.values import face_of
from featurestore.ingest.dataset import write
from featurestore.ingest.photos import scan_images
from featurestore.opening import open_store
from kallos.engines.extraction import extract
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.workflows.progress import ignore
from tests.icc import SPACES, cmyk_profile, grey_profile, in_space, rgb_profile
from tests.ingest_files import let_pillow_write_heic, read_scores
from tests.test_pipeline import MeanColour

let_pillow_write_heic()
OTHERS = sorted(SPACES.keys() - {"sRGB"})
MADE_BY_OTHERS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def portrait():
    return paint(draw_parameters(3))


def decoded(folder: Path, pixels, profile: bytes | None, suffix: str = "png", **options: object):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(folder / f"photo.{suffix}", icc_profile=profile, **options)
    return decode(folder / f"photo.{suffix}")


def difference(one, other) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("space", OTHERS)
def test_one_look_in_any_space_gives_the_same_pixels(space, portrait, tmp_path):
    converted = in_space(space, portrait)
    assert difference(converted, portrait) > 10
    assert difference(decoded(tmp_path, converted, rgb_profile(space)), portrait) <= (2 if space == "ProPhoto" else 1)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("tiff", {}),
        ("webp", {"lossless": True}),
        ("jpg", {"quality": 98}),
        ("avif", {"quality": 98}),
        ("heic", {"quality": -1}),
    ],
)
def test_profiles_are_obeyed_in_every_format_that_has_them(suffix, options, portrait, tmp_path):
    converted = decoded(tmp_path, in_space("Adobe RGB", portrait), rgb_profile("Adobe RGB"), suffix, **options)
    plain = decoded(tmp_path, portrait, None, suffix, **options)
    assert np.abs(converted.astype(int) - plain).mean() < 1.5


def test_features_are_those_of_the_same_look_in_srgb(portrait, tmp_path):
    spans = [(d.kind, d.high - d.low) for d in definitions() if d.kind in ("geometry", "skin")]
    spans = np.array([span for kind in ("geometry", "skin") for of, span in spans if of == kind])
    with Landmarker() as mesh:

        def features(pixels, profile=None):
            face = face_of(decoded(tmp_path, pixels, profile), mesh)
            return (
                np.hstack([compute_geometry(face.landmarks[None])[1][0], compute_skin(face.crop, face.aligned.visible)])
                / spans
            )

        plain, unconverted = features(portrait), features(in_space("Adobe RGB", portrait))
        assert np.nanmax(np.abs(unconverted - plain)) > 0.05
        for space in ("Adobe RGB", "Display P3"):
            converted = features(in_space(space, portrait), rgb_profile(space))
            assert np.nanmax(np.abs(converted - plain)) < 0.02


@pytest.mark.parametrize("profile", [None, rgb_profile("sRGB"), MADE_BY_OTHERS], ids=["none", "table", "parametric"])
def test_srgb_is_left_as_it_is_and_costs_nothing(profile, portrait, tmp_path):
    assert (decoded(tmp_path, portrait, profile) == portrait).all()
    if profile is not None:
        before = _conversion.cache_info().hits
        began = time.perf_counter()
        assert _conversion(profile, "RGB") is None
        assert time.perf_counter() - began < 0.002
        assert _conversion.cache_info().hits == before + 1


def test_grey_is_converted_by_its_own_profile_and_by_one_of_colours(tmp_path):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    light = (ramp / 255) ** 1.8
    expected = np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))
    for mode in ("L", "LA"):
        image = decoded(tmp_path, Image.fromarray(ramp).convert(mode), grey_profile(1.8))
        assert image.shape == (4, 256, 3)
        assert difference(image, expected[..., None]) <= 1
    assert difference(decoded(tmp_path, ramp, rgb_profile("ProPhoto")), expected[..., None]) <= 1
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    assert difference(decoded(tmp_path, deep, grey_profile(1.8)), expected[..., None]) <= 1


def test_palettes_and_transparency_are_converted_too(tmp_path, portrait):
    converted = Image.fromarray(in_space("Adobe RGB", portrait))
    palette = decoded(tmp_path, converted.quantize(64), rgb_profile("Adobe RGB"))
    assert np.abs(palette.astype(int) - portrait).mean() < 6
    converted.putalpha(255)
    assert difference(decoded(tmp_path, converted, rgb_profile("Adobe RGB")), portrait) <= 1
    converted.putalpha(0)
    assert (decoded(tmp_path, converted, rgb_profile("Adobe RGB")) == 255).all()


def test_cmyk_is_converted_by_its_inks(tmp_path):
    inks = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    assert decoded(tmp_path, inks, cmyk_profile(), "tiff")[0, 0].min() >= 254, "paper is white"
    black, cyan = (Image.new("CMYK", (8, 8), colour) for colour in ((0, 0, 0, 255), (255, 0, 0, 0)))
    for suffix in ("tiff", "jpg"):
        assert decoded(tmp_path, black, cmyk_profile(), suffix)[0, 0].max() < 60
        red, green, blue = decoded(tmp_path, cyan, cmyk_profile(), suffix)[0, 0].tolist()
        assert red < green
        assert red < blue
        assert (red, green, blue) != (0, 255, 255), "as without a profile"


def test_a_profile_of_another_kind_than_the_picture_is_ignored(tmp_path, portrait):
    inks = Image.fromarray(portrait).convert("CMYK")
    plain = decoded(tmp_path, inks, None, "tiff")
    for picture, profile, suffix, expected in (
        (portrait, grey_profile(1.8), "png", portrait),
        (portrait, cmyk_profile(), "png", portrait),
        (inks, rgb_profile("Adobe RGB"), "tiff", plain),
        (portrait, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), "png", portrait),
    ):
        assert (decoded(tmp_path, picture, profile, suffix) == expected).all()


@pytest.mark.parametrize("profile", [b"no profile", bytes(500), b"x" * (LARGEST + 1), rgb_profile("ProPhoto")[:300]])
def test_a_profile_that_is_none_is_ignored(profile, tmp_path, portrait):
    assert (decoded(tmp_path, portrait, profile, "tiff") == portrait).all()


@pytest.mark.parametrize("examples", [60, pytest.param(300, marks=pytest.mark.long)])
def test_a_damaged_profile_converts_or_is_ignored(examples, tmp_path):
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(
        profile=st.sampled_from([rgb_profile("Adobe RGB"), grey_profile(1.8), cmyk_profile()]),
        changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
        near=st.booleans(),
    )
    def damaged(profile, changes, near):
        content = bytearray(profile)
        for place, value in changes:
            content[place % (250 if near else len(content))] = value
        mode = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}[profile[16:20]]
        image = Image.new(mode, (16, 12), 90 if mode == "L" else (90, 120, 200, 30)[: len(mode)])
        assert decoded(tmp_path, image, bytes(content), "tiff").shape == (12, 16, 3)

    damaged()


def test_ingest_says_which_profile_is_converted(tmp_path, portrait):
    profiles = {"a": rgb_profile("Adobe RGB", "Adobe \x1b[2JRGB"), "b": rgb_profile("sRGB"), "c": None, "d": b"broken"}
    for name, profile in profiles.items():
        Image.fromarray(portrait[:, : 300 + ord(name)]).save(tmp_path / f"{name}.png", icc_profile=profile)
    _, findings = scan_images("x", tmp_path, {f"{name}.png": f"{name}.png" for name in profiles})
    assert findings == [
        ("colour_profile", "a.png", "has the colour profile Adobe [2JRGB: its colours are converted to sRGB")
    ]


def test_what_an_earlier_kallos_stored_of_such_photos_is_computed_again_and_nothing_else(tmp_path, portrait):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(in_space("Adobe RGB", portrait)).save(photos / "a.png", icc_profile=rgb_profile("Adobe RGB"))
    Image.fromarray(portrait).save(photos / "b.png", icc_profile=rgb_profile("sRGB"))
    (tmp_path / "labels.csv").write_text("image,score\na.png,3\nb.png,4\n")
    with open_store(tmp_path / "s.duckdb") as store:

        def ingest_and_look() -> int:
            write(store, read_scores(tmp_path / "labels.csv", photos, "mine"))
            return extract(store, [MeanColour()], ignore).processed

        assert ingest_and_look() == 2
        assert ingest_and_look() == 0
        rows = store.frame("SELECT * FROM geometric_features ORDER BY image_id")
        # as ingested by a kallos that knew no profiles
        store.execute("DELETE FROM findings")
        assert ingest_and_look() == 1
        assert store.frame("SELECT * FROM geometric_features ORDER BY image_id").equals(rows, null_equal=True)
        assert store.value("SELECT count(*) FROM extractions") == 2 * 6
