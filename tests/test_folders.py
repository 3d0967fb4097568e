"""What lies in a folder: photos of every suffix, links inside and out, and all else counted in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from extractors import photo_files
from extractors.errors import InputError, PhotoError
from extractors.photo_files import PHOTO_SUFFIXES
from featurestore.folders import beside_line, contents, is_litter, is_there
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.opening import open_store
from kallos.workflows.progress import ignore
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.hostile.powers import with_the_rights_of_others
from tests.ingest_files import let_pillow_write_heic, write_photo


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in contents(folder).photos]


def refused(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): reason for path, reason in contents(folder).refused}


def test_photos_are_those_of_every_known_suffix_in_order(tmp_path: Path):
    expected = sorted(f"{number:02}{suffix}" for number, suffix in enumerate(PHOTO_SUFFIXES))
    for name in ["b.JPG", "below/deeper/é 1.tif", "A.Heic", *expected]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path) == [*expected, "A.Heic", "b.JPG", "below/deeper/é 1.tif"]
    assert {".jfif", ".jpe", ".avif", ".heic", ".heif", ".hif"} < set(PHOTO_SUFFIXES)


def test_what_lies_beside_photos_is_counted_in_one_line(tmp_path: Path):
    write_photo(tmp_path / "a.png", 1)
    assert beside_line(contents(tmp_path).beside) == ""
    for name in ("1.txt", "2.TXT", "deeper/3.txt", "4.pdf", "README", "Smith, J. (2001) faces", ".DS_Store", "._a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert contents(tmp_path).beside == {".txt": 3, ".pdf": 1, "without a suffix": 2, "pipe or socket": 1, "hidden": 3}
    assert beside_line(contents(tmp_path).beside) == (
        "beside photos: 3 .txt, 2 without a suffix, 1 .pdf, 1 pipe or socket, 3 hidden"
    )
    assert beside_line({f".{kind}": 1 for kind in "abcdefghi"}).endswith("1 .f, 3 of other kinds")


def test_links_inside_are_followed_and_those_that_lead_out_are_named_one_by_one(tmp_path: Path):
    album, outside = tmp_path / "album", tmp_path / "outside"
    for path in (album / "one.png", album / "all" / "two.png", outside / "secret.png", outside / "more" / "x.png"):
        write_photo(path, 1)
    (outside / "labels.csv").touch()
    links = {
        "again.png": album / "one.png",
        "same": album / "all",
        "secret.png": outside / "secret.png",
        "away": outside / "more",
        "labels.csv": outside / "labels.csv",
        "all/round": album,
        "broken.png": album / "gone.png",
        "round.png": album / "round.png",
    }
    for name, target in links.items():
        (album / name).symlink_to(target)
    assert names(album) == ["again.png", "all/two.png", "one.png", "same/two.png"]
    assert refused(album) == {
        "away": "is a link that leads out of the folder",
        "broken.png": "is a link to a file that is not there",
        "round.png": "is a link to a file that is not there",
        "secret.png": "is a link that leads out of the folder",
    }
    assert contents(album).beside == {".csv": 1}
    (tmp_path / "link").symlink_to(album)
    assert names(tmp_path / "link") == names(album), "the folder itself may be a link"


def test_folders_that_link_to_each_other_end(tmp_path: Path):
    for name in "abcdefgh":
        write_photo(tmp_path / name / "x.png", 1)
        for other in "abcdefgh":
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    assert 8 <= len(names(tmp_path)) <= 16


@pytest.mark.parametrize("root", ["", "photos", "photos/female"])
def test_git_annex_is_inside_for_any_folder_of_its_repository(root: str, tmp_path: Path):
    repository = tmp_path / "study"
    key = repository / ".git" / "annex" / "objects" / "x1" / "KEY" / "KEY.png"
    write_photo(key, 1)
    photos = repository / "photos" / "female"
    photos.mkdir(parents=True)
    (photos / "a.png").symlink_to(os.path.relpath(key, photos))
    (photos / "b.png").symlink_to(os.path.relpath(key.with_name("LATER.png"), photos))
    (photos / "c.png").symlink_to(write_photo(repository / ".git" / "hooks" / "c.png", 2))
    folder = repository / root
    prefix = "photos/female/".removeprefix(f"{root}/") if root else "photos/female/"
    assert names(folder)[0] == f"{prefix}a.png"
    assert refused(folder)[f"{prefix}b.png"] == "is a link to a file that is not there: `git annex get` fetches it"
    assert (f"{prefix}c.png" in refused(folder)) == bool(root)


def test_a_dataset_cannot_bring_its_own_way_out(tmp_path: Path):
    """A `.git` inside the folder that leads elsewhere makes nothing of elsewhere inside."""
    secret = write_photo(tmp_path / "home" / "annex" / "objects" / "secret.png", 1)
    album = tmp_path / "album"
    album.mkdir()
    (album / ".git").symlink_to(tmp_path / "home")
    (album / "a.png").symlink_to(album / ".git" / "annex" / "objects" / "secret.png")
    assert secret.is_file()
    assert refused(album) == {"a.png": "is a link that leads out of the folder"}


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path):
    write_photo(tmp_path / "a.png", 1)
    (tmp_path / "closed").mkdir(mode=0)
    with with_the_rights_of_others():
        assert names(tmp_path) == ["a.png"]
        assert refused(tmp_path) == {"closed": "is a folder that cannot be read: Permission denied"}


def test_ingest_names_what_it_cannot_take_and_goes_on(tmp_path: Path):
    write_photo(tmp_path / "photos" / "a.png", 1)
    (tmp_path / "photos" / "b.png").symlink_to(write_photo(tmp_path / "outside.png", 2))
    (tmp_path / "photos" / "notes.txt").touch()
    (tmp_path / "labels.csv").write_text("image,score\na.png,3\n")
    options = ("--images", tmp_path / "photos", "--scale", 1, 5, "--store", tmp_path / "s.duckdb")
    answer = kallos_ok("ingest", "table", tmp_path / "labels.csv", *options)
    assert "beside photos: 1 .txt" in answer.out
    assert "leads out of the folder" in " ".join(answer.out.split())
    assert kallos_ok("ingest", "table", tmp_path / "labels.csv", *options, "--json").json()["beside"] == {".txt": 1}
    (tmp_path / "photos" / "a.png").unlink()
    answer = kallos("ingest", "table", tmp_path / "labels.csv", *options)
    assert (answer.code, answer.err.count("\n")) == (InputError.exit_code, 1)
    assert "no photo that can be read (b.png is a link that leads out of the folder)" in answer.err


def test_predict_names_what_it_cannot_take_and_goes_on(workspace: Workspace, tmp_path: Path):
    album = tmp_path / "album"
    album.mkdir()
    shutil.copy(workspace.portrait, album / "one.jfif")
    for number in (1, 2):
        (album / f"out{number}.jpg").symlink_to(workspace.portrait)
    (album / "notes.txt").touch()
    (album / ".hidden.jpg").touch()
    answer = kallos("score", album, "--bundle", workspace.bundle, "--json")
    assert answer.code == PhotoError.exit_code
    found = {Path(prediction["photo"]).name: prediction for prediction in answer.json()["predictions"]}
    links = [f"{album}/{name} is a link that leads out of the folder." for name in ("out1.jpg", "out2.jpg")]
    assert {name: each["problem"] for name, each in found.items()} == {
        "one.jfif": None, "out1.jpg": links[0], "out2.jpg": links[1]
    }  # fmt: skip
    assert found["one.jfif"].keys() == found["out1.jpg"].keys(), "all have the same fields"
    assert {name for name, value in found["out1.jpg"].items() if value is not None} == {"photo", "problem", "meaning"}
    assert answer.err.splitlines() == [
        f"{album}: beside photos: 1 .txt, 1 hidden",
        *(f"kallos: {link}" for link in links),
    ]
    (album / "one.jfif").unlink()
    answer = kallos("score", album, "--bundle", workspace.bundle)
    assert answer.code == InputError.exit_code
    assert "holds no photo that can be read" in answer.err
    assert kallos("score", tmp_path / "nowhere", "--bundle", workspace.bundle).code == InputError.exit_code


@pytest.fixture
def without_heic(monkeypatch: pytest.MonkeyPatch):
    """As where the extra is not installed."""
    monkeypatch.setattr(photo_files, "find_spec", lambda name: None)
    photo_files.reads_heic.cache_clear()
    photo_files._formats.cache_clear()
    yield
    photo_files.reads_heic.cache_clear()
    photo_files._formats.cache_clear()


def write_heic(path: Path, photo: Path) -> Path:
    let_pillow_write_heic()
    Image.open(photo).save(path, format="HEIF", quality=95)
    return path


def test_heic_is_ingested_and_predicted_as_any_photo(workspace: Workspace, tmp_path: Path):
    photo = write_heic(tmp_path / "IMG_1.HEIC", workspace.portrait)
    rows, findings = scan_images("x", tmp_path, {photo.name: photo.name})
    assert (rows["width"].item(), findings) == (350, [])
    predictions = kallos_ok("score", photo, workspace.portrait, "--bundle", workspace.bundle, "--json").json()[
        "predictions"
    ]
    assert predictions[0]["features"]["jaw_width"] == pytest.approx(predictions[1]["features"]["jaw_width"], rel=0.03)


def test_without_the_extra_each_heic_is_named_with_the_remedy(workspace: Workspace, tmp_path: Path, without_heic):
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    for number in (1, 2):
        (tmp_path / f"{number}.heic").write_bytes(content + bytes([number]))
    photos, _ = find_photos(tmp_path)
    _, findings = scan_images("x", tmp_path, photos)
    remedy = "is HEIC, which needs an extra: `pip install 'kallos[heic]'`."
    assert [(f.kind, f.subject, f.detail) for f in findings] == [("unreadable", f"{n}.heic", remedy) for n in (1, 2)]
    shutil.copy(workspace.portrait, tmp_path)
    answer = kallos("score", tmp_path, "--bundle", workspace.bundle)
    assert answer.code == PhotoError.exit_code
    assert [line for line in answer.err.splitlines() if "HEIC" in line] == [
        f"kallos: {tmp_path}/{number}.heic {remedy}" for number in (1, 2)
    ]
    assert "score" in answer.out


def test_a_photo_that_needed_an_extra_is_tried_again_when_it_is_there(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tests.test_pipeline import MeanColour, extract, read_scores, write

    write_heic(tmp_path / "photos.heic", workspace.portrait)
    (tmp_path / "labels.csv").write_text("image,score\nphotos.heic,3\n")
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_scores(tmp_path / "labels.csv", tmp_path, "mine"))
        assert extract(store, [MeanColour()], ignore).failed == 0
        store.execute("UPDATE attempts SET status = 'needs_extra' WHERE extractor = 'landmarks'")
        store.execute("DELETE FROM attempts WHERE extractor <> 'landmarks'")
        for table in store.frame("SELECT table_name FROM extractor_versions")["table_name"]:
            store.execute(f'DELETE FROM "{table}"')
        monkeypatch.setattr("featurestore.planning.reads_heic", lambda: False)
        assert extract(store, [MeanColour()], ignore).processed == 0
        monkeypatch.undo()
        assert extract(store, [MeanColour()], ignore).processed == 1


def test_a_mount_point_without_its_disk_is_not_there(tmp_path: Path):
    assert not is_there(tmp_path / "nowhere")
    assert not is_there(tmp_path)
    write_photo(tmp_path / "a.png", 1)
    assert is_there(tmp_path)


def test_litter_is_what_macos_and_windows_leave_behind():
    names = (".DS_Store", "._model.json", "Thumbs.db", "desktop.ini", "Desktop.ini", "thumbs.db")
    assert all(is_litter(Path("a") / name) for name in names)
    assert not any(is_litter(Path(name)) for name in ("model.json", ".hidden", "extra.py", "Thumbs.db.py"))
