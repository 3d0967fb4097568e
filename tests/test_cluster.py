"""The Ray engine writes what the pool of one machine writes, whoever is killed meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

from extractors.decode import decode
from extractors.landmarker import Landmarker
from extractors.values import face_of
from featurestore.ingest.dataset import write
from featurestore.opening import open_store
from featurestore.outputs import active_table
from featurestore.shards import folder_of, left_over
from featurestore.store import Store
from kallos.engines import ray_cluster as cluster
from kallos.engines.extraction import extract
from kallos.engines.local import extract_locally
from kallos.portraits.dataset import write_demo
from kallos.workflows.progress import ignore
from tests.command import kallos
from tests.ingest_files import read_scores
from tests.test_pipeline import VIEWS, MeanColour
from tests.waiting import wait_until

# Ray's own code sets options that it has deprecated
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
PORTRAITS, IMAGES = 14, 16


@dataclass(frozen=True)
class Killer(MeanColour):
    """An encoder that once, in the middle, kills the actor whose pool it works in."""

    mark: Path = Path()

    def encode(self, face, cells):
        trace = self.mark.with_name(f"{os.getpid()}.{time.monotonic_ns()}")
        trace.touch()
        if len(list(self.mark.parent.iterdir())) == 5:
            self.mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)
        return super().encode(face, cells)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Drawn portraits, a file that is no photo, and a photo without a face."""
    folder = tmp_path_factory.mktemp("photos")
    write_demo(folder, PORTRAITS, 0, lambda *_: None)
    (folder / "images" / "broken.jpg").write_bytes(b"no photo")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(folder / "images" / "grey.png")
    names = sorted(photo.name for photo in (folder / "images").iterdir())
    (folder / "labels.csv").write_text("image,score\n" + "".join(f"{name},3\n" for name in names))
    return folder


@pytest.fixture(scope="module")
def deadly(photos) -> MeanColour:
    """An encoder that dies of one of the portraits."""
    with Landmarker() as mesh:
        crop = face_of(decode(photos / "images" / "P0005.jpg"), mesh).crop
    return MeanColour(dies_of=float(crop.mean(axis=(0, 1)).astype(np.float32)[0]))


def ingested(photos: Path, folder: Path) -> Path:
    with open_store(folder / "s.duckdb") as store:
        write(store, read_scores(photos / "labels.csv", photos / "images", "mine"))
    return folder / "s.duckdb"


@pytest.fixture(scope="module")
def local(photos, deadly, tmp_path_factory) -> Path:
    """A store that the pool of this machine filled."""
    path = ingested(photos, tmp_path_factory.mktemp("local"))
    with open_store(path) as store:
        extract(store, [deadly], ignore)
    return path


@pytest.fixture
def store(photos, tmp_path):
    with open_store(ingested(photos, tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def urgent():
    """Ray's workers give way to every other process, such as those of tests that run beside these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def ray():
    with cluster.session():
        yield


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(cluster, "SHARD", 6)


def same(one: Path, store: Store) -> None:
    with open_store(one, read_only=True) as other:
        for view in VIEWS:
            query = (
                f"SELECT * FROM {view} ORDER BY ALL"
                if view == "embeddings"
                else f"SELECT * FROM {view} ORDER BY image_id"
            )
            assert_frame_equal(other.frame(query), store.frame(query), check_exact=True)
        ledger = "SELECT * EXCLUDE milliseconds FROM extractions ORDER BY ALL"
        assert_frame_equal(other.frame(ledger), store.frame(ledger))


DRIVER = """
import sys, time
from pathlib import Path
from kallos.engines import ray_cluster as cluster
from kallos.engines.extraction import extract
from featurestore.opening import open_store
from tests.command import kallos
from tests.test_pipeline import MeanColour
if __name__ == "__main__":
    cluster.SHARD = 6
    cluster.merge = lambda store, shards: time.sleep(600)
    with open_store(Path(sys.argv[1])) as store:
        extract(store, [MeanColour(dies_of=float(sys.argv[2]))], lambda *told: None, engine=cluster.extract_on_ray)
"""


def test_what_a_killed_driver_left_is_taken_in_and_the_rest_is_done(store, local, deadly, tmp_path):
    """Whichever engine goes on: here the pool of this machine. First, so that no other cluster takes its cores."""
    store.close()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(store.path), repr(deadly.dies_of)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: list(folder_of(store.path).glob("*.parquet")), driver)
    whole = list(folder_of(store.path).glob("*.parquet"))
    driver.kill()
    driver.wait()
    with open_store(store.path) as opened:
        assert opened.value("SELECT count(*) FROM attempts") == 0
        assert 0 < extract(opened, [deadly], ignore).processed <= IMAGES - 4 * len(whole)
        # an actor that outlives the driver may leave a shard more, for the next command
        same(local, opened)


def test_same_rows_and_the_same_failures_as_on_one_machine(ray, store, local, deadly):
    extracted = extract(store, [deadly], ignore, engine=cluster.extract_on_ray)
    assert (extracted.processed, extracted.failed) == (IMAGES, 3)
    failed = store.frame("SELECT image_id, status FROM extractions WHERE status <> 'ok' ORDER BY ALL").rows()
    assert failed == [("mine/P0005.jpg", "crash"), ("mine/broken.jpg", "decode_error"), ("mine/grey.png", "no_face")]
    same(local, store)
    assert left_over(store) == []


def test_a_new_encoder_gets_the_landmarks_that_are_known(ray, local, tmp_path):
    newer = MeanColour(name="newer")
    for engine in (extract_locally, cluster.extract_on_ray):
        path = tmp_path / f"{engine.__name__}.duckdb"
        shutil.copy(local, path)
        with open_store(path) as store:
            # other than what the landmarker would find once more
            store.execute(f'UPDATE "{active_table(store, "landmarks")}" SET x = [v + 3 for v in x]')
            assert extract(store, [newer], ignore, engine=engine).processed == PORTRAITS - 1
    with open_store(tmp_path / "extract_on_ray.duckdb", read_only=True) as store:
        assert store.value("SELECT count(*) FROM embeddings WHERE encoder = 'newer'") == PORTRAITS - 1
        same(tmp_path / "extract_locally.duckdb", store)


def test_an_actor_that_is_killed_in_the_middle_loses_nothing(ray, store, photos, tmp_path):
    (tmp_path / "looked").mkdir()
    killer = Killer(mark=tmp_path / "looked" / "killed")
    extracted = extract(store, [killer], ignore, engine=cluster.extract_on_ray)
    assert killer.mark.exists()
    assert (extracted.processed, extracted.failed) == (IMAGES, 2)
    assert store.value("SELECT count(*) FROM embeddings") == PORTRAITS


def test_a_cluster_that_does_not_answer_is_named(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    path = ingested(photos, tmp_path)
    answer = kallos(
        "extract", "--encoder", "mobilenet_v3_small", "--weights", "none", "--engine", "ray", "--store", path
    )
    assert answer.code == 13
    assert "RAY_ADDRESS=127.0.0.1:1" in answer.err
