"""The drawn portraits of the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kallos.importers.spec import Importer

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet

MIN_PORTRAITS = 20
"""Minimum number of portraits for five folds."""


def read(
    folder: Annotated[Path, "Where the portraits are drawn."] = Path("portraits"),
    *,
    count: Annotated[int, f"How many portraits, {MIN_PORTRAITS} or more."] = 500,
    seed: Annotated[int, "Seed of all random choices; another seed draws other faces."] = 0,
    on_progress: Callable[[int, int, str], None],
) -> DataSet:
    """Portraits that kallos draws itself, rated by 60 simulated raters whose preference is known."""
    from featurestore.errors import UsageError
    from featurestore.ingest.demo import read_demo
    from kallos.portraits.dataset import write_demo

    if count < MIN_PORTRAITS:
        raise UsageError(f"{count} portraits are too few: draw {MIN_PORTRAITS} or more.")
    write_demo(folder, count, seed, on_progress)
    return read_demo(folder)


DEMO = Importer("demo", read)
