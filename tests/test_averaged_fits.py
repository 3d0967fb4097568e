"""Model A's fits predict new photos as one network where they started from weights, and as several where at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from torchvision.models import get_model

from kallos.workflows.cross_fit import CrossFit
from kallos.workflows.fold import Fold
from models.cross_fitted import part_folders
from models.image.fitter import ImageFitter
from models.image.spec import IMAGE
from models.loading import load_model
from models.spec import Options
from tests.synthetic_store import PROTOCOL, make_store, read_photos

QUICK = Options(backbone="squeezenet1_1", weights="none", image_size=64, epochs=1, precision="float32", batch_size=16)


@pytest.mark.parametrize("start", ["weights", "none"])
def test_what_predicts_new_photos_and_what_the_card_says(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read_photos(monkeypatch)
    options, steps = QUICK, list[tuple[int, int, str]]()
    if start == "weights":
        save_file(get_model("squeezenet1_1").state_dict(), tmp_path / "w.safetensors")
        options = replace(QUICK, weights=str(tmp_path / "w.safetensors"))
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        fold = Fold(store, PROTOCOL, 1, None, lambda *step: steps.append(step))
        CrossFit(fold, IMAGE, ImageFitter(options)).train()
        run_id, fits = store.frame("SELECT run_id, len(json_keys(config -> '$.fits')) FROM runs").row(0)
        folder, test = store.runs_folder / run_id, fold.with_faces[2]
        recorded = store.mapping("SELECT image_id, score FROM predictions WHERE role = 'test'")
    n = len(fold.rows.train) + len(test)
    assert steps[-1] == (n, n, "predicting with a")
    assert len(part_folders(folder)) == (1 if start == "weights" else fits)
    assert np.allclose(load_model(folder).predict(test), [recorded[image_id] for image_id in test.image_ids])
    of = "the weights of " if start == "weights" else ""
    assert f"the mean of {of}{fits} fits" in (folder / "MODEL_CARD.md").read_text()
