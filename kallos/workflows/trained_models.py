"""The models that a command uses: those of a bundle, or those trained last in the store."""

from dataclasses import replace
from pathlib import Path

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from featurestore.errors import StoreError
from featurestore.store import Store
from featurestore.validations import recalibration_of
from kallos.workflows.stores import open_for_reading
from models.registry import ENSEMBLE
from reports.stats.simpler_models import comparisons


def open_parts(
    store: Path, bundle: Path | None, protocol: str | None, fold: int | None, data_set: str | None = None
) -> Parts:
    """The models of a bundle, or those trained last in the store, with the scores of one data set.

    That is one that they were trained on, or one that `kallos validate` let them be used for, as the store knows.
    Raises StoreError without a bundle where there is no store: what a new install meets first.
    """
    if bundle:
        parts = open_bundle(bundle)
        if data_set is None or data_set in parts.data_sets or not store.is_file():
            return parts.scored_for(data_set)
        with open_for_reading(store) as opened:
            return _validated_for(opened, parts, data_set)
    if not store.exists():
        raise StoreError(
            f"Scores need trained models, and kallos brings none (there is no store at {store}): give a bundle by "
            "--bundle, a store with models by --store, or make both of drawn portraits, `kallos demo`."
        )
    with open_for_reading(store) as opened:
        return _validated_for(opened, trained_parts(opened, protocol, fold), data_set)


def _validated_for(store: Store, parts: Parts, data_set: str | None) -> Parts:
    if data_set is None or data_set in parts.data_sets:
        return parts.scored_for(data_set)
    recalibration = recalibration_of(store, parts.run_ids[ENSEMBLE], data_set)
    if recalibration is None:
        return parts.scored_for(data_set)
    return replace(parts, data_set=data_set, recalibration=recalibration)


def trained_parts(store: Store, protocol: str | None, fold: int | None) -> Parts:
    """The models trained last, compared with simpler ones. Raises as `parts_of_store`."""
    parts = parts_of_store(store, protocol, fold)
    return replace(parts, comparisons=comparisons(store, parts.run_ids))
