"""Extraction that is stopped, killed or struck by a dying worker goes on, and ends with the rows of one that was not."""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from extractors.catalogue import GEOMETRIC, Feature
from extractors.values import outputs
from featurestore.ingest.dataset import write
from featurestore.ingest.demo import read_demo
from featurestore.opening import open_store
from featurestore.outputs import active_versions
from featurestore.store import Store
from featurestore.versions import rollback
from kallos.engines import local, pool
from kallos.engines.extraction import Extracted, extract
from kallos.portraits.dataset import write_demo
from kallos.workflows.progress import ignore
from tests.ingest_files import read_scores

VIEWS = ("landmarks", "geometric_features", "shapes", "fingerprints", "embeddings")
EXTRACTORS = 6
IMAGES = 24


def stopped(done: int, total: int, what: str, *, at: int) -> None:
    """Ctrl-C when so many are done."""
    if done == at:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class MeanColour:
    """An encoder of one line, so that only the pass itself is tested. `dies_of` is a mean red that kills the worker."""

    name: str = "mean_colour"
    weights: str = "none"
    weights_sha256: str = "-"
    dim: int = 3
    networks: tuple[int, ...] = (1,)
    dies_of: float | None = None

    @property
    def id(self):
        return self.name

    def open(self):
        return self

    def encode(self, face, cells):
        colours = face.mean(axis=(0, 1)).astype(np.float32)
        if self.dies_of is not None and colours[0] == np.float32(self.dies_of):
            ctypes.string_at(0)
        return colours, cells.sum(axis=1)[None]


@pytest.fixture(scope="module")
def portraits(workspace, tmp_path_factory) -> Path:
    """Some of the workspace's: those that are drawn already are not drawn again."""
    folder = tmp_path_factory.mktemp("portraits")
    shutil.copy(workspace.portraits / "drawn.json", folder)
    (folder / "images").mkdir()
    for photo in sorted((workspace.portraits / "images").iterdir())[:IMAGES]:
        shutil.copy(photo, folder / "images")
    write_demo(folder, IMAGES, 0, ignore)
    return folder


@pytest.fixture(scope="module")
def whole(portraits, tmp_path_factory) -> Path:
    """A store that was extracted in one go."""
    path = tmp_path_factory.mktemp("whole") / "s.duckdb"
    with open_store(path) as store:
        write(store, read_demo(portraits))
        assert extract(store, [MeanColour()], ignore) == Extracted(IMAGES, 0, IMAGES)
    return path


@pytest.fixture
def store(portraits, tmp_path):
    """A store of the portraits that nothing is extracted of yet."""
    with open_store(tmp_path / "s.duckdb") as opened:
        write(opened, read_demo(portraits))
        yield opened


@pytest.fixture
def extracted(whole, tmp_path):
    """A copy of the store that was extracted in one go."""
    shutil.copy(whole, tmp_path / "s.duckdb")
    with open_store(tmp_path / "s.duckdb") as opened:
        yield opened


def no_half_row(store: Store) -> None:
    """Each version of an extractor has one row for each photo that its ledger calls ok, and no other."""
    versions = store.frame("SELECT extractor, version, table_name FROM extractor_versions")
    for extractor, version, table in versions.iter_rows():
        ok = store.frame(
            "SELECT sha256 FROM attempts WHERE status = 'ok' AND extractor = $e AND version = $v ORDER BY ALL",
            e=extractor,
            v=version,
        )
        rows = store.frame(f'SELECT sha256 FROM "{table}" ORDER BY ALL')
        assert_frame_equal(ok, rows)
        assert rows["sha256"].is_unique().all()
        assert store.frame(f'SELECT * FROM "{table}"').null_count().sum_horizontal().sum() == 0


def same_rows(one: Path, store: Store) -> None:
    no_half_row(store)
    with open_store(one, read_only=True) as other:
        for view in VIEWS:
            query = f"SELECT * FROM {view} ORDER BY image_id"
            assert_frame_equal(other.frame(query), store.frame(query), check_exact=True)
        ledger = "SELECT * EXCLUDE milliseconds FROM extractions ORDER BY ALL"
        assert_frame_equal(other.frame(ledger), store.frame(ledger))
        assert len(store.frame(ledger)) == EXTRACTORS * IMAGES


