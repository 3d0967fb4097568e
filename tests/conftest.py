"""One small trained workspace for all tests that need models: drawn, ingested, extracted, trained, exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

# torch's threads spin: beside another busy process two of them are many times slower than one
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.command import done

TRAINING = ("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", 64, "--epochs", 2)


@dataclass(frozen=True)
class Workspace:
    """Where the pieces lie. Tests must not change them."""

    portraits: Path
    store: Path
    bundle: Path

    @property
    def portrait(self) -> Path:
        return self.portraits / "images" / "P0001.jpg"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("workspace") / "demo"
    folder.mkdir()
    made = Workspace(folder / "portraits", folder / "kallos.duckdb", folder / "bundle")
    at = ("--store", made.store)
    done("ingest", "demo", made.portraits, "--count", 120, *at)
    done("extract", "--weights", "none", *at)
    done("train", "all", *TRAINING, *at)
    done("export", made.bundle, *at)
    return made
