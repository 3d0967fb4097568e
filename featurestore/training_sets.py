"""Training sets: the rows of a fold, pinned as a manifest, as the FaceBatch that models see."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.outputs import EMBEDDING
from featurestore import normalization, normalization_statistics, normalized_values
from featurestore.enough_rows import check_enough, check_scores_differ, no_protocol, too_few
from featurestore.errors import LeakageError, UsageError
from featurestore.joined_protocols import JOIN, join, link_scales
from featurestore.next_step import before_extract
from featurestore.normalization import Normalization
from featurestore.outputs import NORMALIZED, active_versions, chosen_encoder, encoder_parameters
from featurestore.records import FaceBatch
from featurestore.scale_maps import ScaleMaps
from featurestore.store import Store
from featurestore.training_rows import Arrays, Rows, Tables, array_tables, keys_sql, rows_sql

PARTS = 4
"""Into which training rows are dealt for cross-fitting, where the protocol has no other folds to take."""

ROLES = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """One fold: the rows that models are trained on, and the rows that they are tested on.

    train, val, test  FaceBatches without faces; `val` is what a training may watch, empty in most protocols; the test
                    batch carries its scores for evaluation only; on several data sets all scores are shared ones
    part            (n_train,) the part, from 1, that each training row is held out with when models are cross-fitted
    normalization   statistics fitted on the training rows
    encoder         the encoder of the embeddings, None where there are none
    manifest_id     pins the training rows, their values, and the versions of what computed them
    maps            from shared scores to those of each data set, fitted on the training rows
    """

    protocol: str
    fold: int
    train: FaceBatch
    val: FaceBatch
    test: FaceBatch
    part: NDArray[np.int64]
    normalization: Normalization
    encoder: str | None
    manifest_id: str
    maps: ScaleMaps

    @property
    def by_role(self) -> tuple[FaceBatch, FaceBatch, FaceBatch]:
        """Training, val and test rows."""
        return self.train, self.val, self.test


def training_set(
    store: Store,
    protocol: str,
    fold: int,
    encoder: str | None = None,
    *,
    features: Sequence[str] | None = None,
    normalized_by: str | None = None,
) -> TrainingSet:
    """The rows of one fold, with normalised features and the embeddings of one encoder, pinned in the store.

    encoder         may be left out when the store holds the embeddings of one encoder only
    features        names of features or regions; all features by default
    normalized_by   the normalization (protocol/fold) whose statistics are used; the fold's own by default

    Raises UsageError for what does not exist, PrerequisiteError before `kallos extract` and for too few rows, DataError
    where scores do not differ, and LeakageError when a photo stands in two roles or the statistics were fitted on rows
    outside the training role.
    """
    join(store, protocol)
    check_fold(store, protocol, fold)
    if not store.has("normalized_features"):
        raise before_extract(store, "The store has no features yet")
    encoder = chosen_encoder(store, encoder)
    check_roles(store, protocol, fold)
    statistics_id = _statistics(store, protocol, fold, normalized_by)
    every = normalization.read(store, statistics_id)
    fitted = every if features is None else every.only(_chosen_features(every, features))
    tables = array_tables(store, encoder)
    read = _read(store, protocol, fold, tables, statistics_id, every)
    rows = {role: stored.with_features(fitted.features, every.features) for role, (stored, _) in read.items()}
    check_enough(store, rows, protocol, fold, encoder)
    pinned = {
        "protocol": protocol,
        "fold": fold,
        "sql": rows_sql(protocol, fold, "train", tables),
        "versions": json.dumps(_versions(store, encoder)),
        "row_count": len(rows["train"]),
        "row_hash": rows["train"].row_hash,
        "value_hash": rows["train"].value_hash,
        "statistics_id": statistics_id,
        "features": list(fitted.features),
    }
    manifest_id = manifest_id_of(pinned)
    store.sync(
        "manifests", pl.DataFrame([{"manifest_id": manifest_id, **pinned}]), "t.manifest_id = $id", id=manifest_id
    )
    networks = tuple(encoder_parameters(store, encoder).get("networks", ())) if encoder else ()
    maps = link_scales(store, protocol, rows["train"])
    columns = [every.features.index(name) for name in fitted.features]
    train, val, test = (
        _shared(rows[role].batch(fitted, np.take(read[role][1], columns, axis=1), networks), maps) for role in ROLES
    )
    part = _parts(store, protocol, fold, train.image_ids)
    check_scores_differ(train.scores, part, protocol, fold)
    return TrainingSet(protocol, fold, train, val, test, part, fitted, encoder, manifest_id, maps)


def _statistics(store: Store, protocol: str, fold: int, normalized_by: str | None) -> str:
    """The id of the statistics that are used, under which every photo is normalised."""
    if normalized_by is not None:
        statistics_id = normalization.chosen(store, normalized_by)
        normalization.check_fitted_within(store, statistics_id, protocol, fold)
        normalized_values.complete(store, [statistics_id])
        return statistics_id
    if not (fitted := normalization_statistics.fit(store, (protocol, fold))):
        raise too_few(store, protocol, fold, 0)
    return fitted[protocol, fold]


def _shared(batch: FaceBatch, maps: ScaleMaps) -> FaceBatch:
    scores = maps.to_shared(batch.image_ids, batch.scores)
    return replace(batch, scores=scores, histograms=maps.histograms_to_shared(batch.image_ids, batch.histograms))


def manifest_id_of(pinned: Mapping[str, Any]) -> str:
    """First 12 hex digits of the sha256 of all that a row of `manifests` pins, in the order of its columns."""
    return hashlib.sha256(json.dumps(list(pinned.values())).encode()).hexdigest()[:12]


def check_fold(store: Store, protocol: str, fold: int) -> None:
    """Raises UsageError, naming what there is, when the store has no such fold."""
    folds = store.mapping("SELECT protocol, max(fold) FROM splits GROUP BY protocol ORDER BY protocol")
    if not folds:
        raise no_protocol(store)
    if protocol not in folds:
        raise UsageError(
            f"There is no protocol {protocol!r} in the store: choose from {', '.join(folds)}, or of several data sets "
            f"some that are joined by {JOIN}."
        )
    if not 1 <= fold <= folds[protocol]:
        raise UsageError(f"{protocol} has no fold {fold}: choose from 1 to {folds[protocol]}.")


def folds_of(store: Store, protocol: str) -> list[int]:
    """The folds of a protocol. Raises UsageError, naming what there is, when the store has no such protocol."""
    join(store, protocol)
    check_fold(store, protocol, 1)
    return store.column("SELECT DISTINCT fold FROM splits WHERE protocol = $p ORDER BY fold", p=protocol)


def check_roles(store: Store, protocol: str, fold: int) -> None:
    """Raises LeakageError when a photo, under one name or several, has two roles in a fold."""
    query = """
        SELECT coalesce(sha256, image_id) AS photo, min_by(image_id, (role, image_id)) AS image_id,
               max_by(image_id, (role, image_id)) AS other_id, min(role) AS role, max(role) AS other
        FROM splits JOIN images USING (image_id) WHERE protocol = $protocol AND fold = $fold
        GROUP BY photo HAVING count(DISTINCT role) > 1 ORDER BY photo"""
    both = store.frame(query, protocol=protocol, fold=fold)
    if len(both):
        _, one, other, role, other_role = both.row(0)
        named = one if one == other else f"{one} and {other}, which are the same photo,"
        raise LeakageError(
            f"{named} {'stands' if one == other else 'stand'} in two roles, {role} and {other_role}, of {protocol} "
            f"fold {fold} ({len(both):,} such photos): correct the split, or take one that `kallos duplicates` makes."
        )


def _parts(store: Store, protocol: str, fold: int, image_ids: tuple[str, ...]) -> NDArray[np.int64]:
    """The parts of the training rows: the protocol's other folds where their test rows make them up, else a hash's.

    The protocol's own folds keep near-duplicates together where it does, and let two folds share what they fit: the
    model that sees neither fold 1 nor fold 2 serves both.
    """
    query = (
        "SELECT image_id, min(fold) FROM splits WHERE protocol = $protocol AND fold <> $fold AND role = 'test' "
        "GROUP BY image_id HAVING count(*) = 1"
    )
    tested = store.mapping(query, protocol=protocol, fold=fold)
    if all(image_id in tested for image_id in image_ids):
        folds, dealt = np.unique([tested[image_id] for image_id in image_ids], return_inverse=True)
        if len(folds) >= PARTS - 1:
            return 1 + dealt
    digests = [hashlib.sha256(f"part {image_id}".encode()).digest() for image_id in image_ids]
    drawn = [int.from_bytes(digest[:8], "big") % PARTS for digest in digests]
    return 1 + np.unique(drawn, return_inverse=True)[1]  # of few rows, none may fall into a part


def _chosen_features(fitted: Normalization, names: Sequence[str]) -> tuple[str, ...]:
    """Features by name or by region."""
    if unknown := set(names) - set(fitted.features) - set(fitted.regions):
        raise UsageError(f"There is no feature or region {min(unknown)!r}: `kallos features` lists them.")
    return tuple(f for f, r in zip(fitted.features, fitted.regions, strict=True) if f in names or r in names)


def _versions(store: Store, encoder: str | None) -> dict[str, str]:
    """extractor -> version of all that a training set's values came from."""
    used = {"landmarks", *NORMALIZED, f"{EMBEDDING}{encoder}"}
    return {name: version for name, version in active_versions(store).items() if name in used}


def _read(
    store: Store, protocol: str, fold: int, tables: Tables, statistics_id: str, fitted: Normalization
) -> dict[str, tuple[Rows, NDArray[np.float64]]]:
    """What `rows_sql` gives for each role, several times faster, and the rows' z-scores (n, F).

    SQL orders the keys, NumPy gathers the arrays. `kallos verify` runs the query itself and must come to the same
    hashes.
    """
    keys = store.frame(f"{keys_sql(protocol, fold)} ORDER BY image_id")
    z_scores = normalized_values.read(store, statistics_id, len(fitted.features))
    arrays = Arrays({**Arrays.read(store, tables).tables, "z_scores": z_scores})
    read = {}
    for role in ROLES:
        role_keys, values = arrays.gather(keys.filter(pl.col("role") == role))
        read[role] = Rows.gathered(role_keys, values), values["z_scores"]
    return read
