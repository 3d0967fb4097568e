"""Commands as messages name them, in backticks, and whether the command line takes them as they are printed."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from typing import Any

import pytest
import typer
import typer.main

from kallos.cli.app import app

NAMED = re.compile(r"`(kallos(?: [^`]*)?)`")


def leaves(command: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command of the command line, by the words that call it."""
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        return {path: command}
    itself = {path: command} if command.invoke_without_command else {}
    return itself | {
        words: leaf for name, below in command.commands.items() for words, leaf in leaves(below, (*path, name)).items()
    }


def trouble(command: str) -> str | None:
    """Why the command line would not take a command as it is typed; None when it does. Nothing is run."""
    line = typer.main.get_command(app)
    with contextlib.redirect_stdout(io.StringIO()), pytest.MonkeyPatch.context() as patch:
        for leaf in leaves(line).values():
            patch.setattr(leaf, "callback", lambda **_: None)
        try:
            line.main(shlex.split(command)[1:], prog_name="kallos", standalone_mode=False)
        except typer.TyperException as error:
            return f"{type(error).__name__}: {error}"
    return None


def named(text: str) -> list[str]:
    """The commands that a text names."""
    return NAMED.findall(text)
