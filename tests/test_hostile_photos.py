"""Photos of `tests/hostile/photos.py`: each is decoded or refused in one sentence, alone and in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.decode import decode
from extractors.errors import InputError, PhotoError
from featurestore.folders import contents
from featurestore.ingest.photos import scan_images
from featurestore.opening import open_store
from tests.command import kallos
from tests.conftest import Workspace
from tests.hostile import photos
from tests.hostile.powers import with_the_rights_of_others

Stories = Callable[[], Iterator[tuple[str, bytes]]]


@pytest.mark.parametrize(
    "stories", [photos.by_pillow, photos.by_opencv, photos.truncated, photos.flipped, photos.bombs]
)
def test_a_hostile_photo_is_decoded_or_refused(stories: Stories, tmp_path: Path):
    path = tmp_path / "photo.jpg"
    decoded = set()
    for story, content in stories():
        path.write_bytes(content)
        scanned, _ = scan_images("x", tmp_path, {path.name: path.name})
        assert len(scanned) == 1, story
        try:
            image = decode(path)
        except PhotoError as error:
            refused = str(error)
            continue
        assert image.dtype == np.uint8, story
        assert image.shape[2] == 3, story
        decoded.add(story.split()[0])
    assert refused.startswith(str(path))
    if stories is photos.by_pillow:
        assert decoded == {*photos.FORMATS, "MPO"}, "other formats are refused, these are read in every mode"
    if stories is photos.truncated:
        assert decoded == set(), "what is cut short is no photo"


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    form=st.sampled_from(photos.FORMATS),
    cut=st.integers(0, 2000),
    spliced=st.binary(max_size=20),
    other=st.sampled_from(photos.FORMATS),
)
def test_formats_spliced_into_each_other_are_decoded_or_refused(form, cut, spliced, other, tmp_path):
    first, second = (photos.encoded(photos.face(16), each) for each in (form, other))
    path = tmp_path / "photo.jpg"
    path.write_bytes(first[:cut] + spliced + second[cut:])
    try:
        assert decode(path).shape[2] == 3
    except PhotoError:
        return


@pytest.fixture
def album(tmp_path: Path) -> tuple[Path, list[str]]:
    return tmp_path / "album", photos.whole_folder(tmp_path / "album")


def test_a_hostile_folder_is_ingested_without_what_is_no_photo(album, tmp_path: Path):
    folder, good = album
    csv, store = tmp_path / "labels.csv", tmp_path / "s.duckdb"
    quoted = "\n".join(f'"{name}",{number % 5 + 1}' for number, name in enumerate(good))
    csv.write_text(f"image,score\n{quoted}\n", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    answer = kallos("ingest", "table", csv, "--images", folder, "--scale", 1, 5, "--store", store)
    assert answer.code == 0, answer.err
    assert sorted(tmp_path.rglob("*")) == sorted([*before, store])
    with open_store(store, read_only=True) as opened:
        images = dict(opened.frame("SELECT path, width FROM images").iter_rows())
        scored = opened.value("SELECT count(*) FROM scores")
        unreadable = opened.frame("SELECT subject, detail FROM findings WHERE kind = 'unreadable'").rows()
    assert scored == len(good)
    assert {name for name, width in images.items() if width} == set(good)
    assert {name for name, width in images.items() if not width} == {"empty.jpg", "letter.jpg", "program.png"}
    assert ("secret.png", "is a link that leads out of the folder") in unreadable
    assert any("UTF-8" in detail for _, detail in unreadable)


def test_a_hostile_folder_is_not_predicted_past_its_end(album, workspace: Workspace):
    folder, good = album
    answer = kallos("score", folder, "--bundle", workspace.bundle)
    assert answer.code == PhotoError.exit_code
    assert "\t" not in answer.out
    for name in ("secret.png", "away"):
        assert f"{folder}/{name} is a link that leads out of the folder." in answer.err
    found = {path.name for path in contents(folder).photos}
    assert set(good) < found
    assert not found & {"folder.jpg", "round.jpg", "nowhere.jpg", "pipe.jpg", "socket.jpg", "secret.png"}


def test_photos_that_may_not_be_read(tmp_path: Path, workspace: Workspace):
    photo = tmp_path / "photos" / "mine.jpg"
    photo.parent.mkdir()
    photo.write_bytes(workspace.portrait.read_bytes())
    photo.chmod(0)
    with with_the_rights_of_others():
        with pytest.raises(InputError, match=r"mine\.jpg may not be read"):
            decode(photo)
        scanned, findings = scan_images("x", photo.parent, {photo.name: photo.name})
        assert scanned["sha256"].to_list() == [None]
        assert [(finding.kind, finding.detail) for finding in findings] == [
            ("unreadable", "cannot be read: Permission denied")
        ]


def test_names_as_long_as_names_can_be(tmp_path: Path, workspace: Workspace):
    answer = kallos("score", tmp_path / ("x" * 300 + ".jpg"), "--bundle", workspace.bundle)
    assert answer.code == InputError.exit_code
    assert answer.err.startswith("kallos: ")


def test_orientations_and_pages_of_every_format_end_upright(tmp_path: Path):
    """Of WebP too, which `test_decode.py` leaves out; no other tag of EXIF matters."""
    exif = photos.face().getexif()
    exif[0x0112], exif[0x010E] = 6, "\x1b[2J" * 10_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (tmp_path / "x.webp").write_bytes(
            photos.encoded(photos.face().rotate(90, expand=True), "WEBP", exif=exif, lossless=True)
        )
    assert (decode(tmp_path / "x.webp") == np.asarray(photos.face())).all()
