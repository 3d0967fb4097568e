"""Photos that are not there, for a while: nothing is recorded of a folder, and single photos are tried again."""

from __future__ import annotations

import errno
import io
import os
import shutil
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from extractors.decode import decode
from extractors.errors import InputError
from featurestore.errors import FolderGoneError
from featurestore.ingest.dataset import write
from featurestore.opening import open_store
from featurestore.store import Store
from kallos.engines import pool
from kallos.engines.extraction import extract
from kallos.engines.workers import Task, _extract, _WorkerState
from kallos.portraits.dataset import write_demo
from kallos.workflows.plan import plan_report
from kallos.workflows.progress import ignore
from reports.pages.plan import PlanReport, render
from tests.command import kallos, kallos_ok
from tests.hostile.powers import with_the_rights_of_others
from tests.ingest_files import read_scores
from tests.test_pipeline import MeanColour, no_half_row

PHOTOS = 6


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    write_demo(folder, PHOTOS, 0, lambda *_: None)
    return folder / "images"


@pytest.fixture
def photos(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "disk" / "photos"))


def ingest(store: Store, photos: Path, name: str = "mine") -> None:
    labels = photos.parent / f"{name}.csv"
    labels.write_text("image,score\n" + "".join(f"{photo.name},3\n" for photo in sorted(photos.iterdir())))
    write(store, read_scores(labels, photos, name))


@pytest.fixture
def store(photos: Path, tmp_path: Path):
    with open_store(tmp_path / "s.duckdb") as opened:
        ingest(opened, photos)
        yield opened


def ledger(store: Store) -> pl.DataFrame:
    return store.frame("SELECT sha256, extractor, status, detail FROM attempts ORDER BY ALL")


def plan(store: Store) -> tuple[PlanReport, str]:
    """The plan, and what people read of it."""
    report, console = plan_report(store), Console(file=io.StringIO(), width=200)
    console.print(render(report))
    return report, " ".join(console.file.getvalue().split())


@pytest.mark.parametrize("leave_empty", [False, True], ids=["gone", "mount point"])
def test_a_folder_that_is_not_there_records_nothing(leave_empty: bool, store: Store, photos: Path):
    photos.rename(photos.with_name("away"))
    if leave_empty:
        photos.mkdir()
    with pytest.raises(FolderGoneError, match=f"The folder {photos} of a data set is not there"):
        extract(store, [MeanColour()], ignore)
    assert ledger(store).is_empty()
    shutil.rmtree(photos, ignore_errors=True)
    photos.with_name("away").rename(photos)
    assert extract(store, [MeanColour()], ignore).processed == PHOTOS


def test_the_command_ends_with_code_3_and_forgets_nothing_even_when_it_should_retry(photos: Path, tmp_path: Path):
    path = tmp_path / "s.duckdb"
    (photos / "broken.jpg").write_bytes(b"no photo")
    with open_store(path) as store:
        ingest(store, photos)
    options = ("--store", path)
    kallos_ok("extract", "--encoder", "mobilenet_v3_small", "--weights", "none", *options)
    with open_store(path) as store:
        before = ledger(store)
    (photos.parent / "photos").rename(photos.parent / "away")
    answer = kallos("extract", "--retry-failed", *options)
    assert answer.code == InputError.exit_code
    assert answer.err.splitlines()[-1].startswith(f"kallos: The folder {photos} of a data set is not there")
    with open_store(path) as store:
        assert ledger(store).equals(before)
    assert kallos("extract", *options).code == 0, "all that can be done is done"
    with open_store(path) as store:
        report, _ = plan(store)
    assert (report.absent, report.lines[0].failed) == ((), 1)


def test_a_folder_that_goes_away_meanwhile_stops_the_run_and_records_nothing_of_it(
    store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pool, "WAITING", 1)

    def unplugged(done: int, total: int, what: str) -> None:
        if photos.exists():
            photos.rename(photos.with_name("away"))

    with pytest.raises(FolderGoneError):
        extract(store, [MeanColour()], unplugged)
    assert set(ledger(store)["status"]) == {"ok"}
    no_half_row(store)
    photos.with_name("away").rename(photos)
    extract(store, [MeanColour()], ignore)
    assert store.value("SELECT count(*) FROM landmarks") == PHOTOS


def test_another_data_set_that_has_the_photos_too_will_do(store: Store, photos: Path, tmp_path: Path):
    copy = Path(shutil.copytree(photos, tmp_path / "other" / "photos"))
    ingest(store, copy, "other")
    shutil.rmtree(photos)
    assert extract(store, [MeanColour()], ignore).failed == 0


def test_a_photo_that_was_missing_is_tried_again_as_soon_as_it_is_there(store: Store, photos: Path, tmp_path: Path):
    first, second, third, *_ = sorted(photos.iterdir())
    first.rename(tmp_path / "elsewhere")
    shutil.copy(third, second)
    assert extract(store, [], ignore).failed == 2
    assert extract(store, [], ignore).processed == 0, "still missing: there is nothing to try"
    report, message = plan(store)
    assert (report.lines[0].failed, report.lines[0].again) == (2, 0)
    assert "`kallos extract --retry-failed` tries failed photos" in message

    (tmp_path / "elsewhere").rename(first)
    report, message = plan(store)
    landmarks = report.lines[0]
    assert (landmarks.failed, landmarks.missing, landmarks.again) == (1, 1, 1)
    assert "1 photo could not be read before and can be now: `kallos extract` tries it again." in message
    assert extract(store, [], ignore).processed == 1
    failed = ledger(store).filter(pl.col("status") != "ok")
    assert failed["status"].to_list() == ["changed"]
    no_half_row(store)


def test_plan_names_a_folder_that_is_not_there(store: Store, photos: Path, tmp_path: Path):
    extract(store, [], ignore)
    store.execute("DELETE FROM attempts WHERE extractor = 'skin'")
    assert plan(store)[0].absent == ()
    shutil.rmtree(photos)
    report, message = plan(store)
    assert report.absent == (str(photos),)
    assert f"{photos} is not there" in message


def test_what_the_system_cannot_read_is_missing_and_not_damaged(photos: Path, monkeypatch: pytest.MonkeyPatch):
    photo = min(photos.iterdir())
    task = partial(Task, "0" * 64, [str(photo)], [str(photos)], ["landmarks"])
    monkeypatch.setattr(_WorkerState, "encoders", {}, raising=False)
    photo.chmod(0)
    with with_the_rights_of_others():
        with pytest.raises(InputError, match="may not be read"):
            decode(photo)
        photos.chmod(0)
        with pytest.raises(InputError):
            decode(photo)
        photos.chmod(0o755)
        assert [a.status for a in _extract(task()).attempts] == ["missing"]
    photo.chmod(0o644)

    def stale(self: Path, *_: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self))

    monkeypatch.setattr(Path, "open", stale)
    with pytest.raises(InputError, match=r"cannot be read \(Stale file handle\)"):
        decode(photo)
    (answer,) = _extract(task()).attempts
    assert answer.status == "missing"
    assert str(photos) not in answer.detail
    shutil.rmtree(photos)
    with pytest.raises(FolderGoneError):
        _extract(task())
