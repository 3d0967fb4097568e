"""kallos: how a pool of raters would rate a photograph of a face, traced to features by SQL.

    import kallos

    with kallos.open_store("demo/kallos.duckdb") as store:
        frame = store.frame("SELECT * FROM scores JOIN geometric_features USING (image_id)")
    with kallos.load_bundle("demo/bundle") as predictor:
        prediction = predictor.predict("photo.jpg")

Heavy libraries are imported when a function is called, not when kallos is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ensemble.predictor import Predictor
    from featurestore.store import Store

__all__ = ["load_bundle", "open_store"]


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


def load_bundle(folder: str | Path) -> Predictor:
    """A verified bundle, ready to predict. Raises InputError or BundleError."""
    from ensemble.bundle import open_bundle
    from ensemble.predictor import Predictor

    return Predictor(open_bundle(Path(folder)))
