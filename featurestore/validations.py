"""Verdicts on models for other raters, with the map that `kallos score --data-set` uses: the table `validations`."""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from featurestore.errors import UsageError
from featurestore.recalibration import Recalibration
from featurestore.scale_maps import ScaleMap
from featurestore.store import Store


def record(
    store: Store, run_id: str, data_set: str, figures: Mapping[str, object], recalibration: Recalibration | None
) -> None:
    """Store a verdict in place of an earlier one of that run on that data set; `figures` are columns of the table."""
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {"run_id": run_id, "data_set": data_set, "validated_at": now, **figures}
    if recalibration:
        known = recalibration.map
        row |= {"scale_low": known.scale.low, "scale_high": known.scale.high, "widening": recalibration.widening}
        row |= {"shared": known.shared.tolist(), "scores": known.scores.tolist()}
    with store.transaction():
        store.execute(
            "DELETE FROM validations WHERE run_id = $run_id AND data_set = $data_set", run_id=run_id, data_set=data_set
        )
        store.append("validations", pl.DataFrame([row]))


def recalibration_of(store: Store, run_id: str, data_set: str) -> Recalibration | None:
    """What the scores of a run become for the raters of a data set; None where the run was not validated on it.

    Raises UsageError where the verdict was that it may not be used, or that the photos were too few to tell.
    """
    query = (
        "SELECT verdict, [scale_low, scale_high] AS scale, shared, scores, widening FROM validations "
        "WHERE run_id = $run_id AND data_set = $data_set"
    )
    rows = store.frame(query, run_id=run_id, data_set=data_set).to_dicts()
    if not rows:
        return None
    row = rows[0]
    if row["shared"] is None:
        raise UsageError(
            f"The verdict on {run_id} for the raters of {data_set} was: {row['verdict']}. Rate more photos and run "
            f"`kallos validate --data-set {data_set}` again, or leave --data-set out."
        )
    return Recalibration(ScaleMap.restore(row), row["widening"])
