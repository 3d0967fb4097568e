"""Tables as csv, Parquet and sav: what R, SPSS, Excel and Polars find in them; of sql, features and predict."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from featurestore.errors import UsageError
from featurestore.opening import open_store
from reports.render.table_files import BOM, KINDS, SHORT, csv_text, flattened, write_table
from tests.command import kallos, kallos_ok
from tests.test_cli import refused

ROWS = pl.DataFrame(
    {
        "größe": ["Zoë, “x”\n2", None],
        "n": [1, None],
        "x": [0.1, float("nan")],
        "ok": [True, None],
        "histogram": [[1, 2, 3], [4]],
        "shape": [[0.5] * (SHORT + 1), None],
        "window": pl.Series([[1.5, 2.5], None], dtype=pl.Array(pl.Float32, 2)),
        "pair": [{"a": 1, "b": "ü"}, None],
        "nested": [[[1], [2, 3]], []],
        "day": [date(2026, 11, 29), None],
        "when": [datetime(2026, 11, 29, 12, tzinfo=UTC), None],
        "hash": pl.Series([2**64 - 1, 1], dtype=pl.UInt64),
        "infinite": [float("inf"), 2.0],
        "bytes": [b"\x01\xff", None],
        "nothing": [None, None],
    }
)
FLAT = [
    *("größe", "n", "x", "ok", "histogram_1", "histogram_2", "histogram_3", "shape", "window_1", "window_2"),
    *("pair", "nested", "day", "when", "hash", "infinite", "bytes", "nothing"),
]


def sav(file: Path) -> tuple[pl.DataFrame, object]:
    return pyreadstat.read_sav(file, output_format="polars")


# the kinds


def test_a_csv_is_utf_8_that_excel_knows_and_polars_reads(tmp_path):
    write_table(tmp_path / "t.csv", "csv", ROWS)
    content = (tmp_path / "t.csv").read_bytes()
    assert content.startswith(BOM)
    assert content[len(BOM) :].decode() == csv_text(ROWS)
    read = pl.read_csv(tmp_path / "t.csv")
    assert read.columns == FLAT
    assert read["größe"].to_list() == ["Zoë, “x”\n2", None]
    assert read["ok"].to_list() == [True, None]
    assert read["x"].to_list() == [0.1, None]
    assert [read[f"histogram_{i}"].to_list() for i in (1, 2, 3)] == [[1, 4], [2, None], [3, None]]
    assert read["shape"].to_list() == [f"[{','.join(['0.5'] * (SHORT + 1))}]", None]
    assert read["pair"].to_list() == ['{"a":1,"b":"ü"}', None]
    assert read["nested"].to_list() == ["[[1],[2,3]]", "[]"]
    assert read["window_2"].to_list() == [2.5, None]
    assert ",TRUE," in csv_text(ROWS)


def test_parquet_keeps_everything(tmp_path):
    write_table(tmp_path / "t.parquet", "parquet", ROWS)
    assert_frame_equal(pl.read_parquet(tmp_path / "t.parquet"), ROWS)


def test_a_sav_has_labels_and_what_spss_has_no_number_for_is_missing_or_text(tmp_path):
    labels = {"n": "how many", "x": "ä" * 200, "histogram_1": "ones"}
    write_table(tmp_path / "t.sav", "sav", ROWS, labels)
    read, about = sav(tmp_path / "t.sav")
    assert read.columns == FLAT
    assert read["größe"].to_list() == ["Zoë, “x”\n2", ""]
    assert read["x"].to_list() == [0.1, None]
    assert read["infinite"].to_list() == [None, 2.0]
    assert read["hash"].to_list() == [str(2**64 - 1), "1"]
    assert read["when"].to_list() == [datetime(2026, 11, 29, 12), None]
    assert read["day"].to_list() == [date(2026, 11, 29), None]
    assert read["ok"].to_list() == [1, None]
    assert about.variable_value_labels == {"ok": {1: "yes", 0: "no"}}
    stored_labels = about.column_names_to_labels
    assert (stored_labels["n"], stored_labels["histogram_1"], stored_labels["histogram_2"]) == (
        "how many",
        "ones",
        None,
    )
    assert stored_labels["x"] == "ä" * 128, "cut between letters"
    assert about.variable_measure["ok"] == "nominal"
    assert about.variable_measure["x"] == "scale"


def test_names_that_spss_cannot_hold_become_labels(tmp_path):
    names = ["count(*)", "ALL", "2nd", "a b", "A_b", "___", "größe" * 20, "größe" * 20 + "x"]
    write_table(tmp_path / "t.sav", "sav", pl.DataFrame({name: [1] for name in names}))
    read, about = sav(tmp_path / "t.sav")
    assert read.columns[:6] == ["count", "ALL_2", "v2nd", "a_b", "A_b_2", "column"]
    assert [len(name.encode()) <= 64 for name in read.columns] == [True] * 8
    assert about.column_labels[:6] == ["count(*)", "ALL", "2nd", "a b", "A_b", "___"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6, unique=True), st.lists(st.text(max_size=9), max_size=3))
def test_whatever_names_and_texts_a_query_gives_are_written(tmp_path_factory, names, texts):
    rows = pl.DataFrame({name: pl.Series(texts, dtype=pl.String) for name in names})
    folder = tmp_path_factory.mktemp("any")
    for kind in KINDS:
        write_table(folder / f"t.{kind}", kind, rows)
    read, _ = sav(folder / "t.sav")
    assert len({name.upper() for name in read.columns}) == len(names)
    assert_frame_equal(pl.read_parquet(folder / "t.parquet"), rows)


def test_an_element_does_not_take_the_name_of_another_column():
    rows = pl.DataFrame({"a_1": [7], "a": [[1, 2]], "a_2": [8]})
    assert flattened(rows).rows(named=True) == [{"a_1": 7, "a_1_": 1, "a_2_": 2, "a_2": 8}]


def test_what_a_kind_cannot_hold_is_refused(tmp_path):
    with pytest.raises(UsageError, match="SPSS cannot hold texts as long as those of long"):
        write_table(tmp_path / "t.sav", "sav", pl.DataFrame({"long": ["x" * 32_768]}))
    with pytest.raises(UsageError, match="bytes within lists"):
        write_table(tmp_path / "t.csv", "csv", pl.DataFrame({"b": [[b"\x00"]]}))
    assert not list(tmp_path.iterdir())


# kallos sql


def test_sql_writes_all_kinds_at_once_in_place_of_what_was_there(workspace, tmp_path):
    files = {kind: tmp_path / f"scores.{kind}" for kind in KINDS}
    files["csv"].write_text("older")
    query = "SELECT image_id, histogram, 'é' AS letter FROM scores ORDER BY image_id"
    options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    answer = kallos_ok("sql", query, *options, "--store", workspace.store)
    assert answer.out == ""
    verbs = {"csv": "replaced", "parquet": "wrote", "sav": "wrote"}
    assert answer.err.splitlines() == [f"{verbs[kind]} {file}: 120 rows" for kind, file in files.items()]
    as_csv, as_parquet, as_sav = pl.read_csv(files["csv"]), pl.read_parquet(files["parquet"]), sav(files["sav"])[0]
    assert as_csv.columns == as_sav.columns == ["image_id", *(f"histogram_{i}" for i in range(1, 6)), "letter"]
    assert as_parquet["histogram"].to_list() == [list(row[1:6]) for row in as_csv.rows()]
    assert set(as_csv["letter"]) == set(as_sav["letter"]) == {"é"}


def test_on_stdout_a_csv_has_no_mark_and_long_lists_are_json(workspace):
    out = kallos_ok("sql", "SELECT x FROM landmarks LIMIT 1", "--csv", "-", "--store", workspace.store).out
    heading, row = out.splitlines()
    assert heading == "x"
    assert row.count(",") == 477


def test_a_place_that_cannot_be_written_is_refused_before_the_work(workspace, tmp_path):
    options = ("--store", tmp_path / "none.duckdb")
    refused(kallos("sql", "SELECT 1", "--csv", tmp_path, *options), 3, "is a folder", "--csv")
    refused(kallos("features", "--sav", tmp_path / "no" / "t.sav", *options), 3, "There is no folder", "--sav")
    refused(kallos("score", workspace.portrait, "--parquet", "-", *options), 2, "only --csv")
    refused(kallos("sql", "SELECT 1", "--csv", "/dev/full", "--store", workspace.store), 15, "disk is full")


# kallos features


@pytest.fixture(scope="module")
def failing(workspace, tmp_path_factory) -> Path:
    """A copy of the store in which one photo had no face, and one has no score."""
    path = tmp_path_factory.mktemp("failing") / "s.duckdb"
    shutil.copy(workspace.store, path)
    with open_store(path) as store:
        sha256 = store.value("SELECT sha256 FROM images WHERE image_id = 'demo/P0002.jpg'")
        for (table,) in store.frame("SELECT table_name FROM extractor_versions").unique().iter_rows():
            store.execute(f"DELETE FROM \"{table}\" WHERE sha256 = '{sha256}'")
        store.execute(
            "UPDATE attempts SET status = 'no_face', detail = 'No face was found.' "
            f"WHERE extractor = 'landmarks' AND sha256 = '{sha256}'"
        )
        store.execute("DELETE FROM scores WHERE image_id = 'demo/P0003.jpg'")
    return path


FRONT = ["image_id", "data_set", "subset", "sex", "ethnicity", "mean", "sd", "raters", "score", "status", "detail"]


def test_features_writes_a_row_an_image_with_scores_and_raw_values(failing, tmp_path):
    files = {kind: tmp_path / f"features.{kind}" for kind in KINDS}
    options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    assert kallos_ok("features", *options, "--store", failing).out == ""
    read = pl.read_parquet(files["parquet"])
    with open_store(failing, read_only=True) as store:
        stored = store.frame("FROM geometric_features ORDER BY image_id")
        scores = dict(store.frame("SELECT image_id, score FROM scores").iter_rows())
    assert len(read) == 120
    assert read.columns == [*FRONT, *stored.columns[1:]]
    assert dict(read.select("image_id", "score").drop_nulls().iter_rows()) == scores
    measured = read.filter(pl.col("status") == "ok")
    assert_frame_equal(measured.select(stored.columns), stored)
    no_face, no_score = read.row(1, named=True), read.row(2, named=True)
    assert (no_face["status"], no_face["detail"]) == ("no_face", "No face was found.")
    assert {no_face[name] for name in stored.columns[1:]} == {None}
    assert (no_score["score"], no_score["status"]) == (None, "ok")
    assert_frame_equal(pl.read_csv(files["csv"]).select(stored.columns[:9]), read.select(stored.columns[:9]))
    spss, about = sav(files["sav"])
    assert spss["jaw_width"].to_list() == read["jaw_width"].to_list()
    assert about.column_names_to_labels["jaw_width"] == "Width of the jaw at its angles. [face widths]"
    assert "what models learn" in about.column_names_to_labels["score"]


@pytest.mark.parametrize(
    ("selection", "columns"),
    [(("jaw_width",), {"jaw_width"}), (("averageness",), {"averageness"}), (("--region", "lips"), None)],
)
def test_features_writes_one_feature_or_those_of_a_region(workspace, tmp_path, selection, columns):
    kallos_ok("features", *selection, "--parquet", tmp_path / "t.parquet", "--store", workspace.store)
    read = pl.read_parquet(tmp_path / "t.parquet")
    assert "averageness" not in read.columns or selection == ("averageness",)
    listed = kallos_ok("features", "--region", "lips", "--json").json()["features"]
    assert set(read.columns[len(FRONT) :]) == (columns or {feature["name"] for feature in listed})
    assert read[read.columns[-1]].is_finite().sum() >= 119


def test_where_averageness_is_left_out_the_command_says_how_it_is_had(workspace, tmp_path):
    options = ("--store", workspace.store)
    for selection in ((), ("--region", "symmetry")):
        answer = kallos_ok("features", *selection, "--csv", tmp_path / "t.csv", *options)
        assert "averageness" not in pl.read_csv(tmp_path / "t.csv").columns
        assert "averageness is left out" in answer.err
        assert "`kallos features averageness --csv FILE" in answer.err
    for selection in (("averageness",), ("--region", "lips")):
        assert "left out" not in kallos_ok("features", *selection, "--csv", tmp_path / "t.csv", *options).err
    by_command = kallos_ok("features", "averageness", "--csv", "-", *options).out.splitlines()[1]
    page = (Path(__file__).parent.parent / "docs" / "sql.md").read_text(encoding="utf-8")
    (query,) = [text for text in re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL) if "averageness * sd" in text]
    by_sql = kallos_ok("sql", f"SELECT * FROM ({query}) ORDER BY image_id", "--csv", "-", *options).out.splitlines()[1]
    assert by_command.split(",")[-1] == by_sql.split(",")[-1]


def test_features_that_cannot_be_written_are_one_sentence(workspace, tmp_path):
    file, options = tmp_path / "t.csv", ("--store", workspace.store)
    refused(kallos("features", "jaw_widht", "--csv", file, *options), 2, "jaw_width")
    refused(kallos("features", "--region", "ear", "--csv", file, *options), 2, "ear")
    refused(kallos("features", "jaw_width", "--region", "lips", "--csv", file, *options), 2, "--region")
    refused(kallos("features", "--csv", file, "--store", tmp_path / "none.duckdb"), 6, "kallos ingest")
    open_store(tmp_path / "empty.duckdb").close()
    refused(kallos("features", "--csv", file, "--store", tmp_path / "empty.duckdb"), 7, "kallos ingest")
    assert not file.exists()


# kallos score


def test_predict_writes_a_row_a_photo_also_where_it_cannot_be_used(workspace, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(workspace.portrait, photos / "Zoë.jpg")
    shutil.copy(workspace.portrait, os.fsencode(photos) + b"/caf\xe9.jpg")
    (photos / "letter.jpg").write_text("dear reader")
    files = {kind: tmp_path / f"predictions.{kind}" for kind in KINDS}
    options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    answer = kallos("score", photos, "--bundle", workspace.bundle, *options)
    assert (answer.code, answer.out) == (5, "")
    assert "letter.jpg is not a photo" in answer.err
    prediction = kallos_ok("score", photos / "Zoë.jpg", "--bundle", workspace.bundle, "--json").json()["predictions"][0]
    table = pl.read_parquet(files["parquet"])
    rows = {Path(row["photo"]).name: row for row in table.rows(named=True)}
    assert rows.keys() == {"Zoë.jpg", "caf\\udce9.jpg", "letter.jpg"}
    letter, good = rows["letter.jpg"], rows["Zoë.jpg"]
    assert "is not a photo" in letter["problem"]
    assert {value for name, value in letter.items() if name not in ("photo", "problem")} == {None}
    assert good["problem"] is None
    for name in ("score", "low", "high", "in_training"):
        assert good[name] == prediction[name]
    assert good["remarks"] == "; ".join(prediction["notes"])
    assert (good["model"], good["protocol"], good["fold"]) == tuple(
        prediction["origin"][n] for n in ("model", "protocol", "fold")
    )
    assert good["data_sets"] == "demo"
    assert good["doubts"] == (" ".join(prediction["doubts"]) or None)
    assert good["model_b_features"] == prediction["members"]["b-features"]
    assert good["sub_score_eyes"] == prediction["sub_scores"]["eyes"]
    assert good["weight_eyes"] == prediction["weights"]["eyes"]
    assert {name: good[name] for name in prediction["features"]} == prediction["features"]
    assert pl.read_csv(files["csv"])["photo"].to_list() == table["photo"].to_list()
    spss, about = sav(files["sav"])
    assert spss["photo"].to_list() == table["photo"].to_list()
    assert about.variable_value_labels == {"in_training": {1: "yes", 0: "no"}}
    unlabelled = [name for name, label in about.column_names_to_labels.items() if not label]
    assert not unlabelled


def test_predict_of_nothing_that_can_be_used_has_a_table_too(workspace, tmp_path):
    (tmp_path / "letter.jpg").write_text("dear reader")
    answer = kallos("score", tmp_path / "letter.jpg", "--bundle", workspace.bundle, "--csv", "-")
    assert answer.code == 5
    heading, row = answer.out.splitlines()
    assert heading.startswith("photo,score,low,high,")
    assert "is not a photo" in row


def test_predict_of_many_photos_writes_them_in_order(workspace, tmp_path, many):
    photos = sorted((workspace.portraits / "images").iterdir())[:many]
    kallos_ok("score", *photos, "--bundle", workspace.bundle, "--parquet", tmp_path / "t.parquet")
    assert pl.read_parquet(tmp_path / "t.parquet")["photo"].to_list() == [str(photo) for photo in photos]
