"""Fits of several parts at once: the same models as one after another, and no process left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch

from featurestore.errors import ExtractionError
from featurestore.records import FaceBatch
from kallos.workflows.side_by_side import ORIGIN, Place, fit_side_by_side, fits_at_once
from tests.command import kallos_ok
from tests.conftest import TRAINING, Workspace


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_as_many_fits_run_at_once_as_torch_has_threads(two_threads: None):
    assert [fits_at_once(missing) for missing in (0, 1, 2, 5)] == [1, 1, 2, 2]


def test_fits_at_once_are_those_of_one_after_another(workspace: Workspace, tmp_path: Path, two_threads: None):
    store, before = tmp_path / "kallos.duckdb", workspace.store.with_suffix(".runs") / "fits"
    shutil.copy(workspace.store, store)
    shutil.copytree(
        before.parent, store.with_suffix(".runs"), ignore=lambda _, names: {n for n in names if n[:2] == "a-"}
    )
    with duckdb.connect(store) as connection:
        connection.execute("DELETE FROM training_history WHERE run_id IN (SELECT run_id FROM runs WHERE model = 'a')")
        connection.execute("DELETE FROM runs WHERE model = 'a'")
    killed = tmp_path / ".kallos.faces.partial"
    killed.mkdir()
    (killed / "train.npy").write_bytes(b"faces that a killed command left")
    answer = kallos_ok("train", "a", *TRAINING, "--store", store)
    assert "2 fits at once" in answer.err
    fits = {folder.name: folder for folder in store.with_suffix(".runs").glob("fits/a-*")}
    assert len(fits) == 4
    for name, folder in fits.items():
        assert (folder / "model.safetensors").read_bytes() == (before / name / "model.safetensors").read_bytes()
        assert json.loads((folder / ORIGIN).read_text())["computing"]["threads"] == 1
    query = "SELECT count(*) AS n FROM training_history JOIN runs USING (run_id) WHERE model = 'a'"
    assert kallos_ok("sql", query, "--json", "--store", store).json() == [{"n": 4 * 2}]
    assert list(tmp_path.rglob("*.npy")) == []


class Dying:
    """A fitter whose process is killed, as one without memory is."""

    def fit(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_ends_the_training_with_one_sentence(tmp_path: Path):
    none = np.zeros((4, 0))
    rows = FaceBatch(tuple("abcd"), (), (), none, none, none, {}, None, np.zeros(4), np.zeros((4, 5)))
    places = [Place(part, tmp_path / str(part), "history.json") for part in (1, 2)]
    of_rows = (rows, rows.take(np.arange(0)), np.array([1, 1, 2, 2]))
    with pytest.raises(ExtractionError, match=r"died \(exit code -9\): run the same command again"):
        fit_side_by_side(Dying(), places, of_rows, {"threads": 1}, 2, tmp_path, print, print)
    assert active_children() == []