def test_ctrl_c_keeps_what_was_answered_and_the_next_run_goes_on(store, whole):
    with pytest.raises(KeyboardInterrupt):
        extract(store, [MeanColour()], partial(stopped, at=10))
    assert store.value("SELECT count(*) FROM landmarks") == 10
    assert extract(store, [MeanColour()], ignore) == Extracted(IMAGES - 10, 0, IMAGES)
    same_rows(whole, store)


CHILD = """
import sys
from pathlib import Path
from kallos.engines import local, pool
from kallos.engines import extraction as pipeline
from featurestore.opening import open_store
from tests.test_pipeline import MeanColour
if __name__ == "__main__":
    local.COMMIT_SECONDS = 0.0
    pipeline.CHUNK = 8
    with open_store(Path(sys.argv[1])) as store:
        pipeline.extract(store, [MeanColour()], lambda done, total, what: print(done, flush=True))
"""


@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.long)])
def test_sigkills_at_random_moments(kills, store, whole, tmp_path):
    """The store opens, has no half row, and in the end the very rows of a run that nobody killed."""
    store.close()
    fresh = tmp_path / "fresh.duckdb"
    shutil.copy(store.path, fresh)
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    moments = random.Random(7)
    killed_at = []
    for _ in range(kills):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen(
            [sys.executable, str(script), str(store.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        for _ in range(moments.randrange(8)):
            child.stdout.readline()
        time.sleep(moments.uniform(0, 0.02))
        os.killpg(child.pid, signal.SIGKILL) if moments.random() < 0.3 else child.kill()
        child.wait()
        child.stdout.close()
        with open_store(store.path) as opened:
            no_half_row(opened)
            killed_at.append(opened.value("SELECT count(*) FROM attempts"))
        if killed_at[-1] == EXTRACTORS * IMAGES:
            shutil.copy(fresh, store.path)
    assert len(set(killed_at)) > kills // 3, "the kills must strike at different moments"
    with open_store(store.path) as opened:
        extract(opened, [MeanColour()], ignore)
        same_rows(whole, opened)


def test_a_worker_that_dies_costs_one_photo(store, whole):
    with open_store(whole, read_only=True) as known:
        image_id, vector = known.frame("SELECT image_id, vector FROM embeddings ORDER BY image_id").row(10)
    deadly = MeanColour(dies_of=vector[0])
    assert extract(store, [deadly], ignore) == Extracted(IMAGES, 1, IMAGES - 1)
    failed = store.frame("SELECT image_id, extractor, status, detail FROM extractions WHERE status <> 'ok'").rows()
    assert failed == [(image_id, "landmarks", "crash", "the worker process died (SIGSEGV)")]
    no_half_row(store)
    assert extract(store, [deadly], ignore) == Extracted()
    assert extract(store, [MeanColour()], ignore, retry_failed=True) == Extracted(1, 0, 1)
    same_rows(whole, store)


def test_no_more_workers_start_than_there_are_photos(monkeypatch):
    started = []

    def count(encoders, processes):
        started.append(processes)
        raise KeyboardInterrupt

    monkeypatch.setattr(local, "Workers", count)
    monkeypatch.setattr(pool, "WORKERS", 5)
    for photos in (1, 5, 9):
        with pytest.raises(KeyboardInterrupt):
            next(local.extract_locally(None, outputs([]), [], iter(range(photos))))
    assert started == [1, 5, 5]


def test_a_worker_has_one_thread_of_opencv():
    """Each worker has a core: more threads cost time and change no bit."""
    with pool.Pool(int, ready=int) as workers:
        assert [threads for _, threads in workers.map(eval, ["__import__('cv2').getNumThreads()"])] == [1]


def test_leaving_an_extraction_leaves_no_process_behind(store):
    import multiprocessing

    store.execute("DELETE FROM images WHERE image_id NOT IN (SELECT image_id FROM images ORDER BY ALL LIMIT 2)")
    extract(store, [MeanColour()], ignore)
    assert multiprocessing.active_children() == []


def test_a_photo_that_changed_on_disk_is_not_taken_for_the_old_one(portraits, tmp_path):
    shutil.copytree(portraits, tmp_path / "portraits")
    images = tmp_path / "portraits" / "images"
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_demo(tmp_path / "portraits"))
        shutil.copy(images / "P0002.jpg", images / "P0001.jpg")
        (images / "P0003.jpg").unlink()
        assert extract(store, [MeanColour()], ignore).failed == 2
        failed = store.frame(
            "SELECT path, status, detail FROM extractions JOIN images USING (image_id) WHERE status <> 'ok'"
        )
        assert sorted(failed["status"]) == ["changed", "missing"]
        assert not failed["detail"].str.contains(str(tmp_path)).any(), "a path leaked into the ledger"


def test_two_identical_photos_are_computed_once_and_stand_under_both_names(portraits, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg", "sub.jpg"):
        shutil.copy(portraits / "images" / ("P0001.jpg" if name != "sub.jpg" else "P0002.jpg"), photos / name)
    labels = tmp_path / "labels.csv"
    labels.write_text("image,score\na.jpg,3\nb.jpg,3\nsub.jpg,4\n")
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_scores(labels, photos, "mine"))
        assert extract(store, [MeanColour()], ignore).processed == 2
        rows = store.frame("SELECT image_id, jaw_width FROM geometric_features ORDER BY image_id")
        assert rows["image_id"].to_list() == ["mine/a.jpg", "mine/b.jpg", "mine/sub.jpg"]
        assert rows["jaw_width"][0] == rows["jaw_width"][1] != rows["jaw_width"][2]


def test_a_moved_or_renamed_data_set_recomputes_nothing(extracted, portraits, tmp_path):
    shutil.copytree(portraits, tmp_path / "moved")
    (tmp_path / "moved" / "images" / "P0007.jpg").rename(tmp_path / "moved" / "images" / "P9007.jpg")
    for file in ("ratings.csv", "parameters.csv"):
        text = (tmp_path / "moved" / file).read_text()
        (tmp_path / "moved" / file).write_text(text.replace("P0007", "P9007"))
    before = extracted.frame("SELECT * EXCLUDE image_id FROM geometric_features ORDER BY ALL")
    write(extracted, read_demo(tmp_path / "moved"))
    assert extract(extracted, [MeanColour()], ignore) == Extracted()
    assert extracted.value("SELECT count(*) FROM landmarks WHERE image_id = 'demo/P9007.jpg'") == 1
    assert_frame_equal(extracted.frame("SELECT * EXCLUDE image_id FROM geometric_features ORDER BY ALL"), before)


def test_a_changed_formula_measures_stored_landmarks_again_and_can_be_rolled_back(extracted, monkeypatch):
    """Neither a landmarker nor an encoder runs: no worker is started at all."""
    before = extracted.frame("SELECT * FROM geometric_features ORDER BY image_id")
    first = active_versions(extracted)
    now = GEOMETRIC["jaw_width"]
    changed = Feature(replace(now.definition, version=2), lambda face: 2 * now.measure(face))
    monkeypatch.setitem(GEOMETRIC, "jaw_width", changed)
    monkeypatch.setattr(local, "Workers", None)

    assert extract(extracted, [MeanColour()], ignore) == Extracted(0, 0, IMAGES)
    after = extracted.frame("SELECT * FROM geometric_features ORDER BY image_id")
    assert_frame_equal(after, before.with_columns(pl.col("jaw_width") * 2), check_exact=True)
    assert extracted.value("SELECT version FROM feature_catalog WHERE feature = 'jaw_width'") == 2
    second = active_versions(extracted)
    assert {name for name in first if first[name] != second[name]} == {"geometry"}

    assert rollback(extracted, "geometry") == {"geometry": first["geometry"]}
    assert_frame_equal(extracted.frame("SELECT * FROM geometric_features ORDER BY image_id"), before)
    assert extracted.value("SELECT version FROM feature_catalog WHERE feature = 'jaw_width'") == 1
    assert rollback(extracted, "geometry") == {"geometry": second["geometry"]}


def test_a_new_version_is_shown_when_it_is_whole(extracted):
    versions = active_versions(extracted)
    newer = MeanColour(weights_sha256="other")

    with pytest.raises(KeyboardInterrupt):
        extract(extracted, [newer], partial(stopped, at=10))
    assert active_versions(extracted) == versions
    assert extracted.value("SELECT count(*) FROM embeddings") == IMAGES
    assert extract(extracted, [newer], ignore).processed == IMAGES - 10
    assert active_versions(extracted)["embedding:mean_colour"] == outputs([newer])[-1].version
