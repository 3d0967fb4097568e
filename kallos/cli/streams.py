"""Standard streams that lack characters, or whose reader has closed them."""

import codecs
import io
import json
import os
import sys

OUTPUT_CLOSED = 141
"""The exit code of a command whose output is closed, as in `kallos report | head -1`: that of SIGPIPE."""

_DRAWN = dict(
    zip(
        "·…–—−×±≤²³‖→✓✗━╸─│┤┬└├┐┌┘┼●▁▂▃▄▅▆▇█▀╭╮╰╯░▒▓",
        ".~---x~<23|>+x==-|++++++++o_.-=+*%##++++.=%",
        strict=True,
    )
)
"""Characters that kallos and rich draw with -> a plain equivalent."""

_BRAILLE = range(0x2800, 0x2900)
_DOTS = " ...::::#"
"""Replacement of a braille cell by its number of dots."""


def prepare() -> None:
    """Let the standard streams escape characters that they lack, as JSON does: `\\u4f60`.

    A closed stream (`>&-`) is replaced by the null device; else the next file, such as the store, would get its number.
    """
    codecs.register_error("kallos", _escaped)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="kallos")


def plain(text: str, encoding: str) -> str:
    """The text with drawing characters that the encoding lacks replaced, one for one, so that columns stay aligned."""
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


def is_output_closed(stop: SystemExit) -> bool:
    """Whether a command ended because its output was closed: typer and rich then exit with code 1."""
    return isinstance(stop.__context__, BrokenPipeError)


def discard_output() -> None:
    """Suppress errors about unwritten output when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
