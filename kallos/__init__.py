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
    """A store for reading; `store.frame(sql)` gives Polars. Raises StoreError."""
    from featurestore.store import Store

    return Store.open(Path(path), read_only=True)


def load_bundle(folder: str | Path) -> Predictor:
    """A verified bundle, ready to predict. Raises InputError or BundleError."""
    from ensemble.bundle import open_bundle
    from ensemble.predictor import Predictor

    return Predictor(open_bundle(Path(folder)))
