"""Opens stores, training sets and bundles for use in Python."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore import opening
from featurestore.store import Store
from featurestore.training_sets import TrainingSet
from featurestore.training_sets import training_set as read_training_set

if TYPE_CHECKING:
    from ensemble.predictor import Predictor


def open_store(path: str | Path) -> Store:
    """A store for reading; `store.frame(sql)` gives Polars. Raises StoreError.

    While another process writes, it is the newest snapshot: a warning says so, `store.snapshot_of` has its time.
    """
    store = opening.open_store(Path(path), read_only=True)
    if store.snapshot_of is not None:
        warnings.warn(
            f"{store.writer} is writing: this is its snapshot of {store.snapshot_of:%H:%M:%S} UTC", stacklevel=2
        )
    return store


def training_set(
    path: str | Path,
    protocol: str,
    fold: int,
    encoder: str | None = None,
    *,
    features: Sequence[str] | None = None,
    normalized_by: str | None = None,
) -> TrainingSet:
    """One fold as NumPy arrays, normalised by its training rows and pinned in the store as a manifest.

    `features` are names of features or regions, all by default. Raises StoreError, UsageError, PrerequisiteError, and
    LeakageError when a photo has two roles or statistics were fitted on other than the training rows.
    """
    with opening.open_store(Path(path), must_exist=True) as store:
        return read_training_set(store, protocol, fold, encoder, features=features, normalized_by=normalized_by)


def load_bundle(folder: str | Path, data_set: str | None = None) -> Predictor:
    """A verified bundle, ready to predict.

    data_set    where it was trained on several, the one whose raters' scores are given; by default the first named

    Raises InputError or BundleError, and UsageError where it was not trained on that data set.
    """
    from ensemble.bundle import open_bundle
    from ensemble.predictor import Predictor

    return Predictor(open_bundle(Path(folder)).scored_for(data_set))
