"""Runs the command line inside the test's process, as a user would type it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import typer.main

from kallos.cli.app import main

# Typer builds the whole command line at each call, which takes longer than most commands
typer.main.get_command = cache(typer.main.get_command)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def kallos(*arguments: object, encoding: str = "utf-8") -> Answer:
    """Run `kallos ARGUMENTS...` with streams of that encoding; a traceback of a bug is raised as it is."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, newline="", write_through=True) for _ in range(2))
    code = 0
    argv = ["kallos", *map(str, arguments)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(sys, "argv", argv):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Answer(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))


def kallos_ok(*arguments: object) -> Answer:
    """Run a command that must succeed."""
    answer = kallos(*arguments)
    assert answer.code == 0, answer.err
    return answer
