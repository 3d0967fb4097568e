"""External evaluation: trained models on all images of a data set that they were not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from ensemble.predictor import Predictor
from featurestore import runs
from featurestore.calibration import Ends
from featurestore.errors import UsageError
from featurestore.external_evaluation import ExternalRows, external_rows
from featurestore.opening import open_store
from featurestore.records import FaceBatch
from featurestore.store import Store
from featurestore.training_sets import check_fold
from featurestore.traits import matching_trait
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.stored_faces import load_faces
from kallos.workflows.stores import open_for_reading
from models.registry import ENSEMBLE
from reports.pages import external_evaluation
from reports.pages.external_evaluation import ExternalReport
from reports.stats.selection import Selection, chosen_data_sets

BATCH_SIZE = 256
"""Faces in memory: 50 MB."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of the models of `parts` on n rows.

    batch      what models see of the rows, without crops
    scores     model -> (n,) scores, the ensemble first
    ends       of the ensemble's intervals, if it has any
    """

    parts: Parts
    rows: ExternalRows
    batch: FaceBatch
    scores: Mapping[str, NDArray[np.float64]]
    ends: Ends | None

    def report(self) -> ExternalReport:
        """The figures of these predictions."""
        training: dict[str, Any] = dict(self.parts.trained_on)
        trait = self.parts.target.trait
        trained_on = f"{', '.join(training['data_sets'])} ({trait}, {training['protocol']}, fold {training['fold']})"
        return external_evaluation.data(
            self.rows, trait, trained_on, self.parts.run_ids, self.scores, *(self.ends or ())
        )

    def record(self, store: Store) -> None:
        """Store them, in place of earlier ones of these runs on this data set."""
        with store.transaction():
            for model, scores in self.scores.items():
                interval = self.ends if model == ENSEMBLE else None
                run_id, images = self.parts.run_ids[model], self.rows.rows.image_ids
                runs.record_external(store, run_id, self.rows.data_set, images, scores, interval)


def evaluate(
    store: str | Path,
    data_set: str,
    *,
    bundle: str | Path | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    on_progress: OnProgress = ignore,
) -> ExternalReport:
    """How trained models do on a data set with other photos, raters and scale; their training photos are left out.

    With a bundle, its models are evaluated and the store is only read; else the newest ensemble of a fold and its
    members, whose predictions are stored. Raises UsageError when both are given.
    """
    check_source(bundle, protocol, fold)
    if bundle is None:
        return _evaluate_runs(Path(store), data_set, protocol, fold, on_progress)
    parts = open_bundle(Path(bundle))
    with open_for_reading(Path(store)) as opened:
        return predict_data_set(opened, data_set, parts, on_progress).report()


def _evaluate_runs(
    path: Path, data_set: str, protocol: str | None, fold: int | None, on_progress: OnProgress
) -> ExternalReport:
    with open_store(path, must_exist=True) as store:
        store.publish()
        predictions = predict_data_set(store, data_set, newest_parts(store, protocol, fold), on_progress)
        predictions.record(store)
        return predictions.report()


def check_source(bundle: str | Path | None, protocol: str | None, fold: int | None) -> None:
    """Raises UsageError where the models are named twice."""
    if bundle and (protocol or fold):
        raise UsageError("A bundle knows its fold: give either --bundle or --protocol and --fold.")


def newest_parts(store: Store, protocol: str | None, fold: int | None) -> Parts:
    """As `parts_of_store`. Raises UsageError for a protocol or a fold that is not there, too."""
    if protocol is not None:
        check_fold(store, protocol, fold or 1)
    return parts_of_store(store, protocol, fold)


def predict_data_set(store: Store, data_set: str, parts: Parts, on_progress: OnProgress) -> Predictions:
    """Predict every row that can be evaluated."""
    chosen_data_sets(store, Selection(data_set=data_set))
    trait = matching_trait(store, data_set, parts.target.trait)
    features = parts.normalization.features
    rows = external_rows(store, data_set, trait, parts.versions, parts.uses, features, parts.photos)
    batch = rows.rows.batch(parts.normalization, parts.normalization.transform(rows.rows.raw, rows.rows.shapes))
    blocks = []
    with Predictor(parts) as predictor:
        for start in range(0, len(batch), BATCH_SIZE):
            batch_part = batch.take(np.arange(start, min(start + BATCH_SIZE, len(batch))))
            faces = load_faces(store, batch_part.image_ids)
            blocks.append(predictor.scores(replace(batch_part, faces=faces)))
            on_progress(start + len(batch_part), len(batch), f"predicting {data_set}")
        shared = {model: np.concatenate([block[model] for block in blocks]) for model in blocks[0]}
        own = partial(parts.maps.from_shared, batch.image_ids)
        scores = {model: own(each) for model, each in shared.items()}
        ends = predictor.interval(shared[ENSEMBLE])
        return Predictions(parts, rows, batch, scores, ends and (own(ends[0]), own(ends[1])))
