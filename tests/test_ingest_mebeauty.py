"""MEBeauty: a small copy of its layout."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from extractors.errors import InputError
from featurestore.errors import DataError
from featurestore.ingest.dataset import write
from featurestore.ingest.mebeauty import read_mebeauty
from featurestore.opening import open_store
from tests.ingest_files import write_photo, write_workbook

CROPS = "cropped_images/images_crop_align_mtcnn"
PHOTOS = ["female/asian/zoë k.jpg", "female/black/2.jpg", "male/indian/3.jpg", "male/indian/4.jpg", "male/asian/2.jpg"]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for i, photo in enumerate(PHOTOS):
        write_photo(tmp_path / CROPS / unicodedata.normalize("NFD", photo), i)
    scores = tmp_path / "scores"
    scores.mkdir()
    (scores / "train_2022.txt").write_text(
        f"./{CROPS}/female/asian/zoë k.jpg 5.5\n/home/someone/images/female/black/2.jpg 1\n", encoding="utf-8"
    )
    (scores / "val_2022.txt").write_text(f"./{CROPS}/male/indian/3.jpg 10\n./{CROPS}/female/black/2.jpg 1.5\n")
    (scores / "test_2022.txt").write_text(f"./{CROPS}/male/asian/2.jpg 4\n./{CROPS}/male/asian/lost.jpg 4\n")
    write_workbook(
        scores / "generic_scores_all_2022.xlsx",
        {
            "Sheet1": [
                (None, "mean", "image", "path", "r1", "r2", "r3"),
                (0, 5.5, "zoë k.jpg", "./original_images/female/asian/zoë k.jpg", 5, 6, None),
                (1, 7, "4.jpg", "./original_images/male/indian/4.jpg", 7, None, None),
                (2, 4, "lost.jpg", "./original_images/male/asian/lost.jpg", 4, None, 4),
            ]
        },
    )
    return tmp_path


def test_scores_ratings_groups_and_the_official_split(release: Path) -> None:
    data_set = read_mebeauty(release)
    assert data_set.images.select("image_id", "sex", "ethnicity", "subset").row(0) == (
        "mebeauty/female/asian/zoë k.jpg",
        "female",
        "asian",
        "asian_female",
    )
    assert data_set.ratings.sort("rater_id", "image_id").drop("trait", "session").rows() == [
        ("mebeauty/female/asian/zoë k.jpg", "r1", 5.0, None),
        ("mebeauty/male/indian/4.jpg", "r1", 7.0, None),
        ("mebeauty/female/asian/zoë k.jpg", "r2", 6.0, None),
    ]
    assert data_set.scores.select("image_id", "mean", "raters", "score").rows() == [
        ("mebeauty/female/asian/zoë k.jpg", 5.5, 2, 3.0),
        ("mebeauty/female/black/2.jpg", 1.0, None, 1.0),
        ("mebeauty/male/asian/2.jpg", 4.0, None, pytest.approx(1 + 4 / 3)),
        ("mebeauty/male/indian/3.jpg", 10.0, None, 5.0),
        ("mebeauty/male/indian/4.jpg", 7.0, 1, pytest.approx(1 + 8 / 3)),
    ]
    assert data_set.splits.select("image_id", "protocol", "fold", "role").rows() == [
        ("mebeauty/female/asian/zoë k.jpg", "mebeauty-2022", 1, "train"),
        ("mebeauty/female/black/2.jpg", "mebeauty-2022", 1, "train"),
        ("mebeauty/male/indian/3.jpg", "mebeauty-2022", 1, "val"),
        ("mebeauty/male/asian/2.jpg", "mebeauty-2022", 1, "test"),
    ]
    assert data_set.findings.select("kind", "subject", "detail").rows() == [
        ("duplicate", "female/black/2.jpg", "stands in mebeauty-2022 again as val: left out there"),
        ("missing_image", "male/asian/lost.jpg", "has a label in scores but no photo"),
    ]


def test_ingesting_twice_changes_nothing(release: Path) -> None:
    with open_store(release / "s.duckdb") as store:
        first = write(store, read_mebeauty(release))
        assert set(write(store, read_mebeauty(release)).changed.values()) == {0}
        paths = store.frame("SELECT root || '/' || path AS path FROM images JOIN locations USING (data_set)")["path"]
    assert first.raters == 2
    assert all(Path(path).is_file() for path in paths)


def test_the_older_lists_alone(release: Path) -> None:
    scores = release / "scores"
    for file in scores.iterdir():
        file.unlink()
    (scores / "train_crop.csv").write_text(f"image,score\n{CROPS}/male/indian/3.jpg,9.5\n")
    (scores / "test_crop.csv").write_text(f"image,score\n{CROPS}/male/indian/4.jpg,2\n")
    data_set = read_mebeauty(release)
    assert data_set.splits.select("protocol", "role").rows() == [("mebeauty-crop", "train"), ("mebeauty-crop", "test")]
    assert data_set.scores["mean"].to_list() == [9.5, 2.0]
    (scores / "test_crop.csv").write_text("image,points\nx,2\n")
    with pytest.raises(DataError, match="no column score"):
        read_mebeauty(release)
    (scores / "test_crop.csv").write_text(f"image,score\n{CROPS}/male/indian/4.jpg,many\n")
    with pytest.raises(DataError, match="outside 1-10, the first is blank or not a number"):
        read_mebeauty(release)


def test_folders_that_are_not_mebeauty(release: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(InputError, match="is not MEBeauty"):
        read_mebeauty(tmp_path_factory.mktemp("other"))
    for file in (release / "scores").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="holds no train_2022"):
        read_mebeauty(release)
