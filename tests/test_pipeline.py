"""Extraction that is stopped goes on, and ends with the very rows of one that was not."""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from extractors import pipeline
from extractors.pipeline import extract
from featurestore.ingest.dataset import write
from featurestore.ingest.demo import read_demo
from featurestore.store import Store

VIEWS = ("landmarks", "geometric_features", "shapes", "embeddings")


@dataclass(frozen=True)
class MeanColour:
    """An encoder of one line, so that only the pass itself is tested."""

    name: str = "mean_colour"
    weights: str = "none"
    weights_sha256: str = "-"
    dim: int = 3

    def encode(self, faces):
        return faces.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def whole(workspace, tmp_path_factory) -> Path:
    """A store that was extracted in one go."""
    path = tmp_path_factory.mktemp("whole") / "s.duckdb"
    with Store.open(path) as store:
        write(store, read_demo(workspace.portraits))
        assert extract(store, MeanColour(), lambda progress: None).done == 120
    return path


def same_rows(one: Path, two: Path) -> None:
    with Store.open(one, read_only=True) as left, Store.open(two, read_only=True) as right:
        for view in VIEWS:
            query = f"SELECT * FROM {view} ORDER BY image_id"
            assert_frame_equal(left.frame(query), right.frame(query), check_exact=True)
        for store in (left, right):
            assert store.value("SELECT count(*) FROM extractions") == 5 * 120
            assert store.value("SELECT count(DISTINCT (image_id, extractor)) FROM extractions") == 5 * 120


def test_ctrl_c_and_again(workspace, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "COMMIT_SECONDS", 0.0)

    def stop_after_two_batches(progress):
        if progress.done >= 2 * pipeline.BATCH:
            raise KeyboardInterrupt

    with Store.open(tmp_path / "s.duckdb") as store:
        write(store, read_demo(workspace.portraits))
        with pytest.raises(KeyboardInterrupt):
            extract(store, MeanColour(), stop_after_two_batches)
    with Store.open(tmp_path / "s.duckdb") as store:
        assert store.value("SELECT count(*) FROM landmarks") == 2 * pipeline.BATCH
        assert extract(store, MeanColour(), lambda progress: None).total == 120 - 2 * pipeline.BATCH
    same_rows(whole, tmp_path / "s.duckdb")


def test_sigkill_and_again(workspace, whole, tmp_path):
    path = tmp_path / "s.duckdb"
    with Store.open(path) as store:
        write(store, read_demo(workspace.portraits))
    code = (
        "import sys; from pathlib import Path; from extractors import pipeline; from featurestore.store import Store\n"
        "from tests.test_pipeline import MeanColour\n"
        "pipeline.COMMIT_SECONDS = 0.0\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    pipeline.extract(store, MeanColour(), lambda p: print(p.done, flush=True))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    while int(child.stdout.readline()) < pipeline.BATCH:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with Store.open(path) as store:
        rest = extract(store, MeanColour(), lambda progress: None)
        assert 0 < rest.total < 120
    same_rows(whole, path)


def test_a_changed_photo_is_extracted_again(workspace, whole, tmp_path):
    shutil.copytree(workspace.portraits, tmp_path / "portraits")
    shutil.copy(whole, tmp_path / "s.duckdb")
    images = tmp_path / "portraits" / "images"
    with Store.open(tmp_path / "s.duckdb") as store:
        store.execute("UPDATE data_sets SET root = $root", root=str(images))
        shutil.copy(images / "P0002.jpg", images / "P0001.jpg")
        write(store, read_demo(tmp_path / "portraits"))
        assert extract(store, MeanColour(), lambda progress: None).total == 1
        rows = store.frame("SELECT x FROM landmarks WHERE image_id IN ('demo/P0001.jpg', 'demo/P0002.jpg')")
        assert rows["x"][0].to_list() == rows["x"][1].to_list()
