"""kallos: how a pool of raters would rate a photograph of a face, traced to features by SQL.

    import kallos

    with kallos.open_store("demo/kallos.duckdb") as store:
        frame = store.frame("SELECT * FROM scores JOIN geometric_features USING (image_id)")
    fold = kallos.training_set("demo/kallos.duckdb", "demo-5fold", 1, features=["eyes", "jaw_width"])
    with kallos.load_bundle("demo/bundle") as predictor:
        prediction = predictor.predict("photo.jpg")

Heavy libraries are imported when a function is called, not when kallos is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ensemble.predictor import Predictor
    from featurestore.store import Store
    from featurestore.training_sets import TrainingSet

__all__ = ["load_bundle", "open_store", "training_set"]


def open_store(path: str | Path) -> Store:
    """A store for reading; `store.frame(sql)` gives Polars. Raises StoreError.

    While another process writes it is the newest snapshot: a warning says so, `store.snapshot_of` says of when.
    """
    import warnings

    from featurestore.store import Store

    store = Store.open(Path(path), read_only=True)
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

    `features` are names of features or regions, all by default. Raises StoreError, UsageError, OrderError, and
    LeakageError when a photo stands in both roles or statistics were fitted outside the training rows.
    """
    from featurestore.store import Store
    from featurestore.training_sets import training_set as make

    with Store.open(Path(path), must_exist=True) as store:
        return make(store, protocol, fold, encoder, features=features, normalized_by=normalized_by)


def load_bundle(folder: str | Path) -> Predictor:
    """A verified bundle, ready to predict. Raises InputError or BundleError."""
    from ensemble.bundle import open_bundle
    from ensemble.predictor import Predictor

    return Predictor(open_bundle(Path(folder)))
