"""How much of a score is not the face: test photos once more, with everything around the face in grey."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.parts import Parts, parts_of_store
from ensemble.predictor import Predictor
from extractors.background import face_alone
from featurestore import runs
from featurestore.errors import PrerequisiteError
from featurestore.external_evaluation import check_versions
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.training_sets import check_fold
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.stored_faces import aligned_faces
from models.registry import ENSEMBLE
from reports.pages.face_alone import FaceAloneReport, of_run

PHOTOS = 200
"""At most, evenly spread over the test rows."""


def evaluate_face_alone(
    store: str | Path, *, protocol: str | None = None, fold: int | None = None, on_progress: OnProgress = ignore
) -> FaceAloneReport:
    """What becomes of the scores of a fold's test photos when all but the face is grey; by its newest ensemble.

    Hair, ears, neck, clothes and background are painted; landmarks are those of the photo as it is. The predictions are
    stored, and model cards tell of them. At most 200 test photos are taken, evenly spread. Raises PrerequisiteError
    where no ensemble is trained or no test photo was predicted.
    """
    with open_store(Path(store), must_exist=True) as opened:
        opened.publish()
        if protocol is not None:
            check_fold(opened, protocol, fold or 1)
        parts = parts_of_store(opened, protocol, fold)
        check_versions(opened, parts.versions, parts.uses)
        image_ids = _test_photos(opened, parts.run_ids[ENSEMBLE])
        scores = _scores(opened, parts, image_ids, on_progress)
        with opened.transaction():
            for model, predicted in scores.items():
                runs.record_face_alone(opened, parts.run_ids[model], image_ids, predicted)
        evaluated = (of_run(opened, runs.load(opened, parts.run_ids[model])) for model in scores)
        origin = parts.origin
        return FaceAloneReport(origin.protocol, origin.fold, tuple(model for model in evaluated if model))


def _test_photos(store: Store, run_id: str) -> tuple[str, ...]:
    tested = runs.predictions(store, run_id, "test")["image_id"].to_list()
    if not tested:
        raise PrerequisiteError("These models have no test predictions: train on a fold with test images.")
    rows = np.unique(np.linspace(0, len(tested) - 1, min(PHOTOS, len(tested))).astype(int))
    return tuple(tested[row] for row in rows)


def _scores(
    store: Store, parts: Parts, image_ids: tuple[str, ...], on_progress: OnProgress
) -> Mapping[str, NDArray[np.float64]]:
    """model -> (n,) scores of the photos in grey, on the scale of each one's data set; the ensemble first."""
    rows = []
    with Predictor(parts) as predictor:
        for image_id, face in zip(image_ids, aligned_faces(store, image_ids), strict=True):
            batch, _ = predictor.batch_of(image_id, replace(face, aligned=face_alone(face.aligned)))
            rows.append(predictor.scores(batch))
            on_progress(len(rows), len(image_ids), "predicting faces alone")
    shared = {model: np.concatenate([row[model] for row in rows]) for model in rows[0]}
    return {model: parts.maps.from_shared(image_ids, each) for model, each in shared.items()}
