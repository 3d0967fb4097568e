"""One small trained workspace for all tests that need models: drawn, ingested, extracted, trained, exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

# torch's threads spin: beside another busy process two of them are many times slower than one
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.command import done

TRAINING = (
    *("--backbone", "mobilenet_v3_small", "--weights", "none", "--image-size", 64, "--epochs", 2),
    *("--precision", "float32"),
)
MAY_SKIP = Path(__file__).with_name("skips.txt")


def pytest_configure() -> None:
    """The user's own store and settings are not the tests'."""
    for name in [name for name in os.environ if name.startswith("KALLOS_") and name != "KALLOS_SHARED"]:
        del os.environ[name]


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


def may_skip(written: str) -> set[str]:
    """The files of tests/skips.txt; each line says why."""
    lines = [line.split(maxsplit=1) for line in written.splitlines() if line and not line.startswith("#")]
    assert all(len(line) == 2 for line in lines), "each skip needs its reason"
    return {file for file, _ in lines}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing skips in silence: a skip that is not on the list fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = {report.nodeid.split("::")[0] for report in reporter.stats.get("skipped", [])}
    if strange := skipped - may_skip(MAY_SKIP.read_text(encoding="utf-8")):
        reporter.write_line(f"skipped, and not in tests/skips.txt: {', '.join(sorted(strange))}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
