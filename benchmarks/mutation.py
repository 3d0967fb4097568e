"""Whether tests notice a wrong sign, quantile or bound: each small change of a module, and the tests run on it.

    python -m benchmarks.mutation reports/stats/bootstrap.py --log mutants.jsonl

One operator, comparison, number or condition is changed at a time, in a copy of the repository, and the module's tests
are run there until one fails. A change that no test notices has survived: it is listed with its line. The log is
resumed: what was noticed stays so, what survived is tried again once its tests have changed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import cache_from_source
from pathlib import Path

import pytest

TESTS = {
    "ensemble/alarm_limits.py": ("tests/test_alarms.py",),
    "ensemble/combiner.py": ("tests/test_combiner.py",),
    "ensemble/combiner_fit.py": ("tests/test_combiner.py", "tests/test_intervals.py"),
    "ensemble/intervals.py": ("tests/test_intervals.py",),
    "ensemble/novelty.py": ("tests/test_alarms.py", "tests/test_novelty.py"),
    "featurestore/calibration.py": ("tests/test_intervals.py",),
    "featurestore/group_differences.py": ("tests/test_group_differences.py",),
    "featurestore/statistics.py": ("tests/test_bounded_memory.py",),
    "featurestore/training_rows.py": ("tests/test_training_sets.py",),
    "featurestore/training_sets.py": ("tests/test_training_sets.py",),
    "reports/pages/groups.py": ("tests/test_groups.py",),
    "reports/stats/bootstrap.py": ("tests/test_bootstrap.py",),
}
"""Module -> the tests that must notice a change of it: those of its files that need no trained workspace."""

LIBRARIES = ("cv2", "duckdb", "polars", "rich.console", "scipy.stats", "sklearn.isotonic")
"""Imported once, before the forks. Of this repository nothing is."""

PATIENCE = 4
"""Times the tests' own time, and as many seconds on top: then a change counts as noticed, as it never ends."""

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
    """One change of a module: the line, the expression before and after, and the whole source after it."""

    line: int
    was: str
    becomes: str
    source: str

    @property
    def key(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


def changes(source: str) -> list[Change]:
    """All changes of a module, by line."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content, found = b"".join(lines), []
    for node in _expressions(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        for other in _others(node):
            becomes = ast.unparse(other)
            after = content[:start] + f"({becomes})".encode() + content[end:]
            found.append(Change(node.lineno, ast.unparse(node), becomes, after.decode()))
    return sorted(found, key=lambda change: change.line)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that run: no annotations; nor parts of f-strings, whose places Python 3.11 does not know."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                if isinstance(child, ast.expr):
                    yield child
                yield from _expressions(child)


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


class WithoutWorkspace:
    """Leaves out what needs the trained workspace of `conftest.py`, which takes minutes to build."""

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items[:] = [item for item in items if "workspace" not in item.fixturenames]


class Copy:
    """The tracked files of the repository in a folder of their own, where modules are changed and tests are run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True).stdout
        for name in filter(None, tracked.split("\0")):
            if Path(name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(name, folder / name)

    def passes(self, tests: tuple[str, ...], limit: float | None = None) -> bool:
        """Whether the tests pass, and end: in a fork, which has the libraries already and leaves nothing behind."""
        child = multiprocessing.get_context("fork").Process(target=self._run, args=(tests,))
        child.start()
        child.join(limit)
        child.kill()
        child.join()
        return child.exitcode == 0

    def _run(self, tests: tuple[str, ...]) -> None:
        os.chdir(self._folder)
        sys.path.insert(0, str(self._folder))
        sys.dont_write_bytecode = False
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        # what a test leaves running must not hold the fork
        options = ("-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist")
        os._exit(pytest.main([*options, *tests], [WithoutWorkspace()]))

    def survives(self, module: str, change: Change, tests: tuple[str, ...], limit: float) -> bool:
        """Whether the tests pass on a change."""
        path = self._folder / module
        before = path.read_text()
        try:
            self._write(path, change.source)
            return self.passes(tests, limit)
        finally:
            self._write(path, before)

    @staticmethod
    def _write(path: Path, source: str) -> None:
        path.write_text(source)
        # two changes within a second may be of one size, and Python would take the one for the other
        Path(cache_from_source(str(path))).unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=sorted(TESTS), help="by default all that tests are named for")
    parser.add_argument("--log", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--sample", type=int, help="changes of a module, drawn with a fixed seed; by default all")
    arguments = parser.parse_args()
    known = [json.loads(line) for line in arguments.log.read_text().splitlines()] if arguments.log.exists() else []
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        repository = Copy(Path(folder))
        for module in arguments.modules:
            tests = TESTS[module]
            tests_hash = hashlib.sha256(b"".join(Path(test).read_bytes() for test in tests)).hexdigest()[:16]
            settled = {line["key"]: line for line in known if not line["survived"] or line["tests"] == tests_hash}
            tried = changes(Path(module).read_text())
            if arguments.sample:
                tried = random.Random(0).sample(tried, min(arguments.sample, len(tried)))
            began = time.monotonic()
            if not repository.passes(tests):
                sys.exit(f"The tests of {module} fail before any change: {', '.join(tests)}.")
            limit = PATIENCE * (time.monotonic() - began + 1)
            outcomes = []
            for change in tried:
                line = settled.get(change.key)
                if line is None:
                    about = {name: value for name, value in asdict(change).items() if name != "source"}
                    survived = repository.survives(module, change, tests, limit)
                    line = {"module": module, "key": change.key, "tests": tests_hash, **about, "survived": survived}
                    with arguments.log.open("a") as log:
                        log.write(json.dumps(line) + "\n")
                outcomes.append(line)
            _print(module, outcomes)


def _print(module: str, outcomes: list[dict[str, object]]) -> None:
    count = Counter(bool(line["survived"]) for line in outcomes)
    print(f"{module}: {count[True]} of {count.total()} changes survived", flush=True)
    for line in outcomes:
        if line["survived"]:
            print(f"  {module}:{line['line']}  {line['was']}  ->  {line['becomes']}", flush=True)


if __name__ == "__main__":
    main()
