"""Training sets: the rows of a fold, pinned as a manifest, as the FaceBatch that models see."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.outputs import EMBEDDING
from featurestore import normalization, statistics
from featurestore.errors import LeakageError, PrerequisiteError, UsageError
from featurestore.joined_protocols import JOIN, join, reference_of
from featurestore.next_step import before_extract, before_training
from featurestore.normalization import Normalization
from featurestore.outputs import NORMALIZED, active_columns, active_table, active_versions, chosen_encoder, networks_of
from featurestore.records import FaceBatch
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMaps, data_set_of
from featurestore.store import Store
from featurestore.training_rows import REGION, Arrays, Rows, Tables, keys_sql, rows_sql

PARTS = 4
"""Into which training rows are dealt for cross-fitting, where the protocol has no other folds to take."""

FEWEST_ROWS = 20


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """One fold: the rows that models are trained on, and the rows that they are tested on.

    train, test     FaceBatches without faces; the test batch carries its scores for evaluation only; on several data
                    sets all scores are shared ones
    part            (n_train,) the part, from 1, that each training row is held out with when models are cross-fitted
    normalization   statistics fitted on the training rows
    encoder         the encoder of the embeddings, None where there are none
    manifest_id     pins the training rows, their values, and the versions of what computed them
    maps            from shared scores to those of each data set, fitted on the training rows
    """

    protocol: str
    fold: int
    train: FaceBatch
    test: FaceBatch
    part: NDArray[np.int64]
    normalization: Normalization
    encoder: str | None
    manifest_id: str
    maps: ScaleMaps


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

    Raises UsageError for what does not exist, PrerequisiteError before `kallos extract`, and LeakageError when a photo
    stands in both roles or the statistics were fitted on rows outside the training role.
    """
    join(store, protocol)
    check_fold(store, protocol, fold)
    if not store.has("normalized_features"):
        raise before_extract(store, "The store has no features yet")
    encoder = chosen_encoder(store, encoder)
    check_roles(store, protocol, fold)
    if normalized_by is None:
        fitted_now = statistics.fit(store, (protocol, fold))
        if not fitted_now:
            raise _too_few(protocol, fold, 0)
        (statistics_id,) = fitted_now.values()
    else:
        statistics_id = normalization.chosen(store, normalized_by)
        normalization.check_fitted_within(store, statistics_id, protocol, fold)
    every = normalization.read(store, statistics_id)
    fitted = every if features is None else every.only(_chosen_features(every, features))
    tables = array_tables(store, encoder)
    all_rows = _read(store, protocol, fold, tables)
    rows = {role: of.with_features(fitted.features, every.features) for role, of in all_rows.items()}
    _check_enough(store, rows, protocol, fold, encoder)
    manifest = Manifest(
        protocol=protocol,
        fold=fold,
        sql=rows_sql(protocol, fold, "train", tables),
        versions=json.dumps(_versions(store, encoder), sort_keys=True),
        row_count=len(rows["train"]),
        row_hash=rows["train"].row_hash,
        value_hash=rows["train"].value_hash,
        statistics_id=statistics_id,
        features=list(fitted.features),
    )
    store.sync("manifests", pl.DataFrame([manifest.row()]), "t.manifest_id = $id", id=manifest.manifest_id)
    networks = networks_of(store, encoder) if encoder else ()
    maps = _scale_maps(store, protocol, rows["train"])
    train, test = (_shared(rows[role].batch(fitted, networks), maps) for role in ("train", "test"))
    part = _parts(store, protocol, fold, train.image_ids)
    return TrainingSet(protocol, fold, train, test, part, fitted, encoder, manifest.manifest_id, maps)


def _scale_maps(store: Store, protocol: str, train: Rows) -> ScaleMaps:
    """Fitted on the training rows; none where they are of one data set."""
    data_sets = [data_set_of(image_id) for image_id in train.image_ids]
    first = reference_of(store, protocol)
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


def _shared(batch: FaceBatch, maps: ScaleMaps) -> FaceBatch:
    scores = maps.to_shared(batch.image_ids, batch.scores)
    return replace(batch, scores=scores, histograms=maps.histograms_to_shared(batch.image_ids, batch.histograms))


@dataclass(frozen=True)
class Manifest:
    """A training set pinned: a row of the table `manifests`, in the order of its columns."""

    protocol: str
    fold: int
    sql: str
    versions: str
    row_count: int
    row_hash: str
    value_hash: str
    statistics_id: str
    features: Sequence[str]

    @property
    def manifest_id(self) -> str:
        """First 12 hex digits of the sha256 of all that is pinned."""
        return hashlib.sha256(json.dumps(list(vars(self).values())).encode()).hexdigest()[:12]

    def row(self) -> dict[str, object]:
        """The row of the table."""
        return {"manifest_id": self.manifest_id, **vars(self)}


def check_fold(store: Store, protocol: str, fold: int) -> None:
    """Raises UsageError, naming what there is, when the store has no such fold."""
    known = store.frame("SELECT protocol, max(fold) AS folds FROM splits GROUP BY protocol ORDER BY protocol")
    folds = dict(known.iter_rows())
    if not folds:
        raise before_training(store, "The store has no protocol yet", "kallos duplicates")
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
    return store.frame("SELECT DISTINCT fold FROM splits WHERE protocol = $p ORDER BY fold", p=protocol)[
        "fold"
    ].to_list()


