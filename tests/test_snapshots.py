"""Readers beside a writer: they get the newest snapshot, are told its age, and the writer never waits for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import kallos
from featurestore import connection, snapshots
from featurestore.errors import StoreError
from featurestore.opening import open_store
from featurestore.store import Store
from tests.command import kallos as kallos_command
from tests.command import kallos_ok
from tests.synthetic_store import make_store
from tests.waiting import wait_until

WRITER = """
import sys
from pathlib import Path
from featurestore.opening import open_store
with open_store(Path(sys.argv[1])) as store:
    if sys.argv[2] == "publish":
        store.publish()
    print("open", flush=True)
    for line in sys.stdin:
        store.execute("BEGIN") if line == "begin\\n" else None
        store.execute("DELETE FROM scores WHERE image_id = 'made-up/0000.png'")
        if line == "publish\\n":
            store.publish()
        print("done", flush=True)
"""


class Writer:
    """Another process that holds the store."""

    def __init__(self, path: Path, publish: str = "publish") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), publish], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "open\n"

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def tell(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_store(tmp_path / "s.duckdb").close()
    return tmp_path / "s.duckdb"


def scores(store: Store) -> int:
    return int(store.value("SELECT count(*) FROM scores"))


def test_every_reader_works_on_a_snapshot_and_says_its_age(path):
    with Writer(path) as writer:
        count = kallos_ok("sql", "SELECT count(*) AS n FROM scores", "--json", "--store", path)
        assert count.json() == [{"n": 80}]
        for arguments in (
            ("report", "dataset"),
            ("plan",),
            ("tables",),
            ("check",),
            ("verify", "made-up-2fold-1-b-00000003"),
        ):
            message = " ".join(kallos_command(*arguments, "--store", path).err.split())
            assert f"process {writer.process.pid}" in message, arguments
            assert "snapshot of" in message
        with pytest.warns(UserWarning, match="snapshot of"):
            store = kallos.open_store(path)
        with store:
            assert scores(store) == 80
            assert datetime.now(UTC) - store.snapshot_of < timedelta(minutes=1)


def test_a_snapshot_is_what_was_committed_and_stays_that(path):
    """A reader that is open keeps its state while the writer goes on and publishes the next one."""
    with Writer(path) as writer:
        writer.tell("begin")
        with open_store(path, read_only=True) as during:
            assert scores(during) == 80, "what is not committed is not seen"
    with Writer(path) as writer, open_store(path, read_only=True) as before:
        writer.tell("publish")
        assert scores(before) == 80
        with open_store(path, read_only=True) as after:
            assert scores(after) == 79
            assert after.snapshot_of > before.snapshot_of
        assert len(snapshots.files(path)) == 1, "earlier snapshots are dropped"
    assert snapshots.files(path) == [], "none is left when the writer is done"
    with kallos.open_store(path) as store:
        assert store.snapshot_of is None
        assert scores(store) == 79


def test_a_second_writer_is_told_who_holds_the_store(path):
    with Writer(path) as writer, pytest.raises(StoreError, match=f"in use by process {writer.process.pid}"):
        open_store(path)


def test_the_holder_is_named_as_people_typed_it(workspace, tmp_path):
    """`kallos extract`, not `python3.11`."""
    out = tmp_path / "s.duckdb"
    workspace.ingest(out)
    command = [
        str(Path(sys.executable).with_name("kallos")),
        "extract",
        "--encoder",
        "mobilenet_v3_small",
        "--weights",
        "none",
        "--store",
        str(out),
    ]
    extract = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: snapshots.files(out), extract)
        with pytest.raises(StoreError, match=rf"process {extract.pid} \(kallos extract\)"):
            open_store(out)
        answer = kallos_ok("sql", "SELECT count(*) AS n FROM images", "--json", "--store", out)
        assert answer.json() == [{"n": 120}]
        assert "kallos extract" in answer.err
    finally:
        extract.terminate()
        extract.wait()


def test_a_reader_has_patience_with_a_writer_that_publishes_nothing(path, monkeypatch):
    with Writer(path, "silent") as writer:
        monkeypatch.setattr(connection, "PATIENCE_SECONDS", 0.2)
        with pytest.raises(StoreError, match=str(writer.process.pid)):
            open_store(path, read_only=True)
        monkeypatch.setattr(connection, "PATIENCE_SECONDS", 30.0)
        subprocess.Popen(["sleep", "0"]).wait()
        writer.process.stdin.close()
        with open_store(path, read_only=True) as store:
            assert store.snapshot_of is None


def test_snapshots_of_a_killed_writer_are_not_read_and_go_with_the_next(path):
    writer = Writer(path)
    writer.process.kill()
    writer.process.wait()
    writer.process.stdin.close()
    writer.process.stdout.close()
    assert snapshots.files(path)
    with open_store(path, read_only=True) as store:
        assert store.snapshot_of is None
    open_store(path).close()
    assert snapshots.files(path) == []


def test_a_disk_without_room_for_a_snapshot_does_not_stop_the_writer(path, monkeypatch):
    with pytest.raises(StoreError, match="make room"):
        snapshots.copy_held_file(path, path.parent / "no" / "such" / "folder")
    with open_store(path) as store:
        store.publish()
        (before,) = snapshots.files(path)

        def full(source: Path, target: Path) -> None:
            target.write_bytes(b"half")
            target.unlink()
            raise StoreError("no space left")

        monkeypatch.setattr(snapshots, "copy_held_file", full)
        store.publish()
        assert snapshots.files(path) == [before], "readers keep the snapshot before"


def test_the_models_of_a_store_predict_beside_a_writer(workspace, tmp_path):
    path = tmp_path / "s.duckdb"
    shutil.copy(workspace.store, path)
    shutil.copytree(workspace.store.with_suffix(".runs"), path.with_suffix(".runs"))
    with Writer(path):
        answer = kallos_ok("score", workspace.portrait, "--json", "--store", path)
    assert "score" in answer.out
    assert "snapshot of" in " ".join(answer.err.split())
