"""What kallos needs of the system: found missing before anything is downloaded, and named when an import fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kallos.cli import system_libraries as system
from tests.command import kallos

FAKE = {"libnothing-of-kallos.so.9": "libnothing9"}
GONE = "libGL.so.1: cannot open shared object file: No such file or directory"


def test_a_library_that_cannot_be_loaded_is_missing(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert system.missing(FAKE) == ["libnothing9"]
    assert system.missing({}) == []


def test_without_root_the_line_to_type_is_named_and_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(system, "missing", lambda: ["libgl1", "libgomp1"])
    monkeypatch.setattr(system.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system.subprocess, "run", lambda *_, **__: pytest.fail("nothing may be run"))
    for apt, line in (("/usr/bin/apt-get", "sudo apt-get install libgl1 libgomp1"), (None, "libgl1, libgomp1")):
        monkeypatch.setattr(system.shutil, "which", lambda _, apt=apt: apt)
        with pytest.raises(SystemExit, match=line):
            system.main()


def test_as_root_they_are_installed(monkeypatch):
    lacking, run = [["libgl1"], []], []
    monkeypatch.setattr(system, "missing", lambda: lacking.pop(0))
    monkeypatch.setattr(system.os, "geteuid", lambda: 0)
    monkeypatch.setattr(system.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(system.subprocess, "run", lambda command, **_: run.append(command))
    system.main()
    assert [command[1] for command in run] == ["update", "install"]
    assert run[1][-1] == "libgl1"


def test_it_runs_alone_without_any_package():
    run = subprocess.run([sys.executable, "-I", "-S", system.__file__], capture_output=True, text=True, cwd="/")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("error", [ImportError(GONE), OSError(GONE)])
def test_an_import_that_fails_for_want_of_a_library_is_a_sentence(error: Exception, monkeypatch, tmp_path: Path):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("kallos.workflows.stores.open_store", fail)
    (tmp_path / "s.duckdb").touch()
    answer = kallos("tables", "--store", tmp_path / "s.duckdb")
    assert answer.code == 3
    assert "libgl1" in answer.err
    assert "Traceback" not in answer.err
