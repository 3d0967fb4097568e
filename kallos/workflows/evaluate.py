"""What `kallos evaluate` does: trained models on all images of a data set that they did not learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from ensemble.predictor import Predictor
from featurestore import runs
from featurestore.outside import OutsideRows, outside_rows
from featurestore.store import Store
from featurestore.training_sets import check_fold
from featurestore.traits import matching_trait
from kallos.cli.console import progress
from kallos.workflows.stored_faces import load_faces
from kallos.workflows.stores import open_for_reading
from reports.pages import external_evaluation
from reports.pages.external_evaluation import OutsideReport
from reports.stats.selection import Selection, chosen_data_sets

AT_ONCE = 256
"""Faces in memory: 50 MB."""


@dataclass(frozen=True, eq=False)
class Said:
    """What the models of `parts` say of n rows.

    scores     model -> (n,) scores, the ensemble first
    low, high  (n,) ends of the ensemble's intervals
    """

    parts: Parts
    of: OutsideRows
    scores: Mapping[str, NDArray[np.float64]]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def report(self) -> OutsideReport:
        """What it is worth."""
        on: dict[str, Any] = dict(self.parts.trained_on)
        learnt = self.parts.target.trait
        trained_on = f"{', '.join(on['data_sets'])} ({learnt}, {on['protocol']}, fold {on['fold']})"
        return external_evaluation.data(
            self.of, learnt, trained_on, self.parts.run_ids, self.scores, self.low, self.high
        )


def evaluate_bundle(path: Path, data_set: str, folder: Path) -> OutsideReport:
    """A bundle on a data set of the store, which is only read."""
    parts = open_bundle(folder)
    with open_for_reading(path) as store:
        return _say(store, data_set, parts).report()


def evaluate_runs(path: Path, data_set: str, protocol: str | None, fold: int | None) -> OutsideReport:
    """The newest ensemble of a fold and its members on a data set; what they say goes to `predictions`."""
    with Store.open(path, must_exist=True) as store:
        store.publish()
        if protocol is not None:
            check_fold(store, protocol, fold or 1)
        said = _say(store, data_set, parts_of_store(store, protocol, fold))
        with store.transaction():
            for model, scores in said.scores.items():
                interval = (said.low, said.high) if model == "ensemble" else None
                runs.record_outside(
                    store, said.parts.run_ids[model], data_set, said.of.rows.image_ids, scores, interval
                )
        return said.report()


def _say(store: Store, data_set: str, parts: Parts) -> Said:
    """Predict every row that can be judged."""
    chosen_data_sets(store, Selection(data_set=data_set))
    trait = matching_trait(store, data_set, parts.target.trait)
    of = outside_rows(store, data_set, trait, parts.versions, parts.photos)
    batch = of.rows.batch(parts.normalization)
    blocks = []
    with Predictor(parts) as predictor, progress(f"predicting {data_set}", "images") as advance:
        for start in range(0, len(batch), AT_ONCE):
            some = batch.take(np.arange(start, min(start + AT_ONCE, len(batch))))
            faces = load_faces(store, some.image_ids, lambda *_: None)
            blocks.append(predictor.scores(replace(some, faces=faces)))
            advance(start + len(some), len(batch))
        scores = {model: np.concatenate([block[model] for block in blocks]) for model in blocks[0]}
        return Said(parts, of, scores, *predictor.interval(scores["ensemble"]))
