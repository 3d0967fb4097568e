"""`kallos preregister` and `kallos report study`: plans and their deviations, the folder, and the same figures in R."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from featurestore import plans
from featurestore.errors import DataError
from featurestore.opening import open_store
from featurestore.schema import SCHEMA_VERSION
from reports.stats.deviations import Deviation, deviations
from reports.stats.raters.agreement import COEFFICIENTS
from tests.command import kallos, kallos_ok
from tests.synthetic_store import DATA_SET, PROTOCOL, add_trait, make_store
from tests.test_cli import refused

PLAN = f"""
title = "Made up"
data_set = "{DATA_SET}"
hypotheses = ["The ensemble orders photos as the raters do."]
photos = 80
raters = 6
ratings_per_photo = 6
icc_2k = 0.8
protocol = "{PROTOCOL}"
models = ["a", "b", "b-features", "baseline", "ensemble"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_store(tmp_path / "s.duckdb").close()
    return tmp_path / "s.duckdb"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study whose plan was fixed before there was anything, and changed once."""
    folder = tmp_path_factory.mktemp("study")
    store, plan = folder / "s.duckdb", folder / "plan.toml"
    make_store(store).close()
    plan.write_text(PLAN)
    with open_store(store) as opened:
        plans.fix(opened, PLAN)
        opened.execute("UPDATE plans SET ratings = 0, scored = 0, runs = 0")
    plan.write_text(PLAN.replace("photos = 80", "photos = 90"))
    kallos_ok("preregister", plan, "--store", store)
    kallos_ok("report", "study", "--folder", folder / "study", "--store", store)
    return folder / "study"


def test_a_plan_is_fixed_once_with_its_hash_and_what_the_store_held(path: Path, tmp_path: Path):
    (tmp_path / "plan.toml").write_text(PLAN)
    first, again = (
        kallos_ok("preregister", tmp_path / "plan.toml", "--json", "--store", path).json() for _ in range(2)
    )
    assert first == again
    assert (first["ratings"], first["scored"], first["runs"]) == (480, 80, 5)
    assert re.fullmatch(r"[0-9a-f]{64}", first["sha256"])
    assert first["text"] == PLAN


def test_a_plan_comes_before_the_store(tmp_path: Path):
    (tmp_path / "plan.toml").write_text(PLAN)
    page = kallos_ok("preregister", tmp_path / "plan.toml", "--store", tmp_path / "new.duckdb").out
    assert "0 ratings, 0 scored photos and 0 runs" in " ".join(page.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data_set = ", "not TOML"),
        ("title = 'x'", "which data set"),
        ("data_set = 'x'\nrater = 3", "rater = 3, which nothing"),
        ("data_set = 'x'\nphotos = 'many'", "photos = 'many': give int"),
        ("data_set = 'x'\nphotos = true", "photos = True"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, words: str):
    with pytest.raises(DataError, match=re.escape(words)):
        plans.read(text)


def test_a_plan_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe\x00")
    refused(kallos("preregister", tmp_path / "plan.toml", "--store", tmp_path / "s.duckdb"), 3, "read as text")


def test_plans_know_the_coefficients_of_agreement():
    assert tuple(COEFFICIENTS) == plans.COEFFICIENTS


DONE = {
    "data_set": DATA_SET,
    "trait": "score",
    "photos": 80.0,
    "raters": 6.0,
    "ratings_per_photo": 6,
    "icc_2k": 0.859,
    "retest": None,
    "protocol": PROTOCOL,
    "models": ["a", "b", "b-features", "baseline", "ensemble"],
}


@pytest.mark.parametrize(
    ("planned", "instead", "deviation"),
    [
        ("", "", None),
        ("photos = 80", "photos = 81", ("photos", "at least 81", "80")),
        ("raters = 6", "raters = 7", ("raters", "at least 7", "6")),
        ("ratings_per_photo = 6", "ratings_per_photo = 9", ("ratings per photo", "at least 9", "6")),
        ("icc_2k = 0.8", "icc_2k = 0.95", ("icc 2k", "at least 0.950", "0.859")),
        ("icc_2k = 0.8", "retest = 0.8", ("retest", "at least 0.800", "unknown")),
        ('"baseline"', '"ridge"', ("models", "a, b, b-features, ridge, ensemble", "without ridge; also baseline")),
        (f'protocol = "{PROTOCOL}"', 'protocol = "other"', ("protocol", "other", PROTOCOL)),
        ('title = "Made up"', 'trait = "kind"', ("trait", "kind", "score")),
    ],
)
def test_what_was_done_as_planned_is_no_deviation_and_everything_else_is(
    planned: str, instead: str, deviation: tuple[str, str, str] | None, tmp_path: Path
):
    with open_store(tmp_path / "s.duckdb") as store:
        plan = plans.fix(store, PLAN.replace(planned, instead) if planned else PLAN)
    assert deviations([plan], DONE) == ([Deviation(*deviation)] if deviation else [])


def test_a_plan_that_came_late_or_was_changed_is_a_deviation(path: Path):
    with open_store(path) as store:
        plans.fix(store, PLAN)
        plans.fix(store, PLAN.replace("raters = 6", "raters = 5"))
    report = kallos_ok("report", "study", "--json", "--store", path).json()
    assert {row["name"]: row["version"] for row in report["versions"]}["schema"] == str(SCHEMA_VERSION)
    assert [each["point"][:13] for each in report["deviations"]] == ["date", "plan, changed", "plan, changed"]
    assert report["deviations"][0]["found"].startswith("the store had 480 ratings")
    assert [(each["planned"], each["found"]) for each in report["deviations"][1:]] == [
        ("raters = 6", "–"),
        ("–", "raters = 5"),
    ]


def test_without_a_plan_the_report_says_so_and_a_trait_has_a_column_of_its_own(path: Path):
    with open_store(path) as store:
        add_trait(store, "kind")
    page = " ".join(kallos_ok("report", "study", "--store", path).out.split())
    assert "No plan of analysis was fixed" in page
    report = kallos_ok("report", "study", "--json", "--store", path).json()
    assert {row["trait"] for row in report["figures"] if row["table"] == "agreement"} == {"kind", "score"}
    named = {row["reason"]: row["count"] for row in report["exclusions"]}
    assert named == {"no_face": 1, "missing_image": 5, "bad_landmarks": 1}


def test_several_data_sets_are_not_mixed(path: Path):
    with open_store(path) as store:
        store.execute("INSERT INTO data_sets VALUES ('other', NULL)")
    refused(kallos("report", "study", "--store", path), 2, "choose one with --data-set", "other")
    assert kallos_ok("report", "study", "--data-set", DATA_SET, "--json", "--store", path).json()["images"] == 80


def test_the_folder_has_the_report_and_tidy_data_in_three_formats(written: Path):
    names = {str(file.relative_to(written)) for file in written.rglob("*") if file.is_file()}
    tables = ("exclusions", "figures", "photos", "predictions", "ratings")
    assert names >= {f"data/{table}.{kind}" for table in tables for kind in ("csv", "parquet", "sav")}
    assert names >= {"study.html", "study.qmd", "plan.toml", "tables.R", "figures/figure_1.png", "figures/figure_2.png"}
    for table, rows in (("ratings", 480), ("photos", 80), ("exclusions", 7)):
        parquet = pl.read_parquet(written / "data" / f"{table}.parquet")
        assert len(parquet) == len(pl.read_csv(written / "data" / f"{table}.csv")) == rows
        assert len(pyreadstat.read_sav(written / "data" / f"{table}.sav")[0]) == rows
    assert "photos = 90" in (written / "plan.toml").read_text()


def test_the_markdown_has_front_matter_tables_and_figures_that_are_there(written: Path):
    text = (written / "study.qmd").read_text()
    head, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, flags=re.DOTALL).groups()
    assert 'title: "Study of made-up"' in head
    assert "docx" in head
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", body):
        assert (written / picture).is_file()
    for heading in ("Plan", "Scores", "Exclusions and findings", "Agreement of the raters", "Versions"):
        assert f"\n# {heading}\n" in body
    assert "| photos | at least 90 | 80 |" in body
    widths = [line.count("|") - line.count("\\|") for line in body.splitlines() if line.startswith("| photos")]
    assert widths == [4, 3]


def test_a_folder_is_of_the_study_alone(path: Path, tmp_path: Path):
    refused(
        kallos("report", "dataset", "--folder", tmp_path / "x", "--store", path), 2, "is written into a --folder: leave"
    )
    (tmp_path / "file").touch()
    refused(kallos("report", "study", "--folder", tmp_path / "file" / "x", "--store", path), 3, "another --folder")


def test_r_computes_the_same_figures(written: Path):
    if shutil.which("Rscript") is None:
        pytest.skip("R with nothing else is not installed")
    answer = subprocess.run(["Rscript", "--vanilla", written / "tables.R"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    again = pl.read_csv(written / "data" / "figures_of_R.csv")
    assert len(again) == 63
    assert set(again["table"]) == {"scores", "agreement", "variance", "models"}
    kallos_value = pl.col("value_of_kallos")
    differing = again.filter((pl.col("value_of_R") - kallos_value).abs() > 1e-4 * kallos_value.abs())
    assert differing.is_empty(), differing
