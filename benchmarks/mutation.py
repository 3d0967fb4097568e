"""Whether tests notice a wrong sign, quantile or bound: each small change of a module, and the tests run on it.

    python -m benchmarks.mutation reports/stats/bootstrap.py --log mutants.jsonl

One operator, comparison, number or condition is changed at a time, in a copy of the repository, and the module's tests
are run there until one fails. A change that no test notices has survived: it is listed with its line. The log is
resumed: what was noticed stays so, what survived is tried again once its tests have changed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import functools
import gc
import hashlib
import importlib
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import grimp
import hypothesis
import pytest

TESTS = {
    "ensemble/alarm_limits.py": ("test_alarms.py",),
    "ensemble/as_graphs.py": ("test_tracing.py",),
    "ensemble/bundle.py": ("test_parts.py",),
    "ensemble/combiner.py": ("test_combiner.py",),
    "ensemble/combiner_fit.py": ("test_combiner.py", "test_intervals.py"),
    "ensemble/intervals.py": ("test_intervals.py", "-k=not cover and not certain and not 20_rows"),
    "ensemble/novelty.py": (
        "test_alarms.py",
        "test_novelty.py",
        "-k=not one_ordinary and not three_times and not joint_limits and not 1000 and not far_off",
    ),
    "ensemble/parts.py": ("test_parts.py",),
    "ensemble/predictor.py": (
        "test_predictor.py",
        "test_explain.py",
        "test_used_versions.py",
        "test_origin.py",
        "test_parts.py",
        "test_tracing.py",
        "test_photo.py",
    ),
    "ensemble/training_photos.py": ("test_origin.py", "-k=training_photos"),
    "featurestore/calibration.py": ("test_intervals.py",),
    "featurestore/enough_rows.py": ("test_small_data.py", "-k=enough_are or without_an or must_differ"),
    "featurestore/group_differences.py": (
        "test_group_differences.py",
        "-k=p_value or welch or golden or clearest or spread_do or takes_part or named_and or subset or duplicates "
        "or of_a_person",
    ),
    "featurestore/joined_protocols.py": (
        "test_several_data_sets.py",
        "-k=joined or reference or ever or training_rows_alone or follows",
    ),
    "featurestore/normalization.py": (
        "test_normalized_values.py",
        "test_training_sets.py",
        "-k=every_value or bit_for_bit or z_scores or statistics_of_other or chosen_by or averageness or of_some",
    ),
    "featurestore/normalized_values.py": ("test_normalized_values.py",),
    "featurestore/recalibration.py": (
        "test_validity.py",
        "-k=map or line or flat or ten_photos or fall or widened or cover_new",
    ),
    "featurestore/scale_maps.py": (
        "test_several_data_sets.py",
        "-k=map or distortion or rank or knot or rated or histogram or broken_model or linked or kept or fifty",
    ),
    "featurestore/normalization_statistics.py": (
        "test_normalized_values.py",
        "test_bounded_memory.py",
        "test_small_data.py",
        "test_training_sets.py",
        "test_statistics_after_changes.py",
        "-k=every_value or missing or no_more or part_by_part or constant_up_to or pinned_has or from_nothing "
        "or photos_more or do_not_count",
    ),
    "featurestore/training_rows.py": (
        "test_training_sets.py",
        "-k=answers_between or chosen_features or pinned_has or rows_and_columns or sql_of_a_manifest",
    ),
    "featurestore/training_sets.py": ("test_training_sets.py",),
    "reports/pages/groups.py": ("test_groups.py",),
    "reports/stats/bootstrap.py": ("test_bootstrap.py",),
}
"""Module -> the tests that must notice a change of it: files, and which tests of them."""

ENDLESS = "none: they do not end"
PACKAGES = ("kallos", "reports", "ensemble", "models", "featurestore", "extractors", "tests")

PATIENCE = 4
"""Times the tests' own processor time, and as many seconds on top: a change that takes longer counts as noticed."""

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil", "sorted": "list"}


@dataclass(frozen=True)
class Change:
    """One change of a module: the line, the expression before and after; after it the function, and the whole source.

    It is known by the function: what was noticed counts as noticed while other functions change.
    """

    line: int
    was: str
    becomes: str
    function: str
    source: str

    @property
    def key(self) -> str:
        return hashlib.sha256(self.function.encode()).hexdigest()[:16]


def changes(source: str) -> list[Change]:
    """All changes of a module, by line."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content, found, tree = b"".join(lines), [], ast.parse(source)
    spans = [(starts[node.lineno - 1], starts[node.end_lineno or 0]) for node in _statements(tree)]
    for node in _expressions(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        for other in _others(node):
            becomes = ast.unparse(other)
            low, high = max(span for span in spans if span[0] <= start < span[1])
            first, last = content[low:start] + f"({becomes})".encode(), content[end:high]
            after = content[:low] + first + last + content[high:]
            found.append(Change(node.lineno, ast.unparse(node), becomes, (first + last).decode(), after.decode()))
    return sorted(found, key=lambda change: change.line)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that run: no annotations; nor parts of f-strings, whose places Python 3.11 does not know.

    Nor `strict=True` of `zip`, which notices a mistake elsewhere.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not _is_strict(child):
                if isinstance(child, ast.expr):
                    yield child
                yield from _expressions(child)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Functions, and what stands beside them in the module and in classes."""
    inside = [*tree.body]
    while inside:
        node = inside.pop()
        yield node
        if isinstance(node, ast.ClassDef):
            inside += node.body


