"""Training sets: the rows of a fold, pinned as a manifest, as the FaceBatch that models see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from featurestore.errors import OrderError, UsageError
from featurestore.normalization import Normalization, fit, normalized_columns
from featurestore.outputs import active_versions
from featurestore.records import FaceBatch
from featurestore.store import Store

VALIDATION_SHARE = 0.1

ROWS_SQL = """
SELECT image_id, images.sha256, scores.score
FROM splits JOIN images USING (image_id) JOIN scores USING (image_id)
     JOIN geometric_features USING (image_id) JOIN shapes USING (image_id)
WHERE protocol = $protocol AND fold = $fold AND role = $role
ORDER BY image_id"""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """One fold: the rows that models may learn from, and the test rows that they are judged on.

    train, test     FaceBatches without faces; the test batch carries its scores for evaluation only
    validation      (n_train,) mask: the slice of the training rows for early stopping and the combiner
    normalization   statistics fitted on the training rows
    encoder         extractor name of the embeddings, None where there are none
    manifest_id     pins the training rows and the versions of everything computed from them
    """

    protocol: str
    fold: int
    train: FaceBatch
    test: FaceBatch
    validation: NDArray[np.bool_]
    normalization: Normalization
    encoder: str | None
    manifest_id: str


def training_set(store: Store, protocol: str, fold: int, encoder: str | None = None) -> TrainingSet:
    """The rows of one fold, with normalised features and the embeddings of one encoder.

    `encoder` may be left out when the store holds the embeddings of one encoder only.
    Raises UsageError for an unknown protocol, fold or encoder, OrderError before `kallos extract`.
    """
    check_fold(store, protocol, fold)
    if not (store.has("geometric_features") and store.has("shapes")):
        raise OrderError("The store has no features yet: run `kallos extract` first.")
    encoder = _encoder(store, encoder)
    manifest_id = pin(store, protocol, fold)
    normalization = fit(store, protocol, fold, manifest_id)
    train, test = (_batch(store, protocol, fold, role, normalization, encoder) for role in ("train", "test"))
    if len(train) < 20:
        raise OrderError(
            f"Fold {fold} of {protocol} has {len(train)} usable training rows, at least 20 are needed: "
            "run `kallos extract`, and see `kallos report dataset` for what failed."
        )
    return TrainingSet(
        protocol, fold, train, test, validation_slice(train.image_ids), normalization, encoder, manifest_id
    )


def check_fold(store: Store, protocol: str, fold: int) -> None:
    """Raises UsageError, naming what there is, when the store has no such fold."""
    known = store.frame("SELECT protocol, max(fold) AS folds FROM splits GROUP BY protocol ORDER BY protocol")
    folds = dict(known.iter_rows())
    if not folds:
        raise OrderError("The store has no images with a protocol yet: run `kallos ingest` first.")
    if protocol not in folds:
        raise UsageError(f"There is no protocol {protocol!r} in the store: choose from {', '.join(folds)}.")
    if not 1 <= fold <= folds[protocol]:
        raise UsageError(f"{protocol} has no fold {fold}: choose from 1 to {folds[protocol]}.")


def validation_slice(image_ids: tuple[str, ...]) -> NDArray[np.bool_]:
    """A tenth of the training rows, chosen by a hash of the id, so that every model holds out the same."""
    digests = [hashlib.sha256(f"validation {image_id}".encode()).digest() for image_id in image_ids]
    return np.array([int.from_bytes(d[:8], "big") < VALIDATION_SHARE * 2**64 for d in digests])


def pin(store: Store, protocol: str, fold: int) -> str:
    """Record which rows and versions the training set of a fold has; returns the manifest's id."""
    rows = store.frame(ROWS_SQL, protocol=protocol, fold=fold, role="train")
    row_hash = hashlib.sha256(json.dumps(rows.rows()).encode()).hexdigest()
    versions = json.dumps(active_versions(store), sort_keys=True)
    pinned = [protocol, fold, ROWS_SQL, versions, len(rows), row_hash]
    manifest_id = hashlib.sha256(json.dumps(pinned).encode()).hexdigest()[:12]
    columns = ["manifest_id", "protocol", "fold", "sql", "versions", "row_count", "row_hash"]
    row = pl.DataFrame([[manifest_id, *pinned]], schema=columns, orient="row")
    store.sync("manifests", row, "t.manifest_id = $manifest_id", manifest_id=manifest_id)
    return manifest_id


def _encoder(store: Store, encoder: str | None) -> str | None:
    if not store.has("embeddings"):
        return None
    known = store.frame("SELECT DISTINCT encoder FROM embeddings ORDER BY encoder")["encoder"].to_list()
    if encoder is None and len(known) > 1:
        raise UsageError(f"The store has embeddings of {', '.join(known)}: choose one with --encoder.")
    if encoder is not None and encoder not in known:
        raise UsageError(f"The store has no embeddings of {encoder!r}: run `kallos extract --encoder {encoder}`.")
    return encoder or (known[0] if known else None)


def _batch(
    store: Store, protocol: str, fold: int, role: str, normalization: Normalization, encoder: str | None
) -> FaceBatch:
    chosen = {"protocol": protocol, "fold": fold, "role": role}
    rows = f"({ROWS_SQL}) r"
    features = store.frame(
        f"SELECT {normalized_columns(normalization)} FROM {rows} JOIN normalized_features f USING (image_id) "
        "WHERE normalization = $normalization ORDER BY image_id",
        normalization=normalization.name,
        **chosen,
    )
    shapes = store.frame(
        f"SELECT image_id, score, shape FROM {rows} JOIN shapes USING (image_id) ORDER BY image_id", **chosen
    )
    if encoder is None:
        embeddings = np.zeros((len(shapes), 0), dtype=np.float32)
    else:
        embeddings = _embeddings(store, rows, encoder, chosen)
        if len(embeddings) != len(shapes):
            raise OrderError(
                f"{len(shapes) - len(embeddings)} rows have no embedding of {encoder}: run `kallos extract` again."
            )
    return FaceBatch(
        image_ids=tuple(shapes["image_id"]),
        feature_names=normalization.features,
        feature_regions=normalization.regions,
        features=features.to_numpy().astype(np.float64).reshape(len(shapes), -1),
        shapes=_matrix(shapes["shape"]),
        embeddings=embeddings,
        faces=None,
        scores=shapes["score"].to_numpy().astype(np.float64),
    )


def _embeddings(store: Store, rows: str, encoder: str, chosen: dict[str, object]) -> NDArray[np.float32]:
    table = store.value(
        "SELECT table_name FROM extractor_versions WHERE active AND extractor = $extractor",
        extractor=f"embedding:{encoder}",
    )
    vectors = store.frame(f'SELECT vector FROM {rows} JOIN "{table}" USING (image_id) ORDER BY image_id', **chosen)
    return _matrix(vectors["vector"])


def _matrix(column: pl.Series) -> NDArray[np.float32]:
    """A column of FLOAT[N] as (n, N)."""
    return np.ascontiguousarray(column.to_numpy(), dtype=np.float32).reshape(len(column), -1)
