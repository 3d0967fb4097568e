"""Streams of other encodings, streams that nobody reads, and streams that are closed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kallos.cli.streams import OUTPUT_CLOSED, plain
from reports.registry import PAGES
from tests.command import Answer, kallos
from tests.crossed import crossed
from tests.synthetic_store import make_store, train_fold
from tests.test_named_commands import PACKAGES, ROOT, messages

ENCODINGS = ("ascii", "latin-1", "cp1252", "cp437")
NAME = "你 – José 😀"
"""No encoding of a byte a character can write it."""

COMMANDS = (
    *(("report", name) for name in PAGES),
    ("plan",),
    ("check",),
    ("doctor",),
    ("tables",),
    ("features",),
    ("features", "jaw_width"),
    ("similar", "0001.png", "--by", "geometry"),
    ("duplicates",),
    ("sql", "FROM images LIMIT 3"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "s.duckdb"
    with make_store(path, 48) as store:
        train_fold(store, 2, np.random.default_rng(5))
        store.execute("UPDATE images SET subset = $name WHERE subset = 'AF'", name=NAME)
        # what kallos plan asks for lies beside a real store
        store.execute("DELETE FROM extractor_versions WHERE extractor = 'embedding:tiny'")
    return path


@pytest.fixture(scope="module")
def in_utf8(store: Path, reports_once: None) -> Callable[[tuple[str, ...]], Answer]:
    """What a command answers where every character can be written."""
    return cache(lambda command: kallos(*command, "--store", store))


@pytest.mark.parametrize(("command", "encoding"), crossed(COMMANDS, ENCODINGS, every=4, named=" ".join))
def test_every_character_is_written_somehow(
    command: tuple[str, ...], encoding: str, store: Path, in_utf8: Callable[[tuple[str, ...]], Answer]
):
    answer, expected = kallos(*command, "--store", store, encoding=encoding), in_utf8(command)
    assert answer.code == expected.code
    assert len(answer.out.splitlines()) == len(expected.out.splitlines())
    assert "\\u25" not in answer.out, "what is drawn has a plain form"


IN_JSON = (
    ("report", "dataset", "--json"),
    ("report", "evaluation", "--json"),
    ("sql", "SELECT image_id, subset FROM images", "--json"),
    ("tables", "--json"),
)


@pytest.mark.parametrize(("command", "encoding"), crossed(IN_JSON, ENCODINGS, every=4, named=" ".join))
def test_json_says_the_same_in_every_encoding(
    command: tuple[str, ...], encoding: str, store: Path, in_utf8: Callable[[tuple[str, ...]], Answer]
):
    answer = kallos(*command, "--store", store, encoding=encoding)
    assert rounded(answer.json()) == rounded(in_utf8(command).json())


def rounded(value: Any) -> Any:
    """The last digits of a sum depend on the order of its terms, which DuckDB leaves open."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 9) if isinstance(value, float) else value


def test_errors_are_written_too(tmp_path: Path):
    answer = kallos("plan", "--store", tmp_path / NAME, encoding="ascii")
    assert answer.code == 6
    assert "\\u4f60" in answer.err
    assert answer.err.isascii()


def test_all_that_is_drawn_has_a_plain_form():
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    used = {character for path in modules for text in messages(path) for character in text if character.isprintable()}
    drawn = {character for character in used if not character.isascii() and not character.isalpha()} - set("📐�⠀")
    assert len(drawn) > 20
    for character in drawn:
        assert plain(character, "ascii").isascii(), f"{character} of U+{ord(character):04X}"
        assert plain(character, "utf-8") == character
    assert plain("⠀⡇⣿é你", "ascii") == " :#é你"
    assert plain("± …é", "latin-1") == "± ~é"


def run(*arguments: object, **streams: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "kallos", *map(str, arguments)], **streams)


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("report", "--help"),
        ("report", "evaluation"),
        ("report", "features", "--json"),
        ("sql", "FROM ratings", "--csv", "-"),
        ("tables", "--json"),
    ],
    ids=" ".join,
)
def test_nobody_reads_the_output(command: tuple[str, ...], store: Path):
    options = () if "--help" in command else ("--store", store)
    process = run(*command, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait() == OUTPUT_CLOSED
    assert errors == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_leads_nowhere(closed: str, store: Path):
    before = store.read_bytes()
    command = f'"{sys.executable}" -m kallos report overview --store "{store}" {closed}'
    answer = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert answer.returncode == 0
    assert b"Traceback" not in answer.stderr
    assert store.read_bytes() == before


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_the_encoding_that_the_environment_asks_for(encoding: str, store: Path):
    environment = {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "60"}
    process = run(
        "report", "dataset", "--store", store, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Data" in out.decode(encoding)
