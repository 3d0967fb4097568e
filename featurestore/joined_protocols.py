"""Protocols of several data sets joined into one, to train on all of them: `study-a-5fold+study-b-5fold`."""

from __future__ import annotations

from featurestore.errors import UsageError
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMaps, data_set_of
from featurestore.store import Store
from featurestore.training_rows import Rows

JOIN = "+"


def join(store: Store, protocol: str) -> None:
    """Bring a joined protocol up to date with its parts; any other name changes nothing.

    Fold k of it is fold k of all of them, as far as each has one. Raises UsageError where parts are of different
    traits, or of one data set.
    """
    parts = protocol.split(JOIN)
    known = store.frame(
        "SELECT protocol, any_value(trait) AS trait, list(DISTINCT data_set ORDER BY data_set) AS data_sets, "
        "max(fold) AS folds FROM splits JOIN images USING (image_id) "
        "WHERE list_contains($parts, protocol) GROUP BY protocol",
        parts=parts,
    )
    if len(parts) < 2 or set(known["protocol"]) != set(parts):
        return
    if known["trait"].n_unique() > 1:
        named = ", ".join(
            f"{name} is of {trait}" for name, trait in known.select("protocol", "trait").sort("protocol").rows()
        )
        raise UsageError(
            f"{protocol} joins different traits ({named}): choose protocols of one trait, or ingest the table again "
            "with the name of the other's, as `kallos ingest table --help` says of --trait."
        )
    data_sets = known["data_sets"].explode()
    if len(parts) != len(set(parts)) or data_sets.n_unique() < len(data_sets):
        raise UsageError(f"{protocol} names a data set twice: join protocols of different data sets.")
    query = (
        "SELECT image_id, $protocol AS protocol, fold, role, trait FROM splits "
        "WHERE list_contains($parts, protocol) AND fold <= $folds ORDER BY fold, image_id"
    )
    rows = store.frame(query, protocol=protocol, parts=parts, folds=min(known["folds"].to_list()))
    with store.transaction():
        store.sync("splits", rows, "t.protocol = $protocol", protocol=protocol)


def link_scales(store: Store, protocol: str, train: Rows) -> ScaleMaps:
    """The maps of a protocol, fitted on its training rows; none where they are of one data set."""
    data_sets = [data_set_of(image_id) for image_id in train.image_ids]
    first = _reference_of(store, protocol)
    names = sorted(set(data_sets), key=lambda name: (name != first, name))
    if len(names) < 2:
        return ScaleMaps()
    rows = store.frame(
        "SELECT DISTINCT data_set, scale_low, scale_high FROM splits JOIN images USING (image_id) "
        "JOIN traits USING (data_set, trait) WHERE protocol = $protocol",
        protocol=protocol,
    )
    scales = {name: Scale(low, high) for name, low, high in rows.iter_rows()}
    return ScaleMaps.fit({name: scales[name] for name in names}, data_sets, train.sha256, train.scores)


def _reference_of(store: Store, protocol: str) -> str:
    """The data set whose scale the shared score of a protocol has: that named first, else the first in the alphabet."""
    first = protocol.partition(JOIN)[0]
    query = (
        "SELECT coalesce(min(data_set) FILTER (protocol = $first), min(data_set)) FROM splits "
        "JOIN images USING (image_id) WHERE protocol IN ($first, $protocol)"
    )
    named = store.value(query, first=first, protocol=protocol)
    return str(named)
