"""The command line: parses, calls the rooms below, prints. Nothing heavy is imported until a command runs."""

from __future__ import annotations

import sys

import typer

from kallos.commands import data, learn, read, use
from kallos.commands.demo import demo
from kallos.commands.store import store

EXIT_CODES = """Exit codes: 0 done · 2 wrong use · 3 file or folder missing · 4 labels unusable · 5 photo unusable ·
6 store missing or in use · 7 an earlier step is missing · 8 weights · 9 bundle or export · 10 SQL ·
130 stopped with Ctrl-C."""

app = typer.Typer(
    name="kallos",
    help="Assess photographs of faces as a pool of raters would, and trace every number by SQL. "
    "A score says how raters would rate a photo, not what a person is worth.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(data.ingest, name="ingest")
app.add_typer(store, name="store")
app.command()(data.extract)
app.command()(learn.train)
app.command()(read.report)
app.command()(read.sql)
app.command()(read.tables)
app.command()(use.predict)
app.command()(use.export)
app.command()(demo)


def main() -> None:
    """Run the command line; expected trouble becomes one sentence and a documented exit code."""
    from featurestore.errors import KallosError

    try:
        app()
    except KallosError as error:
        sys.exit(_say(f"kallos: {error}", error.exit_code))
    except SystemExit as stop:
        if stop.code == 130:
            _say("kallos: stopped; run the same command again to go on.", 130)
        raise


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
