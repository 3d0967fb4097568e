"""The models that a command uses: those of a bundle, or those trained last in the store."""

from dataclasses import replace
from pathlib import Path

from ensemble.bundle import open_bundle
from ensemble.parts import Parts, parts_of_store
from featurestore.store import Store
from kallos.workflows.stores import open_for_reading
from reports.stats.simpler_models import comparisons


def open_parts(
    store: Path, bundle: Path | None, protocol: str | None, fold: int | None, data_set: str | None = None
) -> Parts:
    """The models of a bundle, or those trained last in the store; on several data sets, with the scores of one."""
    if bundle:
        return open_bundle(bundle).scored_for(data_set)
    with open_for_reading(store) as opened:
        return trained_parts(opened, protocol, fold).scored_for(data_set)


def trained_parts(store: Store, protocol: str | None, fold: int | None) -> Parts:
    """The models trained last, compared with simpler ones. Raises as `parts_of_store`."""
    parts = parts_of_store(store, protocol, fold)
    return replace(parts, comparisons=comparisons(store, parts.run_ids))
