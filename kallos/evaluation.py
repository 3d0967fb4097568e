"""What `kallos evaluate` does: trained models on all images of a data set that they did not learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from ensemble.predictor import Predictor
from extractors.faces import load_faces
from featurestore import runs
from featurestore.outside import OutsideRows, outside_rows
from featurestore.store import Store
from featurestore.training_sets import check_fold
from kallos.console import progress
from kallos.stores import open_for_reading
from reports import outside
from reports.outside import OutsideReport
from reports.selection import Selection, chosen_data_sets

AT_ONCE = 256
"""Faces in memory: 50 MB."""


def evaluate_bundle(path: Path, data_set: str, folder: Path) -> OutsideReport:
    """A bundle on a data set of the store, which is only read."""
    parts = open_bundle(folder)
    with open_for_reading(path) as store:
        of, predicted = _predicted(store, data_set, parts)
    return _report(parts, of, predicted)


def evaluate_runs(path: Path, data_set: str, protocol: str | None, fold: int | None) -> OutsideReport:
    """The newest ensemble of a fold and its members on a data set; what they say goes to `predictions`."""
    with Store.open(path, must_exist=True) as store:
        store.publish()
        if protocol is not None:
            check_fold(store, protocol, fold or 1)
        parts = parts_of_store(store, protocol, fold)
        of, predicted = _predicted(store, data_set, parts)
        with store.transaction():
            for model, scores in predicted.items():
                runs.record_outside(store, _run_ids(parts)[model], data_set, of.rows.image_ids, scores)
    return _report(parts, of, predicted)


def _predicted(store: Store, data_set: str, parts: Parts) -> tuple[OutsideRows, dict[str, NDArray[np.float64]]]:
    """The rows, and the ensemble's and each member's scores (n,) of them."""
    chosen_data_sets(store, Selection(data_set=data_set))
    of = outside_rows(store, data_set, parts.versions, str(parts.trained_on["manifest_id"]))
    batch = of.rows.batch(parts.normalization)
    said = []
    with Predictor(parts) as predictor, progress(f"predicting {data_set}", "images") as advance:
        for start in range(0, len(batch), AT_ONCE):
            some = batch.take(np.arange(start, min(start + AT_ONCE, len(batch))))
            faces = load_faces(store, some.image_ids, lambda *_: None)
            said.append(predictor.scores(replace(some, faces=faces)))
            advance(start + len(some), len(batch))
    return of, {model: np.concatenate([scores[model] for scores in said]) for model in said[0]}


def _report(parts: Parts, of: OutsideRows, predicted: dict[str, NDArray[np.float64]]) -> OutsideReport:
    on: dict[str, Any] = dict(parts.trained_on)
    trained_on = f"{', '.join(on['data_sets'])} ({on['protocol']}, fold {on['fold']})"
    return outside.data(of, trained_on, _run_ids(parts), predicted, low=None, high=None)


def _run_ids(parts: Parts) -> dict[str, str]:
    """model -> id of its run."""
    run_ids = parts.trained_on["runs"]
    assert isinstance(run_ids, dict)
    return run_ids