def _is_strict(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _others(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression may be changed to."""
    other = copy.deepcopy(node)
    match other:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            other.op = OPERATORS[type(op)]()  # type: ignore[assignment]
            yield other
        case ast.Compare(ops=[op]):
            other.ops = [OPERATORS[type(op)]()]  # type: ignore[list-item]
            yield other
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield other.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not other.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(other.value + 1)
        case ast.IfExp():
            yield ast.IfExp(ast.UnaryOp(ast.Not(), other.test), other.body, other.orelse)
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name])
        case ast.Attribute(attr=name) if name in NAMES:
            other.attr = NAMES[name]
            yield other


@dataclass(frozen=True)
class Outcome:
    """Whether tests pass; those that failed; the modules that were imported; each test's seconds."""

    passed: bool
    failed: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


class Order:
    """Runs tests in an order, and remembers which failed and how much processor time each took.

    rank       of a test by its id; None for one that is left out
    longest    processor time after which a test is skipped
    """

    def __init__(self, rank: Callable[[str], float | None], longest: float = 0.0) -> None:
        self._rank, self.longest, self.failed, self.seconds = rank, longest, list[str](), dict[str, float]()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        ranked = [(self._rank(item.nodeid), item) for item in items]
        # without conftest.py there is no workspace
        has_workspace = "shared" in items[0].fixturenames
        chosen = [
            (r, item) for r, item in ranked if r is not None and (has_workspace or "workspace" not in item.fixturenames)
        ]
        items[:] = [item for _, item in sorted(chosen, key=lambda pair: pair[0])]

    def pytest_collection_finish(self) -> None:
        """Let tests copy the stores that the first run made: to make one takes longer than most tests."""
        if module := sys.modules.get("tests.synthetic_store"):
            module._built_once = functools.partial(_cached_store, module._built_once)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Fixtures do not count: the first test that wants the workspace builds it."""
        signal.signal(signal.SIGPROF, lambda *_: pytest.skip("takes long"))
        signal.setitimer(signal.ITIMER_PROF, self.longest)
        began = time.process_time()
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.seconds[item.nodeid] = time.process_time() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += [report.nodeid] if report.failed else []


def _cached_store(make: Callable[..., Path], *arguments: object) -> Path:
    copy = Path("stores").absolute() / "-".join(map(str, arguments))
    if not copy.exists():
        shutil.copytree(make(*arguments).parent, copy)
    return copy / "s.duckdb"


class Copy:
    """The tracked files of the repository in a folder of their own, where modules are changed and tests are run."""

    def __init__(self, folder: Path, workspace: Path | None) -> None:
        """With a folder for it, tests may use the trained workspace of `conftest.py`, which is built there once."""
        self._folder = folder / "repository"
        self._options = ["-q", "--assert=plain", f"--basetemp={(workspace or folder) / 'written'}"]
        self._options += [] if workspace else ["--noconftest"]
        if workspace:
            workspace.mkdir(parents=True, exist_ok=True)
        tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True).stdout
        for name in filter(None, tracked.split("\0")):
            if Path(name).is_file():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(name, self._folder / name)

    def enter(self) -> None:
        """Import from here from now on."""
        os.chdir(self._folder)
        sys.path.insert(0, str(self._folder))
        sys.dont_write_bytecode = False

    def run(self, tests: Sequence[str], order: Order, limit: int | None = None) -> Outcome:
        """Run tests in a fork until one fails: it has what was imported, and leaves nothing behind.

        limit    seconds of processor time
        """
        receiver, sender = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=self._run, args=(tests, order, limit, sender))
        child.start()
        sender.close()
        outcome = Outcome(False, (ENDLESS,))
        # a change may wait for ever without any processor time
        if receiver.poll(limit and 20 * limit):
            with contextlib.suppress(EOFError):
                outcome = receiver.recv()
        child.kill()
        child.join()
        return outcome

    def _run(self, tests: Sequence[str], order: Order, limit: int | None, sender: Any) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        if limit:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        # as in conftest.py
        hypothesis.settings.register_profile("mutation", deadline=None, derandomize=True)
        hypothesis.settings.load_profile("mutation")
        # so that the workspace is that of earlier runs
        os.environ["PYTEST_XDIST_WORKER"] = "only"
        options = self._options if order.longest else ["-x", *self._options]
        code = pytest.main([*options, "-p", "no:cacheprovider", "-p", "no:xdist", *tests], [order])
        sender.send(Outcome(code == 0, tuple(order.failed), tuple(sys.modules), order.seconds))
        # what a test leaves running must not hold the fork
        os._exit(0)

    def with_change(self, module: str, change: Change, run: Callable[[], Outcome]) -> Outcome:
        """What tests say of a change."""
        path = self._folder / module
        before = path.read_text()
        try:
            self._write(path, change.source)
            return run()
        finally:
            self._write(path, before)

    @staticmethod
    def _write(path: Path, source: str) -> None:
        path.write_text(source)
        # two changes within a second may be of one size, and Python would take the one for the other
        Path(cache_from_source(str(path))).unlink(missing_ok=True)


def _import_what_stays(module: str, imported: Sequence[str]) -> None:
    """Import, of these, what does not depend on a module: forks then read only the module and what does."""
    changing = module.removesuffix(".py").replace("/", ".")
    dependent = grimp.build_graph(*PACKAGES, cache_dir=None).find_downstream_modules(changing) | {changing}
    for name in imported:
        if name not in dependent and not name.startswith("tests"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _try(repository: Copy, module: str, sample: int | None, log: Path, longest: float) -> None:
    """Try changes of one module and print what survived: in a process of its own, as it imports."""
    repository.enter()
    tried, tests = (
        changes(Path(module).read_text()),
        [name if name.startswith("-k") else f"tests/{name}" for name in TESTS[module]],
    )
    if sample:
        tried = random.Random(0).sample(tried, min(sample, len(tried)))
    content = [test.encode() if test.startswith("-k") else Path(test).read_bytes() for test in tests]
    tests_hash = hashlib.sha256(b"".join(content)).hexdigest()[:16]
    records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    records = [line for line in records if line["module"] == module]
    settled = {line["key"]: line for line in records if not line["survived"] or line["tests"] == tests_hash}
    noticed = Counter(str(line.get("by")) for line in records)
    file = log.with_suffix(".tests.json")
    measured = json.loads(file.read_text()) if file.exists() else {}
    if measured.get(module, {}).get("tests") != tests_hash:
        whole = repository.run(tests, Order(lambda _: 0.0, 4 * longest))
        seconds = {name: taken for name, taken in whole.seconds.items() if name not in whole.failed}
        measured[module] = {"tests": tests_hash, "seconds": seconds, "imported": whole.imported, "failed": whole.failed}
        file.write_text(json.dumps(measured))
    whole_seconds = measured[module]["seconds"]
    _import_what_stays(module, measured[module]["imported"])
    # what is there stays: else each fork would look through it all
    gc.collect()
    gc.freeze()
    began = _seconds_of_forks()
    again = repository.run(tests, Order({name: s for name, s in whole_seconds.items() if s <= 4 * longest}.get))
    if not again.passed:
        sys.exit(f"The tests of {module} fail before any change: {again.failed}.")
    chosen = {name: seconds for name, seconds in again.seconds.items() if seconds <= longest}
    startup = _seconds_of_forks() - began - sum(again.seconds.values())
    took = sum(chosen.values())
    limit = math.ceil(PATIENCE * (took + startup + 1))

    def rank(name: str) -> float | None:
        """What noticed most changes first, then what takes least."""
        return chosen[name] / 1_000 - noticed[name] if name in chosen else None

    outcomes = []
    for change in tried:
        line = settled.get(change.key)
        if line is None:
            outcome = repository.with_change(module, change, lambda: repository.run(tests, Order(rank), limit))
            failed = next(iter(outcome.failed), "")
            noticed[failed] += not outcome.passed
            about = {name: value for name, value in asdict(change).items() if name not in ("function", "source")}
            line = {"module": module, "key": change.key, "tests": tests_hash, **about, "survived": outcome.passed}
            line["by"] = failed
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
        outcomes.append(line)
    _print(module, outcomes)
    failed = measured[module]["failed"]
    left_out = len(whole_seconds) - len(chosen)
    print(f"  {len(chosen)} tests, {took:.1f} s; left out {left_out} that take longer; failing: {failed}", flush=True)


def _seconds_of_forks() -> float:
    """Processor time of all forks that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=sorted(TESTS), help="by default all that tests are named for")
    parser.add_argument("--log", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--sample", type=int, help="changes of a module, drawn with a fixed seed; by default all")
    parser.add_argument("--longest", type=float, default=0.5, help="processor seconds of a test, else it is left out")
    parser.add_argument(
        "--workspace", type=Path, help="folder for the tests' trained workspace; else they are left out"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repository = Copy(Path(folder), arguments.workspace and arguments.workspace.absolute())
        for module in arguments.modules:
            process = multiprocessing.get_context("fork").Process(
                target=_try, args=(repository, module, arguments.sample, arguments.log.absolute(), arguments.longest)
            )
            process.start()
            process.join()


def _print(module: str, outcomes: list[dict[str, object]]) -> None:
    count = Counter(bool(line["survived"]) for line in outcomes)
    print(f"{module}: {count[True]} of {count.total()} changes survived", flush=True)
    for line in outcomes:
        if line["survived"]:
            print(f"  {module}:{line['line']}  {line['was']}  ->  {line['becomes']}", flush=True)


if __name__ == "__main__":
    main()
