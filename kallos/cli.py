"""The command line: parses, calls the rooms below, prints. Nothing heavy is imported until a command runs."""

from __future__ import annotations

import errno
import shutil
import sys

import typer

from kallos.commands import care, data, learn, read, similar, use, versions
from kallos.commands.check import check
from kallos.commands.demo import demo
from kallos.commands.duplicates import duplicates
from kallos.commands.evaluate import evaluate
from kallos.commands.explain import explain
from kallos.commands.features import features
from kallos.commands.hub import hub
from kallos.commands.pack import pack
from kallos.commands.serve import serve
from kallos.commands.store import store

EXIT_CODES = """Exit codes: 0 done · 2 wrong use · 3 file or folder missing · 4 labels unusable · 5 photo unusable ·
6 store missing or in use · 7 an earlier step is missing · 8 weights · 9 bundle, export or pack · 10 SQL ·
11 a check failed · 12 leakage · 13 worker processes · 14 hub · 130 stopped with Ctrl-C."""

NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""What the machine says of a disk that is full, and of places where nothing may be read or written."""

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
app.add_typer(pack, name="pack")
app.add_typer(hub, name="hub")
app.command()(data.extract)
app.command()(versions.plan)
app.command()(versions.rollback)
app.command()(versions.verify)
app.command()(learn.train)
app.command()(learn.benchmark)
app.command()(evaluate)
app.command()(check)
app.command()(duplicates)
app.command()(read.report)
app.command()(read.sql)
app.command()(read.tables)
app.command()(similar.similar)
app.command()(features)
app.command()(use.predict)
app.command()(explain)
app.command()(serve)
app.command()(use.export)
app.command()(care.doctor)
app.command()(care.compact)
app.command()(care.erase)
app.command()(demo)


def main() -> None:
    """Run the command line; expected trouble becomes one sentence and a documented exit code."""
    from featurestore.errors import KallosError

    try:
        app()
    except KallosError as error:
        sys.exit(_say(f"kallos: {error}", error.exit_code))
    except OSError as error:
        # a copied folder gives a list of (source, target, reason)
        where, reason = error.args[0][0][1:] if isinstance(error, shutil.Error) else (error.filename, error.strerror)
        if error.errno not in NO_PLACE and not isinstance(error, shutil.Error):
            raise
        sys.exit(_say(f"kallos: {where or 'A file'} cannot be used ({reason}): make room, or choose another place.", 3))
    except SystemExit as stop:
        if stop.code == 130:
            _say("kallos: stopped; run the same command again to go on.", 130)
        raise


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
