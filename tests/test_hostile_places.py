"""Full disks and places that cannot be written: one sentence, and what was there stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from featurestore.errors import DiskError
from featurestore.opening import open_store
from models.serialization import write_model
from tests.command import kallos
from tests.conftest import Workspace
from tests.hostile.powers import with_the_rights_of_others
from tests.hostile.tables import PHOTOS
from tests.ingest_files import write_photo
from tests.synthetic_store import make_store

MIB = 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as refused:
        pytest.skip(f"no file system may be mounted here: {refused}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, but: int) -> None:
    """Leave so many bytes of room."""
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - but)


def content(store: Path) -> list[tuple[object, ...]]:
    with open_store(store, read_only=True) as opened:
        return opened.frame("SELECT * FROM scores ORDER BY image_id").rows()


@pytest.mark.parametrize("command", [("compact",), ("duplicates",)])
def test_a_full_disk_is_one_sentence_and_the_store_stays(command: tuple[str, ...], disk: Path):
    store = disk / "s.duckdb"
    make_store(store).close()
    before, files = content(store), {path.name for path in disk.iterdir()}
    fill(disk, but=40_000)
    answer = kallos(*command, "--store", store)
    assert answer.code in (DiskError.exit_code, 7), answer.err
    assert answer.err.splitlines()[-1].startswith("kallos: ")
    (disk / "filler").unlink()
    assert content(store) == before
    assert {path.name for path in disk.iterdir()} - {"s.duckdb.wal"} == files
    assert kallos("compact", "--store", store).code == 0, "with room again it goes on"


def test_an_ingest_on_a_full_disk_leaves_what_was_there(disk: Path, tmp_path: Path):
    store, csv = disk / "s.duckdb", tmp_path / "labels.csv"
    make_store(store).close()
    before = content(store)
    for number, name in enumerate(PHOTOS):
        write_photo(tmp_path / "photos" / name, number)
    csv.write_text("image,rater,score\n" + "".join(f"p{i % 2}.png,{'r' * 40}{i},3\n" for i in range(50_000)))
    fill(disk, but=20_000)
    answer = kallos("ingest", "table", csv, "--images", tmp_path / "photos", "--scale", 1, 5, "--store", store)
    assert answer.code == DiskError.exit_code
    (disk / "filler").unlink()
    assert content(store) == before


def test_a_model_on_a_full_disk_is_an_os_error(disk: Path):
    with pytest.raises(OSError, match="No space left"):
        write_model(disk / "model", {"kind": "x"}, {"w": np.zeros(32 * MIB, np.float32)})
    assert not (disk / "model" / "model.json").exists(), "a folder with a description is complete"


def test_an_overlay_on_a_full_disk_is_not_called_written(disk: Path, workspace: Workspace):
    fill(disk, but=0)
    answer = kallos("score", workspace.portrait, "--bundle", workspace.bundle, "--overlay", disk / "overlays")
    assert answer.code == DiskError.exit_code
    assert "wrote" not in answer.err


def test_a_bundle_on_a_full_disk_leaves_nothing(disk: Path, workspace: Workspace):
    fill(disk, but=4 * MIB)
    answer = kallos("export", disk / "bundle", "--store", workspace.store)
    assert answer.code == DiskError.exit_code
    assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path, workspace: Workspace):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with with_the_rights_of_others():
        for command in (
            ("export", closed / "bundle", "--store", workspace.store),
            ("score", workspace.portrait, "--bundle", workspace.bundle, "--overlay", closed / "overlays"),
            ("report", "overview", "--html", closed / "r.html", "--store", workspace.store),
            ("ingest", "demo", closed / "portraits", "--count", "40", "--store", tmp_path / "s.duckdb"),
            ("store", "export", closed / "exported", "--store", workspace.store),
            ("compact", "--store", closed / "s.duckdb"),
        ):
            answer = kallos(*command)
            assert answer.code in (2, 3, 6, 9), (command, answer.err)
            assert answer.err.splitlines()[-1].startswith("kallos: ")
    assert list(closed.iterdir()) == []
