"""SCUT-FBP5500: a small copy of its layout, and the real one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl
import pytest

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.ingest.dataset import write
from featurestore.ingest.scut import read_scut
from featurestore.opening import open_store
from tests.ingest_files import a_release, score, write_photo, write_workbook

NAMES = [f"{subset}{n}" for subset in ("AF", "AM", "CF", "CM") for n in (1, 2, 3)]
OLD = {"AF": "fty", "AM": "mty", "CF": "ftw", "CM": "mtw"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return a_release(tmp_path / "SCUT-FBP5500_v2", {n: n for n in NAMES})


def test_everything_that_the_release_holds(release: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:
        summary = write(store, read_scut(release))
        again = write(store, read_scut(release))
        roles = store.frame("SELECT protocol, fold, role, count(*) AS n FROM splits GROUP BY ALL ORDER BY ALL").rows()
        points = store.frame("SELECT x[1:2] AS x, y[1:2] AS y FROM published_landmarks WHERE image_id = 'scut/AM1.jpg'")
        image = store.frame("SELECT subset, sex, ethnicity, width FROM images WHERE image_id = 'scut/CF2.jpg'").row(0)
        mean = store.value("SELECT mean FROM scores WHERE image_id = 'scut/CM3.jpg'")
    assert (summary.images, summary.scored, summary.landmarks) == (12, 12, 12)
    assert summary.folds == {"scut-5fold": 5, "scut-60-40": 1}
    assert summary.subsets == {"AF": 3, "AM": 3, "CF": 3, "CM": 3}
    assert summary.findings.is_empty()
    assert roles[:2] == [("scut-5fold", 1, "test", 3), ("scut-5fold", 1, "train", 9)]
    assert roles[-2:] == [("scut-60-40", 1, "test", 5), ("scut-60-40", 1, "train", 7)]
    assert points.row(0) == ([3.0, 5.0], [4.0, 6.0])
    assert image == ("CF2.jpg"[:2], "female", "caucasian", 8)
    assert mean == score("CM3")
    assert set(again.changed.values()) == {0}


def test_old_names_give_the_same_ids(release: Path, tmp_path: Path) -> None:
    old = a_release(tmp_path / "old", {n: n.replace(n[:2], OLD[n[:2]]) for n in NAMES})
    new_set, old_set = read_scut(release), read_scut(old)
    for table in ("scores", "splits"):
        assert getattr(new_set, table).equals(getattr(old_set, table)), table
    by_id = [s.published_landmarks.sort("image_id") for s in (new_set, old_set)]
    assert by_id[0].equals(by_id[1])
    assert old_set.images["image_id"].to_list() == new_set.images["image_id"].to_list()
    assert old_set.images["path"][0] == "fty1.jpg"


def test_a_photo_under_both_names_is_taken_once(release: Path) -> None:
    write_photo(release / "Images" / "fty1.jpg", 77)
    data_set = read_scut(release)
    assert len(data_set.images) == 12
    assert data_set.images.filter(image_id="scut/AF1.jpg")["path"].item() == "AF1.jpg"
    assert data_set.findings.select("kind", "subject").rows() == [("duplicate", "fty1.jpg")]


def test_broken_landmarks_missing_and_unlabelled_photos_are_findings(release: Path) -> None:
    (release / "facial landmark" / "CM2.pts").write_bytes(b"\0\0\0\0")
    (release / "Images" / "AF3.jpg").unlink()
    write_photo(release / "Images" / "extra.jpg", 99)
    data_set = read_scut(release)
    assert data_set.findings.select("kind", "subject").rows() == [
        ("bad_landmarks", "facial landmark/CM2.pts"),
        ("missing_image", "AF3.jpg"),
        ("unlabelled", "extra.jpg"),
    ]
    for table in ("scores", "splits", "published_landmarks"):
        assert "scut/AF3.jpg" not in getattr(data_set, table)["image_id"]
    assert data_set.images.filter(image_id="scut/extra.jpg")["subset"].to_list() == [None]


RATINGS = [("Rater", "Filename", "Rating", "original Rating"), (1, "AF1.jpg", 2, None), (2, "fty1.jpg", 4, 5)]


def test_single_ratings_from_the_workbook(release: Path) -> None:
    sheets = {"Asian_Female": RATINGS, "ALL": [*RATINGS, (1, "CM1.jpg", 3, None)]}
    write_workbook(release / "All_Ratings.xlsx", sheets)
    data_set = read_scut(release)
    assert data_set.ratings.drop("trait", "session").rows() == [
        ("scut/AF1.jpg", "1", 2.0, None),
        ("scut/AF1.jpg", "2", 4.0, 5.0),
        ("scut/CM1.jpg", "1", 3.0, None),
    ]
    rated = data_set.scores.filter(image_id="scut/AF1.jpg").row(0, named=True)
    assert (rated["mean"], rated["sd"], rated["raters"]) == (score("AF1"), 1.0, 2)
    assert rated["histogram"] == [0, 1, 0, 1, 0]


def test_a_workbook_without_the_sheet_of_all_has_its_sheets_joined(release: Path, tmp_path: Path) -> None:
    second = [RATINGS[0], (1, "CM1.jpg", 3, 3)]
    workbook = write_workbook(tmp_path / "r.xlsx", {"Asian_Female": RATINGS, "Caucasian_Male": second})
    assert len(read_scut(release, ratings=workbook).ratings) == 3


def test_ratings_and_histograms_beside_the_release(release: Path) -> None:
    beside = release.parent / "SCUT-FBP5500_ratings"
    beside.mkdir()
    rows = [",".join("" if v is None else str(v) for v in row) for row in RATINGS]
    (beside / "ratings_AF_AM_CM.csv").write_text("\n".join(rows))
    (beside / "histograms.csv").write_text("filename,1,2,3,4,5\nCF1.jpg,1,0,0,0,1\nAF1.jpg,0,1,0,1,0\n")
    scores = read_scut(release).scores
    assert scores.filter(image_id="scut/AF1.jpg").select("sd", "raters").row(0) == (1.0, 2)
    counted = scores.filter(image_id="scut/CF1.jpg").row(0, named=True)
    assert (counted["sd"], counted["raters"], counted["histogram"]) == (2.0, 2, [1, 0, 0, 0, 1])
    assert scores.filter(image_id="scut/AM1.jpg").select("sd", "raters").row(0) == (None, None)


def test_folders_and_files_that_are_not_the_release(release: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not SCUT-FBP5500"):
        read_scut(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_text("Rater,Rating\n1,2\n")
    with pytest.raises(DataError, match="no column Filename, original Rating"):
        read_scut(release, ratings=bad)
    with pytest.raises(DataError, match="histograms have filename"):
        read_scut(release, histograms=bad)
    with pytest.raises(InputError, match="There is no file"):
        read_scut(release, ratings=tmp_path / "none.csv")
    labels = release / "train_test_files" / "All_labels.txt"
    labels.write_text(labels.read_text() + "AF1.jpg 5.5\n")
    with pytest.raises(DataError, match=r"1 scores .* the first is 5.5 for AF1.jpg"):
        read_scut(release)


@pytest.mark.real
def test_the_real_release(tmp_path: Path) -> None:
    shared = os.environ.get("KALLOS_SHARED")
    if shared is None:
        pytest.skip("set KALLOS_SHARED to the folder that holds data/ and weights/")
    release = Path(shared) / "data" / "SCUT-FBP5500_v2"
    with open_store(tmp_path / "s.duckdb") as store:
        summary = write(store, read_scut(release))
        started = time.monotonic()
        again = write(store, read_scut(release))
        seconds = time.monotonic() - started
        means = store.frame(
            "SELECT subset, avg(mean), stddev(mean) FROM images JOIN scores USING (image_id) GROUP BY 1"
        )
        spread = store.value("SELECT avg(sd) FROM scores")
        furthest = store.value(
            "SELECT max(abs(r.mean - scores.mean)) FROM scores "
            "JOIN (SELECT image_id, avg(rating) AS mean FROM ratings GROUP BY 1) r USING (image_id)"
        )
        tested = store.frame(
            "SELECT protocol, fold, role, count(*) AS n, count(DISTINCT image_id) AS images FROM splits GROUP BY ALL"
        )
    assert (summary.images, summary.ratings, summary.scored, summary.raters) == (5500, 285_000, 5500, 60)
    assert summary.landmarks == 5499
    assert summary.findings.select("kind", "subject").rows() == [("bad_landmarks", "facial landmark/CM152.pts")]
    assert set(again.changed.values()) == {0}
    assert seconds < 30
    assert spread == pytest.approx(0.638, abs=5e-4)
    # The published means are rounded to six digits.
    assert furthest < 1e-6
    published = {"AF": (3.055, 0.713), "AM": (2.867, 0.658), "CF": (3.138, 0.714), "CM": (3.005, 0.616)}
    assert {s: (round(m, 3), round(d, 3)) for s, m, d in means.iter_rows()} == published
    sizes = {(p, role): (n, i) for p, _, role, n, i in tested.iter_rows()}
    assert sizes == {
        ("scut-5fold", "train"): (4400, 4400),
        ("scut-5fold", "test"): (1100, 1100),
        ("scut-60-40", "train"): (3300, 3300),
        ("scut-60-40", "test"): (2200, 2200),
    }
    assert len(tested) == 12
    assert isinstance(summary.findings, pl.DataFrame)
