"""Opens a store for reading; while another process writes, a snapshot of it, whose age is logged."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from featurestore.opening import open_store
from featurestore.store import Store
from reports.render.layout import duration

log = logging.getLogger(__name__)


def open_for_reading(path: Path) -> Store:
    """The store, or the newest snapshot while another process writes. Raises StoreError."""
    store = open_store(path, read_only=True)
    if store.snapshot_of is not None:
        # a clock that was set back would give a negative age
        age = max((datetime.now(UTC) - store.snapshot_of).total_seconds(), 0.0)
        log.info("%s is writing: this is its snapshot of %s ago.", store.writer, duration(age))
    return store
