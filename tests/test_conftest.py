"""The tests of the tests: what the user has set is not seen, and a skip is not silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MAY_SKIP, may_skip

ROOT = Path(__file__).parent.parent
SKIPS = """
import pytest

def test_that_skips():
    pytest.skip("no browser here")
"""
LOOKS = """
import os

def test_that_looks():
    assert not [name for name in os.environ if name.startswith("KALLOS_")]
"""


def tried(folder: Path, test: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest with this project's conftest on a test of its own."""
    (folder / "test_tried.py").write_text(test)
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    typed = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", str(folder)]
    kept |= {"PYTHONPATH": str(ROOT)}
    return subprocess.run(typed, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=120)


def test_what_the_user_has_set_is_not_seen(tmp_path: Path):
    run = tried(tmp_path, LOOKS, KALLOS_STORE="mine.duckdb", KALLOS_ANYTHING="1")
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({"CI": "true"}, 1)])
@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_a_skip_that_is_not_on_the_list_fails_in_ci(tmp_path, environment, code, processes):
    run = tried(tmp_path, SKIPS, PYTEST_ADDOPTS=" ".join(processes), **environment)
    assert run.returncode == code, run.stdout
    assert ("not in tests/skips.txt: test_tried.py" in run.stdout) == bool(code)


def test_the_list_is_short_and_names_tests_that_there_are():
    files = may_skip(MAY_SKIP.read_text())
    assert len(files) <= 5
    assert all((ROOT / file).is_file() and "skip" in (ROOT / file).read_text() for file in files)
