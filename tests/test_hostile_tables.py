"""Label files of `tests/hostile/tables.py`: each is read, or is one sentence with the exit code of labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.errors import InputError, KallosError
from featurestore.errors import DataError
from featurestore.ingest.mebeauty import read_mebeauty
from featurestore.ingest.scut import read_scut
from featurestore.opening import open_store
from tests.command import kallos
from tests.hostile.tables import PHOTOS, PLAIN, stories, workbooks
from tests.ingest_files import a_release, read_scores, write_photo, write_workbook

READ = {
    *(f"written as utf-{kind}" for kind in ("8", "8-sig", "7", "16", "32")),
    *(f"{separator} between columns" for separator in ("semicolons", "tabs", "bars")),
    *("CRLF between lines", "CR between lines", "LF CR between lines"),
    *("quotes", "quotes within quotes", "a line break within quotes", "equal rows", "a rater column"),
    *("the score '2 '", "the score '+2'", "the score '2.'", "the score '.2e1'"),
    *(f"the score {word!r}" for word in ("", " ", "nan", "NaN", "NULL", "２", "٣")),
    *("a row too short", "columns without a name", "columns called like kallos's own"),
    *("ten thousand columns", "a field of a million letters"),
    *("paths that lead elsewhere", "formulas", "SQL"),
}
"""Stories that end in scores."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(PHOTOS):
        write_photo(tmp_path / "photos" / name, number)
    return tmp_path / "photos"


@pytest.mark.parametrize(("story", "content"), [*stories()], ids=lambda value: value if isinstance(value, str) else "")
def test_a_hostile_csv_is_read_or_refused(story: str, content: bytes, photos: Path, tmp_path: Path):
    csv = tmp_path / "labels.csv"
    csv.write_bytes(content)
    if story in READ:
        data_set = read_scores(csv, photos)
        assert 1 <= len(data_set.scores) <= 3
        assert data_set.scores["score"].is_between(1, 5).all()
        return
    with pytest.raises(DataError) as refused:
        read_scores(csv, photos)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2100


def test_a_refused_csv_leaves_the_store_as_it_was(photos: Path, tmp_path: Path):
    csv, store = tmp_path / "labels.csv", tmp_path / "s.duckdb"
    csv.write_text(PLAIN)
    assert kallos("ingest", "table", csv, "--images", photos, "--scale", 1, 5, "--store", store).code == 0
    for content in (b"", b"\xff\xfe", PLAIN.encode() + b"p0.png,bad\n", b"image,score\np0.png,\x1b[2J\n"):
        csv.write_bytes(content)
        answer = kallos("ingest", "table", csv, "--images", photos, "--scale", 1, 5, "--store", store)
        assert (answer.code, answer.out) == (DataError.exit_code, "")
        assert answer.err.startswith("kallos: ")
        assert answer.err.removesuffix("\n").isprintable()
    with open_store(store, read_only=True) as opened:
        assert opened.value("SELECT count(*) FROM scores") == 3


def test_names_in_a_csv_do_not_steer_the_terminal(photos: Path, tmp_path: Path):
    csv = tmp_path / "labels.csv"
    csv.write_bytes(PLAIN.encode() + b"\x1b[2J\x1b]0;owned\x07.png,2\n[bold red]x[/].png,2\n")
    answer = kallos("ingest", "table", csv, "--images", photos, "--scale", 1, 5, "--store", tmp_path / "s.duckdb")
    assert answer.code == 0
    assert "\x1b[2J" not in answer.out + answer.err
    assert "\x07" not in answer.out + answer.err


