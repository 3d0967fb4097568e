"""Photos as Python holds them: path, bytes, PIL image and array are seen as the file is, and held to its limits."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kallos
from ensemble.predictor import Predictor
from extractors.decode import MAX_BYTES, decode
from extractors.errors import InputError, KallosError, NoFaceError, PhotoError
from extractors.photo import read_photo
from featurestore.errors import UsageError
from tests.conftest import Workspace


@pytest.fixture(scope="module")
def predictor(workspace: Workspace):
    with kallos.load_bundle(workspace.bundle) as opened:
        yield opened


def test_a_photo_has_one_score_however_it_is_given(predictor: Predictor, workspace: Workspace):
    path = workspace.portrait
    of_file = predictor.predict(path)
    pixels = np.asarray(Image.open(path))
    for photo in (str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.open(path), pixels):
        predicted = predictor.predict(photo)
        assert predicted.score == of_file.score, type(photo)
        assert predicted.members == of_file.members
    assert predictor.explain(pixels).prediction.score == of_file.score
    assert of_file.photo == path
    assert str(predicted.photo) == "The photo"


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A JPEG whose EXIF says that it lies on its side."""
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def test_a_pil_image_and_bytes_are_decoded_like_the_file(turned: Path, tmp_path: Path):
    transparent = tmp_path / "clear.png"
    Image.new("RGBA", (8, 6), (250, 0, 0, 0)).save(transparent)
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((6, 8), 40_000, dtype=np.uint16)).save(deep)
    grey = tmp_path / "grey.gif"
    Image.new("L", (8, 6), 90).save(grey)
    for path in (turned, transparent, deep, grey):
        expected = decode(path)
        with Image.open(path) as image:
            for photo in (path.read_bytes(), image):
                assert np.array_equal(read_photo(photo)[1], expected), (path, type(photo))
    assert expected.shape == (6, 8, 3)
    assert decode(turned).shape == (60, 40, 3)


def test_what_is_given_is_left_as_it_is(turned: Path):
    with Image.open(turned) as image:
        before = image.size, image.mode, image.getexif()[0x0112]
        read_photo(image)
        assert (image.size, image.mode, image.getexif()[0x0112]) == before


def test_views_of_an_array_are_read():
    bgr = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    rgb = read_photo(bgr[::-1, :, ::-1])[1]
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb[0, 0], bgr[-1, 0, ::-1])


@pytest.mark.parametrize(
    ("photo", "phrase"),
    [
        (np.zeros((20, 30, 3)), "float64"),
        (np.zeros((20, 30, 3), dtype=np.uint16), "uint16"),
        (np.zeros((20, 30), dtype=np.uint8), "(20, 30)"),
        (np.zeros((20, 30, 4), dtype=np.uint8), "(20, 30, 4)"),
        (np.zeros((3, 20, 30), dtype=np.uint8), "(3, 20, 30)"),
        (np.zeros((1, 20, 30, 3), dtype=np.uint8), "(1, 20, 30, 3)"),
        (np.zeros((0, 30, 3), dtype=np.uint8), "(0, 30, 3)"),
        (None, "NoneType"),
        (7, "int"),
        ([[0, 0, 0]], "list"),
        (BytesIO(b""), "BytesIO"),
    ],
)
def test_what_is_no_photo_is_refused(photo: object, phrase: str):
    with pytest.raises(InputError) as refused:
        read_photo(photo)
    assert phrase in str(refused.value)
    assert "uint8" in str(refused.value)


def many_pixels() -> np.ndarray:
    """400 million pixels that take no memory."""
    return np.broadcast_to(np.zeros(3, dtype=np.uint8), (20_000, 20_000, 3))


def bomb() -> bytes:
    """The same in a small file."""
    file = BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "png")
    return file.getvalue()


def cut_short() -> bytes:
    """The first half of a photo file."""
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(file, "jpeg")
    return file.getvalue()[: file.tell() // 2]


@pytest.mark.parametrize(
    ("make", "phrase"),
    [
        (many_pixels, "400 million pixels"),
        (bomb, "400 million pixels"),
        (lambda: Image.new("1", (20_000, 20_000)), "400 million pixels"),
        (lambda: b"", "empty"),
        (lambda: bytes(MAX_BYTES + 1), "64 MiB"),
        (lambda: b"dear reader", "convert it"),
        (cut_short, "cut short"),
    ],
)
def test_the_limits_of_files_hold(make: Callable[[], object], phrase: str):
    with pytest.raises(PhotoError, match=phrase):
        read_photo(make())


def test_an_array_without_a_face(predictor: Predictor):
    with pytest.raises(NoFaceError, match=r"^The photo: No face"):
        predictor.predict(np.full((300, 300, 3), 90, dtype=np.uint8))


def test_a_closed_predictor_says_so(workspace: Workspace):
    with kallos.load_bundle(workspace.bundle) as closed:
        pass
    with pytest.raises(UsageError, match="closed"):
        closed.predict(workspace.portrait)
    assert issubclass(UsageError, KallosError)
