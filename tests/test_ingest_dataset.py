"""What every reader shares: scanning photos, scores, folds, and writing to the store."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from extractors.errors import InputError
from extractors.outputs import Field, Output
from featurestore import versions
from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import PER_IMAGE, DataSet, Finding, conform, findings_frame, write
from featurestore.ingest.label_files import read_csv, read_score_list, read_sheets
from featurestore.ingest.labels import build_scores, folds
from featurestore.ingest.photo_names import PhotoNames
from featurestore.ingest.photos import find_photos, scan_images
from featurestore.opening import open_store
from featurestore.planning import from_pixels_todo
from tests.ingest_files import write_photo


def a_data_set(root: Path, shades: dict[str, int], name: str = "mine") -> DataSet:
    for photo, shade in shades.items():
        write_photo(root / photo, shade)
    photos, _ = find_photos(root)
    images, findings = scan_images(name, root, photos)
    published = images.select("image_id", pl.lit("score").alias("trait"), mean=pl.lit(2.5))
    scales = {"score": (1.0, 5.0)}
    scores = build_scores(scales, conform("ratings", pl.DataFrame(schema={"image_id": pl.String})), published)
    splits = folds(name, "score", images.select("image_id", "sha256"))
    return DataSet(name, root, scales, "none", images, scores, findings_frame(name, findings), splits)


SHADES = {f"p{i}.png": i for i in range(12)}


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    data_set = a_data_set(tmp_path / "photos", SHADES)
    with open_store(tmp_path / "s.duckdb") as store:
        summary = write(store, data_set)
        for table in PER_IMAGE:
            stored = store.frame(f"SELECT * FROM {table}")
            expected = getattr(data_set, table)
            assert stored.sort(stored.columns).equals(expected.sort(expected.columns)), table
    assert (summary.images, summary.scored, summary.folds) == (12, 12, {"mine-5fold": 5})


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    data_set = a_data_set(tmp_path / "photos", SHADES)
    with open_store(tmp_path / "s.duckdb") as store:
        assert sum(write(store, data_set).changed.values()) > 12
        assert set(write(store, data_set).changed.values()) == {0}


def test_two_data_sets_do_not_touch_each_other(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, a_data_set(tmp_path / "a", SHADES, "mine"))
        write(store, a_data_set(tmp_path / "b", {"q.png": 99}, "mine-too"))
        assert store.value("SELECT count(*) FROM images") == 13


def test_what_was_computed_belongs_to_the_bytes(tmp_path: Path) -> None:
    """A photo that changed or left is seen no more; one that comes back has its values at once."""
    root = tmp_path / "photos"
    output = Output("toy", "toys", "a toy", (Field("v", "float64", ""),), 1)
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, a_data_set(root, SHADES))
        versions.register(store, [output])
        rows = store.frame("SELECT sha256, 1.0::DOUBLE AS v FROM images")
        ledger = rows.select("sha256", extractor=pl.lit("toy"), version=pl.lit(output.version), status=pl.lit("ok"))
        versions.write(store, output, rows, ledger)
        photo = (root / "p3.png").rename(tmp_path / "p3.png")
        summary = write(store, a_data_set(root, {"p5.png": 500}))
        left = store.frame("SELECT image_id FROM toys")["image_id"].to_list()
        assert len(from_pixels_todo(store, [output])) == 1
        photo.rename(root / "p3.png")
        write(store, a_data_set(root, {"p5.png": 500}))
        assert store.value("SELECT count(*) FROM toys WHERE image_id = 'mine/p3.png'") == 1
        assert len(from_pixels_todo(store, [output])) == 1
    assert summary.changed["images"] == 3
    assert len(left) == 10
    assert not {"mine/p3.png", "mine/p5.png"} & set(left)


def test_a_failed_write_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    data_set = a_data_set(tmp_path / "photos", SHADES)
    broken = replace(data_set, splits=pl.DataFrame({"no_such_column": [1]}))
    with open_store(tmp_path / "s.duckdb") as store:
        with pytest.raises(Exception, match="no_such_column"):
            write(store, broken)
        assert store.value("SELECT count(*) FROM images") == 0


def test_a_moved_folder_is_the_same_data_set(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, a_data_set(tmp_path / "here", SHADES))
        (tmp_path / "here").rename(tmp_path / "there")
        changed = write(store, a_data_set(tmp_path / "there", SHADES)).changed
    assert {table: n for table, n in changed.items() if n} == {"locations": 2}


def test_a_name_is_not_taken_over_by_other_photos(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, a_data_set(tmp_path / "a", SHADES))
        with pytest.raises(UsageError, match="choose another --name"):
            write(store, a_data_set(tmp_path / "b", {"q.png": 99}))


@pytest.mark.parametrize("name", ["", "Mine", "-x", "a/b", "ä", "a b"])
def test_names_that_cannot_start_an_image_id_are_refused(tmp_path: Path, name: str) -> None:
    data_set = replace(a_data_set(tmp_path / "photos", SHADES), name=name)
    with open_store(tmp_path / "s.duckdb") as store, pytest.raises(UsageError, match="cannot name a data set"):
        write(store, data_set)


def test_trouble_with_photos_is_found(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", 1)
    write_photo(tmp_path / "b.png", 1)
    write_photo(tmp_path / ".hidden.png", 2)
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "zero.jpg").touch()
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    photos, findings = find_photos(tmp_path)
    images, more = scan_images("mine", tmp_path, photos)
    assert sorted(findings + more) == [
        Finding("duplicate", "b.png", "has the same bytes as a.png"),
        Finding("unreadable", "bomb.png", "has too many pixels to be decoded safely"),
        Finding("unreadable", "text.jpg", "is not a photo"),
        Finding("unreadable", "zero.jpg", "is empty"),
    ]
    assert images.select("path", "width", "height").rows() == [
        ("a.png", 8, 6),
        ("b.png", 8, 6),
        ("bomb.png", None, None),
        ("text.jpg", None, None),
        ("zero.jpg", None, None),
    ]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = write_photo(tmp_path / "outside.png", 1)
    write_photo(tmp_path / "photos" / "a.png", 2)
    (tmp_path / "photos" / "link.png").symlink_to(outside)
    photos, findings = find_photos(tmp_path / "photos")
    assert list(photos) == ["a.png"]
    assert findings == [Finding("unreadable", "link.png", "is a link that leads out of the folder")]


def test_decomposed_file_names_get_composed_names(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "zoë 1.png")
    write_photo(tmp_path / decomposed, 1)
    assert find_photos(tmp_path)[0] == {"zoë 1.png": decomposed}


def test_folders_without_photos_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photo"):
        find_photos(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        find_photos(tmp_path / "nowhere")


def test_labels_find_their_photo_by_any_clear_ending() -> None:
    names = PhotoNames(["female/1.jpg", "male/1.jpg", "male/2.final.JPG", "solo.png"])
    assert names.find("female/1.jpg").photos == ["female/1.jpg"]
    assert names.find("./female/1").photos == ["female/1.jpg"]
    assert names.find("C:\\data\\female\\1.jpg").photos == ["female/1.jpg"]
    assert names.find("2.final").photos == ["male/2.final.JPG"]
    assert names.find("/elsewhere/solo.png").photos == ["solo.png"]
    assert sorted(names.find("1.jpg").photos) == ["female/1.jpg", "male/1.jpg"]
    assert names.find("other/1.jpg").photos == []
    assert names.find("../male/1.jpg").photos == ["male/1.jpg"]
    assert names.find("").photos == []


def test_scores_of_ratings_by_hand() -> None:
    ratings = pl.DataFrame(
        {"image_id": ["a", "a", "a", "b"], "trait": "t", "rater_id": list("xyzx"), "rating": [1.0, 4.0, 10.0, 7.0]}
    )
    rows = build_scores({"t": (1.0, 10.0)}, ratings).rows(named=True)
    assert rows[0] == {
        "image_id": "a",
        "mean": 5.0,
        "sd": pytest.approx(14**0.5),
        "raters": 3,
        "histogram": [1, 0, 0, 1, 0, 0, 0, 0, 0, 1],
        "score": pytest.approx(1 + 4 * 4 / 9),
        "trait": "t",
    }
    assert (rows[1]["mean"], rows[1]["sd"], rows[1]["raters"]) == (7.0, None, 1)


def test_a_published_mean_wins_and_broken_ratings_have_no_histogram() -> None:
    ratings = pl.DataFrame({"image_id": ["a", "a"], "trait": "t", "rater_id": ["x", "y"], "rating": [1.0, 2.5]})
    published = pl.DataFrame({"image_id": ["a", "b"], "trait": "t", "mean": [2.0, 5.0]})
    rows = build_scores({"t": (1.0, 5.0)}, ratings, published).rows(named=True)
    assert [(r["mean"], r["raters"], r["histogram"], r["score"]) for r in rows] == [
        (2.0, 2, None, 2.0),
        (5.0, None, None, 5.0),
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text("abcdef", min_size=1), st.sampled_from("0123456789")), unique_by=lambda x: x[0]))
def test_folds_cover_everything_once_and_keep_equal_photos_together(content: list[tuple[str, str]]) -> None:
    images = pl.DataFrame(content, schema={"image_id": pl.String, "sha256": pl.String}, orient="row")
    drawn = folds("mine", "score", images)
    assert drawn.equals(folds("mine", "score", images.reverse()))
    if images["sha256"].n_unique() < 5:
        assert drawn.is_empty()
        return
    test = drawn.filter(pl.col("role") == "test")
    assert sorted(test["image_id"]) == sorted(images["image_id"])
    assert len(drawn) == 5 * len(images)
    assert (
        test.join(images, on="image_id").group_by("sha256").agg(pl.col("fold").n_unique())["fold"].to_list()
        == [1] * images["sha256"].n_unique()
    )
    assert test["fold"].n_unique() == 5


def test_label_files_that_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("a.jpg 3\nb.jpg three\n")
    with pytest.raises(DataError, match="Line 2"):
        read_score_list(bad)
    bad.write_text("\n photo one.jpg\t2.5 \n")
    assert read_score_list(bad).rows() == [("photo one.jpg", 2.5)]
    bad.write_bytes("größe 3".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_score_list(bad)
    bad.write_text("")
    with pytest.raises(DataError, match="cannot be read as csv"):
        read_csv(bad)
    with pytest.raises(DataError, match="cannot be read as a workbook"):
        read_sheets(bad, "ALL")
    with pytest.raises(InputError, match="There is no file"):
        read_sheets(tmp_path / "none.xlsx", "ALL")
