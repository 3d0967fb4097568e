"""What `kallos extract` does: the pass over the photos, then the normalised features of every fold."""

from __future__ import annotations

import time

from extractors.pipeline import Progress, extract
from extractors.values import outputs
from featurestore.normalization import fit
from featurestore.store import Store
from featurestore.training_sets import pin
from kallos.console import progress
from models.encoder import Encoder


def run_extract(store: Store, encoder_name: str, weights: str, download: bool) -> tuple[Progress, float]:
    """Extract what is missing; returns the counts and the seconds taken."""
    encoder = Encoder.build(encoder_name, weights, download=download)
    _keep(store, encoder)
    began = time.monotonic()
    with progress("extracting", "images") as advance:
        done = extract(store, encoder, lambda p: advance(p.done, p.total))
    normalize(store)
    return done, time.monotonic() - began


def normalize(store: Store) -> None:
    """Fit and store the normalised features of every fold whose training rows have changed."""
    folds = store.frame(
        "SELECT DISTINCT protocol, fold FROM splits JOIN geometric_features USING (image_id) "
        "WHERE role = 'train' ORDER BY ALL"
    )
    for protocol, fold in folds.iter_rows():
        fit(store, protocol, fold, pin(store, protocol, fold))


def _keep(store: Store, encoder: Encoder) -> None:
    """Keep the encoder's weights beside the store, under the version of the embeddings that it makes."""
    version = outputs(encoder)[-1].version
    folder = store.runs_folder / "encoders" / version
    if not folder.is_dir():
        staging = folder.with_name(f".{version}.partial")
        encoder.save(staging)
        staging.rename(folder)
