"""Two processes at one store: the second waits or is told in a sentence, with exit code 6, and nothing is lost."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from featurestore.errors import StoreError
from featurestore.opening import open_store
from featurestore.upkeep import compacting, erasure
from featurestore.upkeep.compacting import compact, rewrite
from featurestore.upkeep.erasure import erase
from tests.command import kallos
from tests.synthetic_store import DATA_SET, make_store

HOLDER = """
import sys
from pathlib import Path
from featurestore.opening import open_store
with open_store(Path(sys.argv[1]), read_only=sys.argv[2] == "reads"):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held(path: Path, how: str = "writes"):
    """Another process that has the store open."""
    command = [sys.executable, "-c", HOLDER, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_store(tmp_path / "s.duckdb").close()
    return tmp_path / "s.duckdb"


def rows(path: Path) -> int:
    with open_store(path, read_only=True) as store:
        return int(store.value("SELECT count(*) FROM images"))


@pytest.mark.parametrize("how", ["writes", "reads"])
def test_every_second_writer_is_told_who_holds_the_store(path, tmp_path, how):
    photos = path.with_suffix(".photos")
    (tmp_path / "more.csv").write_text("image,score\n" + "".join(f"{p.name},3\n" for p in photos.iterdir()))
    with held(path, how) as process:
        for arguments in (
            ("ingest", "table", tmp_path / "more.csv", "--images", photos, "--scale", 1, 5),
            ("extract", "--encoder", "mobilenet_v3_small", "--weights", "none"),
            ("train", "all"),
            ("compact",),
            ("erase", f"{DATA_SET}/0001.png"),
        ):
            answer = kallos(*arguments, "--store", path)
            assert answer.code == 6, arguments
            assert f"in use by process {process.pid}" in answer.err
            assert len(answer.err.strip().splitlines()) == 1
    assert rows(path) == 80


def test_commands_that_begin_a_store_at_once_lose_nothing(path, tmp_path):
    """Of those that come too late each is told so; typed again, they add theirs."""
    photos, store = path.with_suffix(".photos"), tmp_path / "new.duckdb"
    waiting = []
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text("image,score\n" + "".join(f"{p.name},3\n" for p in photos.iterdir()))
        command = ["ingest", "table", tmp_path / f"{name}.csv", "--images", photos, "--scale", 1, 5, "--store", store]
        waiting.append([sys.executable, "-m", "kallos", *map(str, command)])
    finished = []
    while waiting:
        processes = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for command in waiting
        ]
        errors = [process.communicate()[1] for process in processes]
        assert {process.returncode for process in processes} <= {0, 6}, errors
        finished += [command for command, process in zip(waiting, processes, strict=True) if process.returncode == 0]
        waiting = [command for command in waiting if command not in finished]
    assert rows(store) == 3 * 80


def test_a_store_that_another_process_is_making_is_not_taken_for_an_empty_file(tmp_path):
    """Between making the file and writing into it, DuckDB holds its lock and the file is empty."""
    path = tmp_path / "s.duckdb"
    making = f"import fcntl, sys; f = open({str(path)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", making], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        inode = path.stat().st_ino
        with pytest.raises(StoreError, match="being made by another process"):
            open_store(path)
        assert path.stat().st_ino == inode
        process.stdin.close()
    open_store(path).close()
    assert rows(path) == 0


def test_whoever_comes_between_the_steps_of_compact_or_erase_is_let_in_and_the_command_goes_on_later(path, monkeypatch):
    """Both let go of the store between deleting rows and rewriting the file."""

    def between(path: Path) -> None:
        with held(path):
            rewrite(path)

    for module, command in (
        (compacting, lambda: compact(path)),
        (erasure, lambda: erase(path, [f"{DATA_SET}/0001.png"], lambda receipt: None)),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, "rewrite", between)
            with pytest.raises(StoreError, match="in use by process"):
                command()
        command()
        assert not list(path.parent.glob(f".{path.name}.*"))
    assert rows(path) == 79


@pytest.mark.parametrize("command", ["compact", "erase"])
def test_a_reader_during_compact_or_erase_reads_before_or_after_or_is_told_to_wait(path, command):
    line = [sys.executable, "-m", "kallos", command, *([f"{DATA_SET}/0001.png"] if command == "erase" else [])]
    counts = set[int]()
    with subprocess.Popen([*line, "--store", str(path)], stdout=subprocess.DEVNULL) as writer:
        while writer.poll() is None:
            answer = kallos("sql", "SELECT count(*) AS n FROM images", "--json", "--store", path)
            assert answer.code in (0, 6)
            counts |= {answer.json()[0]["n"]} if answer.code == 0 else set()
    # a reader holds the store too: the writer may have come at that moment
    assert writer.returncode in (0, 6)
    assert counts <= {80, 79}