LINES = st.lists(
    st.lists(
        st.sampled_from(["p0.png", "p1", "2", "9", "nan", '"', "", " ", "image", "score", "rater", "é", "\0", "\r"])
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lines=LINES, separator=st.sampled_from(",;\t"), junk=st.binary(max_size=6), place=st.integers(0, 60))
def test_any_bytes_in_a_csv_are_read_or_refused(lines, separator, junk, place, photos, tmp_path):
    text = "\n".join(["image,score".replace(",", separator), *(separator.join(line) for line in lines)]).encode()
    csv = tmp_path / "labels.csv"
    csv.write_bytes(text[:place] + junk + text[place:])
    try:
        data_set = read_scores(csv, photos)
    except KallosError:
        return
    assert data_set.scores["score"].is_between(1, 5).all()


def test_a_hostile_workbook_is_read_or_refused(tmp_path: Path):
    release = a_release(tmp_path / "SCUT-FBP5500_v2", {name: name for name in ("AF1", "AM1", "CF1", "CM1", "AF2")})
    read, refused = {}, []
    for story, workbook in workbooks(tmp_path):
        try:
            read[story] = len(read_scut(release, ratings=workbook).ratings)
        except DataError as error:
            refused.append(str(workbook) in str(error))
    sound = {"a sheet of all": 1, "no sheet of all": 2}
    assert read == sound | {"raters between integers": 1, "rows without a photo": 1, "columns of one name": 1}
    assert all(refused)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("ratings.csv", "Rater,Filename,Rating,original Rating\nann,AF1.jpg,2,\n"),
        ("ratings.csv", "Rater,Filename,Rating,original Rating\n1,AF1.jpg,two,\n"),
        ("ratings.csv", "Rater,Filename,Rating,original Rating\n1,AF1.jpg,nan,\n"),
        ("ratings.csv", ""),
        ("histograms.csv", "filename,1,2,3,4,5\nAF1.jpg,a,0,0,0,0\n"),
        ("histograms.csv", "filename,1,2,3,4,5\nAF1.jpg,99999999999,0,0,0,0\n"),
        ("histograms.csv", "filename,1,2,3,4,5\nAF1.jpg,-1,0,0,0,0\n"),
        ("train_test_files/All_labels.txt", "AF1.jpg nan\n"),
        ("train_test_files/All_labels.txt", "AF1.jpg inf\n"),
        ("train_test_files/All_labels.txt", "5\n"),
        ("train_test_files/All_labels.txt", "\0\0\0"),
        ("train_test_files/split_of_60%training and 40%testing/train.txt", "AF1.jpg two\n"),
    ],
)
def test_hostile_files_of_scut_are_refused(file: str, content: str, tmp_path: Path):
    release = a_release(tmp_path / "SCUT-FBP5500_v2", {name: name for name in ("AF1", "AM1", "CF1", "CM1", "AF2")})
    (release / file).write_text(content)
    with pytest.raises(DataError, match=r"\.csv|\.txt"):
        read_scut(release)


@pytest.mark.parametrize("part", ["train_test_files/All_labels.txt", "Images"])
def test_what_scut_lacks_is_named(part: str, tmp_path: Path):
    release = a_release(tmp_path / "SCUT-FBP5500_v2", {name: name for name in ("AF1", "AM1")})
    (release / part).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        read_scut(release)


@pytest.mark.parametrize(
    ("sheet", "rated"),
    [
        ([], None),
        ([("image", "r1")], None),
        ([("image", "r1"), (None, 3)], 0),
        ([("path", "r1"), ("x.jpg", 3)], 0),
        ([("path", "r1"), ("female/asian/x.jpg", "three")], 0),
        ([("path", "r1"), ("female/asian/x.jpg", 3)], 1),
        ([("path", "r1"), ("female/asian/x.jpg", 300)], None),
        ([("path",), ("female/asian/x.jpg",)], 0),
        ([(5, 6), (7, 8)], None),
    ],
)
def test_a_hostile_workbook_of_mebeauty_is_read_or_refused(sheet, rated, tmp_path: Path):
    write_photo(tmp_path / "original_images" / "female" / "asian" / "x.jpg", 1)
    (tmp_path / "scores").mkdir()
    for role in ("train", "val", "test"):
        (tmp_path / "scores" / f"{role}_2022.txt").write_text("female/asian/x.jpg 5\n")
    write_workbook(tmp_path / "scores" / "generic_scores_all_2022.xlsx", {"Sheet1": sheet})
    if rated is None:
        with pytest.raises(DataError, match="generic_scores_all_2022"):
            read_mebeauty(tmp_path)
    else:
        assert len(read_mebeauty(tmp_path).ratings) == rated
