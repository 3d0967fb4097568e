"""A disk that is full in the middle of a command: one sentence with exit code 15, and the same command goes on later.

/dev/full stands for a file on a full disk; a real one needs the right to mount. `make faults` fills one in every command.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.full_disk import leave, small_disk
from featurestore.opening import open_store
from featurestore.upkeep.health import examine
from featurestore.upkeep.invariants import examine_deeply
from tests.command import Answer, kallos, kallos_ok
from tests.conftest import Workspace
from tests.synthetic_store import DATA_SET, make_store

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def names_full_disk(answer: Answer) -> bool:
    return answer.code == 15 and answer.err.splitlines()[-1].startswith("kallos: A disk is full: make room")


def test_an_erasure_without_its_receipt_is_not_finished(tmp_path):
    path, receipt = tmp_path / "s.duckdb", tmp_path / "receipt.json"
    make_store(path).close()
    erase = ("erase", f"{DATA_SET}/0001.png", "--store", path, "--receipt")
    assert names_full_disk(kallos(*erase, FULL))
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT count(*) FROM erasures WHERE NOT finished") == 1
    kallos_ok(*erase, receipt)
    assert receipt.exists()
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT count(*) FROM erasures WHERE NOT finished") == 0


def test_what_people_asked_to_be_written_is_not_said_to_be(workspace: Workspace, tmp_path: Path):
    (tmp_path / f"{workspace.portrait.stem}_overlay.png").symlink_to(FULL)
    score = kallos("score", workspace.portrait, "--bundle", workspace.bundle, "--overlay", tmp_path)
    assert names_full_disk(score)
    assert "wrote" not in score.err
    assert names_full_disk(kallos("report", "dataset", "--html", FULL, "--store", workspace.store))


@pytest.mark.parametrize("room", [4096, 262_144])
def test_a_store_on_a_full_disk_stays_whole_and_goes_on(tmp_path, room):
    photos = tmp_path / "s.photos"
    make_store(tmp_path / "s.duckdb").close()
    (tmp_path / "more.csv").write_text("image,score\n" + "".join(f"{p.name},3\n" for p in photos.iterdir()))
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("this user may not mount a disk")
        path = disk / "s.duckdb"
        make_store(path).close()
        for arguments in (
            ("ingest", "table", tmp_path / "more.csv", "--images", photos, "--scale", 1, 5),
            ("compact",),
        ):
            with leave(room, disk):
                answer = kallos(*arguments, "--store", path)
            assert answer.code == 0 or names_full_disk(answer), answer.err
            assert room > 4096 or answer.code, "without room nothing can be written"
            assert {symptom.state for symptom in [*examine(path), *examine_deeply(path)]} <= {"ok", "warn"}
            kallos_ok(*arguments, "--store", path)
        with open_store(path, read_only=True) as store:
            assert store.value("SELECT count(*) FROM images") == 160
        assert not list(disk.glob(".s.duckdb.*"))
