"""One small trained workspace for all tests that need models: drawn, ingested, extracted, trained, exported."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

for name in [name for name in os.environ if name.startswith("KALLOS_") and name != "KALLOS_SHARED"]:
    # settings of whoever runs the tests, such as their own store
    del os.environ[name]

# torch's threads spin: beside another busy process two of them are many times slower than one
os.environ.setdefault("OMP_NUM_THREADS", "1")

from kallos.engines import pool  # noqa: E402
from kallos.workflows import score  # noqa: E402
from kallos.workflows.report import report  # noqa: E402
from models.baseline import trees  # noqa: E402
from models.networks import onnx_graphs  # noqa: E402
from models.regions import fitter as regions_fitter  # noqa: E402
from tests.command import kallos_ok  # noqa: E402

# timings belong in benchmarks: on a busy machine any test may take a second
# and the examples are the same in every run, so that one fails for a change and not by chance
settings.register_profile("kallos", deadline=None, derandomize=True)
settings.load_profile("kallos")

# a worker takes longer to start than most tests' photos take it, and the tests themselves run side by side
pool.WORKERS = 1

TRAINING = (
    # the network of torchvision that is soonest written as a graph
    *("--backbone", "squeezenet1_1", "--weights", "none", "--image-size", 64, "--epochs", 2),
    *("--precision", "float32"),
)


class _ExportedOnce:
    """`onnx_graphs.export`, once for all processes of a run: torch takes ten seconds to turn a network into a graph.

    Weights do not matter: they are filled in afterwards.
    """

    def __init__(self, export: Callable[..., Any]) -> None:
        self._export, self.folder = export, Path()

    def __call__(self, network: Any, inputs: Any, outputs: Any, any_size: Any) -> Any:
        import onnx_ir

        model = getattr(network, "_model", network)
        settings = [getattr(model, name, None) for name in ("config", "_sizes", "name")]
        shapes = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
        key = repr((settings, shapes, outputs, any_size, [(name, each.shape) for name, each in inputs.items()]))
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                onnx_ir.save(self._export(network, inputs, outputs, any_size).model, path)
        return SimpleNamespace(model=onnx_ir.load(path))


# here, before any module takes them by name
onnx_graphs.export = exported_once = _ExportedOnce(onnx_graphs.export)
# the accuracy of these models is nothing that a test looks at
regions_fitter.SubscoreConfig = partial(regions_fitter.SubscoreConfig, epochs=10)
trees.BaselineConfig = partial(trees.BaselineConfig, rounds=100)


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    exported_once.folder = folder / "graphs"
    exported_once.folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Workspace:
    """Where the pieces lie. Tests must not change them."""

    portraits: Path
    store: Path
    bundle: Path

    @property
    def portrait(self) -> Path:
        return self.portraits / "images" / "P0001.jpg"

    def ingest(self, path: Path) -> None:
        """The portraits into a new store, with the encoder's graph: torch takes ten seconds to write it."""
        kallos_ok("ingest", "demo", self.portraits, "--count", 120, "--store", path)
        shutil.copytree(self.store.with_suffix(".runs") / "encoders", path.with_suffix(".runs") / "encoders")


@pytest.fixture(scope="session")
def workspace(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The first process of a run that wants it builds it; the others wait. Each has a copy: a store has one writer."""
    folder = shared / "demo"
    built = Workspace(folder / "portraits", folder / "kallos.duckdb", folder / "bundle")
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            options = ("--store", built.store)
            kallos_ok("ingest", "demo", built.portraits, "--count", 120, *options)
            kallos_ok("extract", "--encoder", "mobilenet_v3_small", "--weights", "none", *options)
            kallos_ok("train", "all", *TRAINING, *options)
            kallos_ok("export", built.bundle, *options)
    assert built.bundle.is_dir(), "building the workspace failed in another process"
    copy = tmp_path_factory.getbasetemp() / "demo"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("portraits"))
    (copy / "portraits").symlink_to(built.portraits)
    return Workspace(built.portraits, copy / "kallos.duckdb", copy / "bundle")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many photos are scored by workers, as 32 are elsewhere."""
    monkeypatch.setattr(score, "MIN_PARALLEL", 8)
    return 8


@pytest.fixture(scope="module")
def reports_once() -> Iterator[None]:
    """For tests of how reports are written: what is in one is computed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kallos.workflows.report.report", cache(report))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process builds the workspace; the others have tests that need none of it meanwhile."""
    with_it = {item.path for item in items if "workspace" in getattr(item, "fixturenames", ())}
    first = next((item.path for item in items if item.path in with_it), None)
    items.sort(key=lambda item: (item.path != first, item.path in with_it))


SKIPS = Path(__file__).with_name("skips.txt")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip whose reason is not on the list fails the run: nothing is left out unseen."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or "CI" not in os.environ:
        return
    lines = [line for line in SKIPS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    allowed = tuple(re.split(r"\s{2,}", line)[0] for line in lines)
    reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", [])}
    if unexpected := sorted(reason for reason in reasons if not reason.startswith(allowed)):
        reporter.write_line(
            f"Skipped for reasons that tests/skips.txt does not allow: {'; '.join(unexpected)}", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
