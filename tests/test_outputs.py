"""What a command writes where the user says: never in place of what kallos reads, over every such option there is."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from featurestore.opening import open_store
from kallos.cli.outputs import output
from tests.command import kallos, kallos_ok
from tests.named_commands import leaves
from tests.test_cli import refused

READ = {"archive", "file", "folder", "images", "photos", "recipe", "bundle", "store"}
"""Parameters of the type path whose file is read; `kallos hub pull` fills only a folder that is new or empty."""


def is_output(parameter: Any) -> bool:
    return getattr(parameter.callback, "__wrapped__", None) is output


OUTPUTS = [
    (words, parameter.name) for words, leaf in leaves().items() for parameter in leaf.params if is_output(parameter)
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A researcher's folder: photos, the table of their ratings, the store that was filled from both."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "photos").mkdir()
    rows = [(f"{i}.png", f"r{rater}", 1 + (i + rater) % 5) for i in range(30) for rater in range(3)]
    for i in range(30):
        Image.new("L", (64, 64), 100 + i).save(folder / "photos" / f"{i}.png")
    pl.DataFrame(rows, schema=["image", "rater", "rating"], orient="row").write_csv(folder / "ratings.csv")
    options = ("--images", folder / "photos", "--scale", 1, 5, "--store", folder / "kallos.duckdb")
    kallos_ok("ingest", "table", folder / "ratings.csv", *options, "--save-recipe", folder / "recipe.json")
    return folder


def arguments(words: tuple[str, ...], name: str, place: Path, store: Path, elsewhere: Path) -> list[object]:
    """A command with that output in that place; what else it needs is there, or never looked at."""
    line: list[object] = list(words)
    for parameter in leaves()[words].params:
        if parameter.name == name:
            value: object = place
        elif parameter.name == "store":
            value = store
        elif parameter.required:
            value = elsewhere
        else:
            continue
        line += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return line


def test_every_path_is_read_or_is_an_output():
    paths = {
        parameter.name
        for leaf in leaves().values()
        for parameter in leaf.params
        if "path" in repr(parameter.type_descriptor).lower() and not is_output(parameter)
    }
    assert paths <= READ
    assert len(OUTPUTS) > 15


@pytest.mark.parametrize(("words", "name"), OUTPUTS, ids=[" ".join((*words, name)) for words, name in OUTPUTS])
def test_no_output_takes_the_place_of_what_kallos_reads(lab: Path, tmp_path: Path, words, name):
    before = {file: file.stat().st_mtime_ns for file in lab.rglob("*") if file.is_file()}
    store = lab / "kallos.duckdb"
    for place, origin in (
        (store, "is the store"),
        (lab / "ratings.csv", "is a file that ratings was read from"),
        (lab / "photos" / "3.png", "is a photo of ratings"),
        (lab / "photos", "is the folder with photos of ratings"),
    ):
        answer = kallos(*arguments(words, name, place, store, tmp_path / "x.jpg"))
        refused(answer, 3, f"{place} {origin}, and would be replaced: choose another place.")
    assert {file: file.stat().st_mtime_ns for file in lab.rglob("*") if file.is_file()} == before


def test_a_link_to_it_is_no_other_place(lab: Path, tmp_path: Path):
    (tmp_path / "out.csv").symlink_to(lab / "ratings.csv")
    answer = kallos("sql", "SELECT 1", "--csv", tmp_path / "out.csv", "--store", lab / "kallos.duckdb")
    refused(answer, 3, "is a file that ratings was read from")


def test_nor_of_what_the_command_itself_reads(lab: Path, tmp_path: Path):
    """Also without a store."""
    photo, none = shutil.copy(lab / "photos" / "3.png", tmp_path), tmp_path / "none.duckdb"
    table = shutil.copy(lab / "ratings.csv", tmp_path)
    for line in (
        ("explain", photo, "--overlay", photo),
        ("similar", photo, "--sheet", photo),
        ("score", photo, "--bundle", tmp_path, "--csv", photo),
        ("score", photo, tmp_path, "--overlay", tmp_path),
        ("ingest", "table", table, "--images", lab / "photos", "--save-recipe", table),
    ):
        refused(kallos(*line, "--store", none), 3, "is what this command reads")
    refused(kallos("sql", "SELECT 1", "--csv", tmp_path / "a", "--sav", tmp_path / "a"), 2, "is named twice")


def test_a_further_table_and_its_recipe_are_known_as_well(lab: Path, tmp_path: Path):
    store, wave2 = tmp_path / "s.duckdb", tmp_path / "wave2.csv"
    shutil.copy(lab / "kallos.duckdb", store)
    wave2.write_text("image,rater,rating\n1.png,r9,3\n")
    recipe = ("--name", "ratings", "--recipe", lab / "recipe.json")
    kallos_ok("ingest", "table", wave2, "--images", lab / "photos", *recipe, "--store", store)
    for place in (lab / "ratings.csv", wave2, lab / "recipe.json"):
        refused(kallos("features", "--csv", place, "--store", store), 3, "is a file that ratings was read from")
    with open_store(store) as opened:
        opened.execute("UPDATE locations SET files = NULL")  # as in a store of an earlier kallos
    refused(kallos("sql", "SELECT 1", "--csv", store, "--store", store), 3, "is the store")
    kallos_ok("sql", "SELECT 1 AS one", "--csv", wave2, "--store", store)


def test_another_file_is_replaced_and_the_line_says_so(lab: Path, tmp_path: Path):
    options, files = (
        ("--store", lab / "kallos.duckdb"),
        {kind: tmp_path / f"t.{kind}" for kind in ("csv", "parquet", "sav")},
    )
    line = ("sql", "SELECT 1 AS one", *(word for kind, file in files.items() for word in (f"--{kind}", file)), *options)
    for verb in ("wrote", "replaced"):
        assert kallos_ok(*line).err.splitlines() == [f"{verb} {file}: 1 row" for file in files.values()]
    for verb in ("wrote", "replaced"):
        answer = kallos_ok(
            "report", "dataset", "--html", tmp_path / "r.html", "--figures", tmp_path / "figures", *options
        )
        lines = shlex.split(answer.err.replace("\n", " "))
        assert lines == [verb, str(tmp_path / "r.html"), verb, str(tmp_path / "figures" / "scores_ratings.png")]


def test_portraits_are_not_drawn_over_a_folder_of_somebody_else(lab: Path, tmp_path: Path):
    table = Path(shutil.copy(lab / "ratings.csv", tmp_path))
    before = table.read_bytes()
    refused(
        kallos("ingest", "demo", tmp_path, "--count", 20, "--store", tmp_path / "s.duckdb"),
        3,
        "ratings.csv is there already and was not drawn by kallos",
    )
    assert table.read_bytes() == before
