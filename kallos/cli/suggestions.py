"""Adds the typed --store to the commands in messages and reports, so that they work as printed."""

import re
import shlex
import sys
from functools import cache

from rich.text import Text

_NAMED = re.compile(r"`(kallos [^`]+)`")


def complete(text: Text) -> Text:
    """The text with --store added to commands that take it, if the running command was given one."""
    store = _typed_store()
    if store is None:
        return text
    ends = [match.end() - 1 for match in _NAMED.finditer(text.plain) if _takes_a_store(match[1])]
    return text.blank_copy(f" --store {shlex.quote(store)}").join(text.divide(ends))


def _typed_store() -> str | None:
    for word, following in zip(sys.argv, sys.argv[1:], strict=False):
        if word == "--store":
            return following
    return next((word.removeprefix("--store=") for word in sys.argv if word.startswith("--store=")), None)


@cache
def _takes_a_store(command: str) -> bool:
    from typer.main import get_command

    from kallos.cli.app import app

    command_or_group = get_command(app)
    for word in command.split()[1:]:
        command_or_group = getattr(command_or_group, "commands", {}).get(word, command_or_group)
    return "--store" not in command and any("--store" in parameter.opts for parameter in command_or_group.params)
