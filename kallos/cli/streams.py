"""Standard streams that lack characters, or that nobody reads any more."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys

NOBODY_READS = 141
"""The exit code of a command whose output nobody reads any more, as in `kallos report | head -1`: SIGPIPE's."""

_DRAWN = dict(
    zip(
        "·…–—−×±²³‖→✓✗━╸─│┤┬└├┐┌┘┼●▁▂▃▄▅▆▇█╭╮╰╯░▒▓",
        ".~---x~23|>+x==-|++++++++o_.-=+*%#++++.=%",
        strict=True,
    )
)
"""What kallos and rich draw with -> a plain character that says the same."""

_BRAILLE = range(0x2800, 0x2900)
_DOTS = " ...::::#"
"""What a braille cell of so many dots becomes."""


def get_ready() -> None:
    """No character is too much for the standard streams: what one lacks is written as JSON would, `\\u4f60`.

    A stream that is closed (`>&-`) leads nowhere; else its number would be that of the next file, such as the store.
    """
    codecs.register_error("kallos", _escaped)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="kallos")


def plain(text: str, encoding: str) -> str:
    """The text with plain characters for what is drawn and that encoding lacks: one for one, so that columns stay."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_plain(character, encoding) for character in text)
    return text


def _plain(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        if ord(character) in _BRAILLE:
            return _DOTS[(ord(character) & 0xFF).bit_count()]
        return _DRAWN.get(character, character)
    return character


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def is_unread(stop: SystemExit) -> bool:
    """Whether a command ended because nobody reads its output: typer and rich end with code 1 then."""
    return isinstance(stop.__context__, BrokenPipeError)


def leave_unread() -> None:
    """Nothing is said of what is left in the streams when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
