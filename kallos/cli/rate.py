"""`kallos rate`: a person rates faces of the store, and a model of that person's eye grows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Json, Protocol, StorePath
from kallos.cli.outputs import output_option, wrote

if TYPE_CHECKING:
    from kallos.workflows.one_rater import RatingSession

KEYS = "a number; u takes the last one back, s skips, q stops"


def rate(
    rater: Annotated[str, typer.Argument(help="The name that your ratings go by.", metavar="NAME")],
    export: Annotated[
        Path | None, output_option("Write the model into this safetensors file, and ask nothing.")
    ] = None,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Rate faces of the store one after the other, and see a model of your eye grow. Stop and go on at any time.

    With --json nothing is asked: what is known so far is printed.
    """
    from kallos.cli.console import show
    from kallos.workflows.one_rater import open_session
    from reports.pages.one_rater import render

    session = open_session(store, rater, protocol=protocol, fold=fold)
    if export:
        wrote(session.export(export), ": your model; it tells what you would say, so guard it")
    elif not json:
        _ask(session)
    show("one_rater", session.report, render, json)


def _ask(session: RatingSession) -> None:
    from featurestore.errors import UsageError
    from kallos.cli.console import note, out
    from kallos.workflows.one_rater import CONSENT

    if not session.rated:
        out.print(CONSENT)
        if _answer("Do you agree (yes or no)?") != "yes":
            note("Nothing was asked and nothing is stored.")
            return
    skipped: set[str] = set()
    while (image_id := session.next_photo(skipped)) is not None:
        _show(session.photo(image_id), image_id)
        answer = _answer(f"Your rating, {session.pool.scale.words} ({KEYS})?")
        if answer in ("", "q"):
            return
        if answer == "s":
            skipped.add(image_id)
        elif answer == "u":
            last = session.undo()
            note(f"The rating of {last} is taken back." if last else "There is none to take back.")
        else:
            foreseen = session.foreseen(image_id)
            try:
                session.rate({image_id: float(answer)})
            except ValueError:
                note(f"{answer} is not understood: give {KEYS}.")
            except UsageError as error:
                note(str(error))
            else:
                note(f"{foreseen} {session.standing}")
    note("Every face is rated or skipped.")


def _answer(question: str) -> str:
    """What is typed after a question; nothing at the end of the input."""
    from kallos.cli.console import out

    out.print(question, end=" ")
    line = sys.stdin.readline()
    return line.strip().lower() if line.strip() or not line else _answer(question)


def _show(photo: Path, image_id: str) -> None:
    """The face as far as the terminal can, and where it lies."""
    from rich.style import Style
    from rich.text import Text

    from extractors.decode import decode
    from kallos.cli.console import out
    from reports.render.terminal_photo import terminal_photo

    out.print()
    if out.color_system in ("256", "truecolor"):
        out.print(terminal_photo(decode(photo)))
    out.print(Text(image_id), Text(str(photo), Style(dim=True, link=photo.resolve().as_uri())))
