"""Contracts that every importer keeps, and `kallos.ingest`, which takes what the command takes."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import get_args

import pytest

import kallos
from featurestore.errors import UsageError
from featurestore.ingest.table import TableReading
from kallos.importers.registry import IMPORTERS
from kallos.importers.spec import Importer
from tests.command import kallos_ok
from tests.ingest_files import write_photo

each = pytest.mark.parametrize("importer", IMPORTERS.values(), ids=IMPORTERS)


@each
def test_it_says_what_it_reads_and_what_each_argument_is(importer: Importer):
    assert importer.name.isidentifier()
    assert importer.summary[0].isupper()
    assert importer.summary.endswith(".")
    source, *options = importer.arguments.values()
    assert get_args(source.annotation)[0] is Path
    assert source.kind is Parameter.POSITIONAL_OR_KEYWORD
    assert all(option.kind is Parameter.KEYWORD_ONLY for option in options)
    assert all(get_args(argument.annotation)[1].endswith(".") for argument in (source, *options))
    assert importer.parameters.keys() - importer.arguments.keys() <= {"store", "on_progress"}


@each
def test_its_command_has_an_option_for_each_argument(importer: Importer):
    text = kallos_ok("ingest", importer.name, "--help").out
    assert importer.summary.split()[0] in text
    _, *options = importer.arguments
    assert [name for name in options if f"--{name.replace('_', '-')}" not in text] == []


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number in range(6):
        write_photo(tmp_path / "photos" / f"p{number}.png", number)
    file = tmp_path / "scores.csv"
    file.write_text("image,score\n" + "\n".join(f"p{number}.png,{number + 1}" for number in range(6)))
    return file


def test_python_takes_what_the_command_takes(table: Path, tmp_path: Path):
    store = tmp_path / "s.duckdb"
    readings: list[TableReading] = []
    options = {"images": str(tmp_path / "photos"), "scale": (1, 7)}
    tried = kallos.ingest("table", str(table), str(store), on_reading=readings.append, dry_run=True, **options)
    assert (tried.summary, tried.reading, store.exists()) == (None, readings[0], False)
    recipe = tmp_path / "recipe.json"
    ingested = kallos.ingest("table", str(table), str(store), save_recipe=str(recipe), **options)
    assert (ingested.summary.images, ingested.summary.scored) == (6, 6)
    again = kallos.ingest("table", table, store, images=tmp_path / "photos", recipe=recipe)
    assert set(again.summary.changed.values()) == {0}
    with kallos.open_store(store) as opened:
        assert opened.value("SELECT max(score) FROM scores") == pytest.approx(1 + 4 * 5 / 6)


def test_what_an_importer_does_not_know_is_refused_with_what_it_knows(table: Path, tmp_path: Path):
    store = tmp_path / "s.duckdb"
    with pytest.raises(UsageError, match="no importer 'csv': choose from scut, mebeauty, table, photos, demo"):
        kallos.ingest("csv", table, store)
    with pytest.raises(UsageError, match="photos has no option 'images': it has name"):
        kallos.ingest("photos", table, store, images="photos")
    with pytest.raises(UsageError, match="table needs images"):
        kallos.ingest("table", table, store)
    with pytest.raises(UsageError, match="19 portraits are too few"):
        kallos.ingest("demo", tmp_path / "portraits", store, count=19)
    with pytest.raises(UsageError, match="choose another --name"):
        kallos.ingest("photos", tmp_path / "photos", store, name="mebeauty")
    assert not store.exists()