def check_roles(store: Store, protocol: str, fold: int) -> None:
    """Raises LeakageError when a photo, under one name or several, is both a training and a test row."""
    both = store.frame(
        """
        SELECT coalesce(sha256, image_id) AS photo, min(image_id) AS image_id, max(image_id) AS other_id
        FROM splits JOIN images USING (image_id) WHERE protocol = $protocol AND fold = $fold
        GROUP BY photo HAVING count(DISTINCT role = 'test') > 1 ORDER BY photo""",
        protocol=protocol,
        fold=fold,
    )
    if len(both):
        _, one, other = both.row(0)
        named = one if one == other else f"{one} and {other}, which are the same photo,"
        raise LeakageError(
            f"{named} {'stands' if one == other else 'stand'} in both roles of {protocol} fold {fold} "
            f"({len(both):,} such photos): correct the split, or take one that `kallos duplicates` makes."
        )


def _parts(store: Store, protocol: str, fold: int, image_ids: tuple[str, ...]) -> NDArray[np.int64]:
    """The parts of the training rows: the protocol's other folds where their test rows make them up, else a hash's.

    The protocol's own folds keep near-duplicates together where it does, and let two folds share what they fit: the
    model that sees neither fold 1 nor fold 2 serves both.
    """
    tested = dict(
        store.frame(
            "SELECT image_id, min(fold) FROM splits WHERE protocol = $protocol AND fold <> $fold AND role = 'test' "
            "GROUP BY image_id HAVING count(*) = 1",
            protocol=protocol,
            fold=fold,
        ).iter_rows()
    )
    folds = sorted({tested[image_id] for image_id in image_ids if image_id in tested})
    if len(folds) >= PARTS - 1 and all(image_id in tested for image_id in image_ids):
        return np.array([1 + folds.index(tested[image_id]) for image_id in image_ids])
    digests = [hashlib.sha256(f"part {image_id}".encode()).digest() for image_id in image_ids]
    return np.array([1 + int.from_bytes(digest[:8], "big") % PARTS for digest in digests])


def _chosen_features(fitted: Normalization, names: Sequence[str]) -> tuple[str, ...]:
    """Features by name or by region."""
    if unknown := set(names) - set(fitted.features) - set(fitted.regions):
        raise UsageError(f"There is no feature or region {min(unknown)!r}: `kallos features` lists them.")
    return tuple(f for f, r in zip(fitted.features, fitted.regions, strict=True) if f in names or r in names)


def _versions(store: Store, encoder: str | None) -> dict[str, str]:
    """extractor -> version of all that a training set's values came from."""
    used = {"landmarks", *NORMALIZED, f"{EMBEDDING}{encoder}"}
    return {name: version for name, version in active_versions(store).items() if name in used}


def array_tables(store: Store, encoder: str | None) -> dict[str, tuple[str, str]]:
    """array -> (table, column) that holds it in the versions that are shown."""
    columns = dict.fromkeys(NORMALIZED, "features") | {"shape": "shape"}
    tables = {name: (active_table(store, name), column) for name, column in columns.items()}
    if encoder is not None:
        table = active_table(store, f"{EMBEDDING}{encoder}")
        tables["vector"] = (table, "vector")
        tables |= {
            f"{REGION}{region}": (table, region) for region in active_columns(store, f"{EMBEDDING}{encoder}")[1:]
        }
    return tables


def _read(store: Store, protocol: str, fold: int, tables: Tables) -> dict[str, Rows]:
    """What `rows_sql` gives for both roles, several times faster: SQL orders the keys, NumPy gathers the arrays.

    `kallos verify` runs the query itself and must come to the same hashes.
    """
    keys = store.frame(f"{keys_sql(protocol, fold)} AND role IN ('train', 'test') ORDER BY image_id")
    arrays = Arrays.read(store, tables)
    by_role = {role: keys.filter(pl.col("role") == role) for role in ("train", "test")}
    return {role: Rows.gathered(*arrays.gather(role_keys)) for role, role_keys in by_role.items()}


def _check_enough(store: Store, read: Mapping[str, Rows], protocol: str, fold: int, encoder: str | None) -> None:
    if encoder is not None:
        measured = store.value(
            "SELECT count(*) FROM splits SEMI JOIN scores USING (image_id, trait) "
            "SEMI JOIN geometric_features USING (image_id) "
            "WHERE protocol = $protocol AND fold = $fold AND role IN ('train', 'test')",
            protocol=protocol,
            fold=fold,
        )
        if missing := measured - sum(map(len, read.values())):
            raise PrerequisiteError(f"{missing:,} rows have no embedding of {encoder}: run `kallos extract` again.")
    if len(read["train"]) < FEWEST_ROWS:
        raise _too_few(protocol, fold, len(read["train"]))


def _too_few(protocol: str, fold: int, rows: int) -> PrerequisiteError:
    return PrerequisiteError(
        f"Fold {fold} of {protocol} has {rows} usable training rows, at least {FEWEST_ROWS} are needed: "
        "run `kallos extract`, and see `kallos report dataset` for what failed."
    )
