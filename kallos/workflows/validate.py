"""Validation: whether trained models may be used for other raters, from a sample of photos that they rated."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ensemble.bundle import open_bundle
from ensemble.novelty import ALARM_RATE, NOVELTY, Novelty
from featurestore import validations
from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.recalibration import Recalibration
from featurestore.scale_maps import ScaleMap
from featurestore.store import Store
from kallos.workflows.evaluate import Predictions, check_source, newest_parts, predict_data_set
from kallos.workflows.progress import OnProgress, ignore
from kallos.workflows.stored_faces import load_landmarks
from models.registry import ENSEMBLE
from reports.pages.validation import Validation
from reports.stats.rater_noise import rater_noise
from reports.stats.shift import Shift, shift
from reports.stats.validity import Validity, validity


def validate(
    store: str | Path,
    data_set: str,
    *,
    bundle: str | Path | None = None,
    protocol: str | None = None,
    fold: int | None = None,
    on_progress: OnProgress = ignore,
) -> Validation:
    """Whether the ensemble of a bundle, or that trained last, may be used for the raters of a data set.

    The verdict is stored, and with `use` or `recalibrate` the map to these raters' scores: `kallos.score` with this
    `data_set` gives them. Raises UsageError for a data set that the models were trained on.
    """
    check_source(bundle, protocol, fold)
    with open_store(Path(store), must_exist=True) as opened:
        opened.publish()
        parts = open_bundle(Path(bundle)) if bundle else newest_parts(opened, protocol, fold)
        if data_set in parts.data_sets:
            raise UsageError(
                f"The models were trained on {data_set}: `kallos report evaluation` says how they do on its test "
                "photos. Validate them on a data set of other photos."
            )
        predictions = predict_data_set(opened, data_set, parts, on_progress)
        if bundle is None:
            predictions.record(opened)
        found = validity(sample(opened, predictions))
        recalibration = _recalibration(predictions, found)
        figures = _figures(predictions, found)
        validations.record(opened, parts.run_ids[ENSEMBLE], data_set, figures, recalibration)
        report = Validation(
            predictions.report(), found, _shift(opened, predictions), bundle=str(bundle) if bundle else None
        )
    if recalibration is None:
        return report
    shared, scores = (tuple(knots.tolist()) for knots in (recalibration.map.shared, recalibration.map.scores))
    return replace(report, shared=shared, scores=scores, widening=recalibration.widening)


def sample(store: Store, predictions: Predictions) -> pl.DataFrame:
    """The photos as `validity` reads them, on the scale of models; with the raters' noise where it is known."""
    rows, ends = predictions.rows, predictions.ends
    columns: dict[str, Any] = {
        "image_id": rows.rows.image_ids,
        "score": rows.rows.scores,
        "predicted": predictions.scores[ENSEMBLE],
        "person": rows.people,
    }
    frame = pl.DataFrame(columns | ({"low": ends[0], "high": ends[1]} if ends else {}))
    ratings = store.frame(
        "SELECT image_id, rater_id, rating FROM ratings WHERE trait = $trait AND list_contains($ids, image_id)",
        trait=rows.trait,
        ids=list(rows.rows.image_ids),
    )
    several = ratings.group_by("image_id").agg(pl.col("rater_id").n_unique())
    if len(several) < len(frame) or several["rater_id"].max() == 1:
        return frame
    unit = rows.scale.to_models(1.0) - rows.scale.to_models(0.0)
    noise = rater_noise(ratings).with_columns(pl.col("noise") * unit**2)
    return frame.join(noise, on="image_id", maintain_order="left")


def _recalibration(predictions: Predictions, found: Validity) -> Recalibration | None:
    rows = predictions.rows
    if found.verdict == "use":
        return Recalibration(ScaleMap.reference(rows.scale), 1.0)
    if found.verdict != "recalibrate":
        return None
    return Recalibration.fit(
        rows.scale, rows.rows.image_ids, rows.rows.scores, predictions.scores[ENSEMBLE], predictions.ends
    )


def _figures(predictions: Predictions, found: Validity) -> dict[str, object]:
    """Columns of `validations`."""
    return {
        "trait": predictions.rows.trait,
        "n": found.n,
        "verdict": found.verdict,
        "spearman": found.spearman.value,
        "reliability": found.reliability.value if found.reliability else None,
        "corrected": found.corrected.value,
        "corrected_low": found.corrected.low,
        "corrected_high": found.corrected.high,
        "offset": found.offset.value,
        "slope": found.slope.value,
        "coverage": found.coverage.value if found.coverage else None,
    }


def _shift(store: Store, predictions: Predictions) -> Shift:
    batch = predictions.batch
    novelty = Novelty.load(predictions.parts.folders[ENSEMBLE] / NOVELTY)
    beyond = novelty.beyond(novelty.measure(batch, load_landmarks(store, batch.image_ids)))
    return shift(batch.feature_names, batch.features, predictions.rows.people, beyond, ALARM_RATE)
