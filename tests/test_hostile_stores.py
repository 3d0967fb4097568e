"""Stores of `tests/hostile/stores.py`: refused in one sentence by readers and writers, and left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.errors import InputError
from featurestore.errors import StoreError
from featurestore.opening import open_store
from tests.command import kallos
from tests.hostile.stores import DAMAGED, REFUSED, changed
from tests.synthetic_store import make_store


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.duckdb"
    make_store(path).close()
    return path


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.mark.parametrize("story", REFUSED)
def test_what_is_no_store_of_this_kallos_is_refused_and_kept(story: str, sound: Path, tmp_path: Path):
    path = changed(sound, tmp_path, REFUSED[story])
    before, files = content(path), sorted(tmp_path.iterdir())
    for is_read in (True, False):
        with pytest.raises(StoreError) as refused:
            open_store(path, read_only=is_read)
        assert str(path) in str(refused.value)
        assert content(path) == before
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize("story", ["a header alone", "another program's tables", "a folder", "a version in words"])
@pytest.mark.parametrize("command", [("report",), ("sql", "SELECT 1"), ("compact",), ("plan",), ("doctor",)])
def test_commands_refuse_it_in_one_sentence(story: str, command: tuple[str, ...], sound: Path, tmp_path: Path):
    path = changed(sound, tmp_path, REFUSED[story])
    answer = kallos(*command, "--store", path)
    if command == ("doctor",):
        assert answer.code == 11
        return
    assert answer.code == StoreError.exit_code, answer.err
    assert answer.err.startswith("kallos: ")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    "story",
    [pytest.param(story, marks=pytest.mark.long if story.endswith(("40%", "60%")) else ()) for story in DAMAGED],
)
def test_a_damaged_block_is_a_sentence_wherever_it_is_met(story: str, sound: Path, tmp_path: Path):
    path = changed(sound, tmp_path, DAMAGED[story])
    for command in (
        ("report",),
        ("report", "dataset"),
        ("check",),
        ("sql", "FROM ratings"),
        ("compact",),
        ("doctor", "--deep"),
    ):
        answer = kallos(*command, "--store", path)
        assert answer.code in (0, StoreError.exit_code, 10, 11), (command, answer.err)
        assert "Traceback" not in answer.err


def test_a_store_in_a_place_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").touch()
    answer = kallos("report", "--store", tmp_path / "file" / "s.duckdb")
    assert answer.code in (InputError.exit_code, StoreError.exit_code)
