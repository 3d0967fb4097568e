"""Any csv, and the demo's portraits."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.errors import InputError, KallosError
from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import write
from featurestore.ingest.demo import read_demo
from featurestore.opening import open_store
from kallos.workflows.ingest import ingest
from tests.ingest_files import read_scores, write_photo

TABLES = ("images", "ratings", "scores", "splits", "findings")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(8):
        write_photo(tmp_path / "photos" / "deep" / f"p{i}.png", i)
    return tmp_path / "photos"


def a_csv(photos: Path, text: str, encoding: str = "utf-8") -> Path:
    csv = photos.parent / "My labels.csv"
    csv.write_text(text, encoding=encoding)
    return csv


def test_one_score_an_image(photos: Path) -> None:
    csv = a_csv(photos, "id,Image,Score,Sex\n1,p0.png,1,female\n2,deep/p1.png,3.5,male\n3,p2,5,\n4,gone.png,2,\n")
    data_set = read_scores(csv, photos)
    assert data_set.name == "my-labels"
    assert data_set.scores.select("image_id", "mean", "raters").rows() == [
        ("my-labels/deep/p0.png", 1.0, None),
        ("my-labels/deep/p1.png", 3.5, None),
        ("my-labels/deep/p2.png", 5.0, None),
    ]
    assert data_set.images["sex"].to_list() == ["female", "male", *[None] * 6]
    kinds = data_set.findings.group_by("kind").len().sort("kind")
    assert kinds.rows() == [("missing_image", 1), ("unlabelled", 5)]
    assert len(data_set.ratings) == 0
    assert data_set.splits.is_empty()


def test_a_rater_column_makes_it_long(photos: Path) -> None:
    rows = [f"p{i}.png;r{r};{(i + r) % 10 + 1}" for i in range(8) for r in range(3)]
    csv = a_csv(photos, "filename;rater;rating\n" + "\n".join(rows) + "\n", encoding="utf-8-sig")
    data_set = read_scores(csv, photos, name="ten", scale=(1, 10))
    assert len(data_set.ratings) == 24
    first = data_set.scores.row(0, named=True)
    assert (first["mean"], first["raters"], first["score"]) == (2.0, 3, pytest.approx(1 + 4 / 9))
    assert first["histogram"] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert data_set.splits.filter(role="test").sort("image_id")["image_id"].to_list() == sorted(
        data_set.images["image_id"]
    )


def test_decimal_commas_between_semicolons(photos: Path) -> None:
    csv = a_csv(photos, "image;score\np0.png;2,5\n")
    assert read_scores(csv, photos).scores["mean"].to_list() == [2.5]


def test_stated_columns(photos: Path) -> None:
    csv = a_csv(photos, "who\twhat\tbeauty points\tscore\nann\tp0.png\t4\t99\nbob\tp0.png\t2\t99\n")
    columns = {"image_column": "what", "score_columns": ["Beauty Points"], "rater_column": "who"}
    data_set = read_scores(csv, photos, **columns)
    assert data_set.ratings.sort("rater_id").select("rater_id", "rating").rows() == [("ann", 4.0), ("bob", 2.0)]


def test_equal_rows_are_merged_and_reported(photos: Path) -> None:
    csv = a_csv(photos, "image,score\np0.png,2\ndeep/p0.png,2\n")
    data_set = read_scores(csv, photos)
    assert len(data_set.scores) == 1
    assert data_set.findings.filter(kind="duplicate")["subject"].to_list() == ["deep/p0.png", "p0.png"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("who,score\nann,2\n", DataError, "its columns are who, score: state it with --image-column"),
        ("image,points\np0.png,2\n", DataError, "state it with --score-column"),
        (
            "image,score\np0.png,7\np1.png,0\n",
            DataError,
            r"2 scores .* outside 1 to 5 \(7, 0\), the first is 7 .*--scale LOW HIGH",
        ),
        ("image,score\np0.png,2\np1.png,good\n", DataError, "1 answers .* 'good' for p1.png"),
        ("image,score\np0.png,nan\n", DataError, "no rows with an answer"),
        ("image,score\np0.png,\n", DataError, "no rows with an answer"),
        ("image,score\n,2\n", DataError, "first label in 'image' is blank"),
        (
            "image,rater,score\np0.png,,2\np1.png,a,2\n",
            DataError,
            "1 rows .* lack a rater in 'rater', the first for p0.png",
        ),
        ("image,score\n", DataError, "no rows"),
        ("", DataError, "cannot be read as csv"),
        ("image,score\nelse.png,2\n", DataError, "first label in 'image' is else.png, the first photo is deep/p0.png"),
        ("image,score\np0.png,2\np0.png,3\n", DataError, "several scores .* --rater-column"),
    ],
)
def test_labels_that_cannot_be_used(photos: Path, text: str, error: type[KallosError], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        read_scores(a_csv(photos, text), photos)
    assert "\n" not in str(raised.value)


def test_paths_names_and_scales_that_do_not_exist(photos: Path) -> None:
    csv = a_csv(photos, "image,score\np0.png,2\n")
    with pytest.raises(InputError, match="There is no file"):
        read_scores(photos / "none.csv", photos)
    with pytest.raises(InputError, match="There is no folder"):
        read_scores(csv, photos / "none")
    with pytest.raises(UsageError, match="own importer"):
        ingest("table", csv, photos / "s.duckdb", images=photos, scale=(1, 5), name="scut")
    with pytest.raises(UsageError, match="cannot name"):
        read_scores(csv, photos, name="A b")
    with pytest.raises(UsageError, match="scale"):
        read_scores(csv, photos, scale=(5, 5))
    with pytest.raises(DataError, match="no column 'x' for --score-column"):
        read_scores(csv, photos, score_columns=["x"])


def test_an_ambiguous_label_is_a_finding(photos: Path) -> None:
    write_photo(photos / "other" / "p0.png", 50)
    data_set = read_scores(a_csv(photos, "image,score\np0.png,2\np1.png,2\n"), photos)
    finding = data_set.findings.filter(kind="missing_image").row(0, named=True)
    assert finding["subject"] == "p0.png"
    assert finding["detail"] == "may mean deep/p0.png or other/p0.png: write its path"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ratings=st.dictionaries(
        st.tuples(st.integers(0, 7), st.sampled_from("abcd")),
        st.floats(1, 5).map(lambda x: round(x, 3)),
        min_size=1,
    ),
    seed=st.integers(),
)
def test_the_order_of_rows_does_not_matter(photos: Path, ratings: dict[tuple[int, str], float], seed: int) -> None:
    rows = [f"p{image}.png,{rater},{rating}" for (image, rater), rating in ratings.items()]
    shuffled = rows.copy()
    random.Random(seed).shuffle(shuffled)
    one, two = (
        read_scores(a_csv(photos, "\n".join(["image,rater,rating", *lines])), photos) for lines in (rows, shuffled)
    )
    for table in TABLES:
        assert getattr(one, table).equals(getattr(two, table)), table
    for (image, rater), rating in ratings.items():
        assert (f"my-labels/deep/p{image}.png", rater, rating, None, "score", None) in one.ratings.rows()


def test_ingesting_a_csv_twice_changes_nothing_and_a_corrected_one_only_its_row(photos: Path, tmp_path: Path) -> None:
    rows = [f"p{i}.png,{1 + i / 2}" for i in range(8)]
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_scores(a_csv(photos, "image,score\n" + "\n".join(rows)), photos))
        again = write(store, read_scores(a_csv(photos, "image,score\n" + "\n".join(reversed(rows))), photos))
        rows[3] = "p3.png,1"
        corrected = write(store, read_scores(a_csv(photos, "image,score\n" + "\n".join(rows)), photos))
    assert set(again.changed.values()) == {0}
    assert {table: n for table, n in corrected.changed.items() if n} == {"scores": 2}


def test_the_demo_keeps_what_was_drawn(photos: Path) -> None:
    folder = photos.parent / "demo"
    folder.mkdir()
    photos.joinpath("deep").rename(folder / "images")
    ratings = [f"p{i}.png,{r},{1 + (i + r) % 5}" for i in range(8) for r in range(4)]
    (folder / "ratings.csv").write_text("image,rater,rating\n" + "\n".join(ratings))
    drawn = [f"p{i}.png,{'WF' if i % 2 else 'FM'},{2 + i / 10},{i},bun" for i in range(8)]
    (folder / "parameters.csv").write_text("image,subset,true_score,eye_width,hair\n" + "\n".join(drawn))
    data_set = read_demo(folder)
    with open_store(folder / "s.duckdb") as store:
        summary = write(store, data_set)
        value = store.value(
            "SELECT value FROM drawn_parameters WHERE image_id = 'demo/p3.png' AND parameter = 'true_score'"
        )
    assert value == pytest.approx(2.3)
    assert (summary.raters, summary.subsets, summary.folds) == (4, {"FM": 4, "WF": 4}, {"demo-5fold": 5})
    assert sorted(data_set.drawn_parameters["parameter"].unique()) == ["eye_width", "true_score"]
    assert data_set.findings.is_empty()


def test_a_demo_that_was_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="draw them with"):
        read_demo(tmp_path)
