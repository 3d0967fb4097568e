"""What is on the screen before a command has anything to say, and `--version`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from importlib.metadata import version

import pytest

from kallos.cli.loading import LINE
from tests.command import kallos, kallos_ok

EACH_COMMAND = """
import sys
from typer.main import get_command
from kallos.cli.app import app, main

HEAVY = {"torch", "mediapipe", "duckdb", "polars", "numpy", "cv2", "lightgbm", "onnxruntime", "rich.progress"}

class Written(BaseException):
    pass

class Terminal:
    def isatty(self):
        return True
    def write(self, text):
        raise Written(text)

def leaves(group, typed):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, [*typed, name])
        else:
            yield [*typed, name, *(word for needed in command.params if needed.required for word in words(needed))]

def words(needed):
    name = [needed.opts[0]] if needed.opts[0].startswith("-") else []
    return [*name, {"what": "all", "shell": "bash"}.get(needed.name, "1")]

sys.stderr = Terminal()
for typed in leaves(get_command(app), []):
    sys.argv = ["kallos", *typed]
    try:
        main()
    except Written as written:
        print(str(written), HEAVY & set(sys.modules), *typed)
sys.stderr = sys.__stderr__
"""


def test_every_command_shows_the_line_before_it_imports_anything_heavy():
    answer = subprocess.run([sys.executable, "-c", EACH_COMMAND], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
    lines = answer.stdout.splitlines()
    assert len(lines) > 30
    assert not [line for line in lines if not line.startswith(f"{LINE} set() ")]


@pytest.mark.parametrize("arguments", [("sql", "SELECT 1"), ("tables", "--json"), ("report",), ("nothing",)])
def test_on_a_terminal_the_line_goes_before_anything_else_is_shown(tmp_path, arguments):
    shown = on_a_terminal(*arguments, "--store", str(tmp_path / "none.duckdb"))
    line, rest = shown.split("\r", 1) if arguments != ("nothing",) else (LINE, shown)
    assert line == LINE
    assert rest.split("\r")[-1].strip() or rest.strip()
    assert LINE not in rest


def test_elsewhere_and_for_help_there_is_no_line(workspace):
    assert kallos_ok("sql", "SELECT 1", "--store", workspace.store).err == ""
    assert LINE not in on_a_terminal("score", "--help")


def test_the_version_is_that_of_the_package():
    answer = kallos_ok("--version")
    assert answer.out == f"kallos {version('kallos')}\n"
    assert kallos("--version", "sql").out == answer.out


def on_a_terminal(*arguments: str) -> str:
    """All that a command shows on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "kallos", *arguments], stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # the terminal is gone with its last process
        finally:
            os.close(ours)
    return shown.decode()
