"""The command line: parses, calls workflows, prints. Heavy libraries are imported only when a command needs them."""

import errno
import logging
import os
import shutil
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from threading import Event, Timer
from types import FrameType
from typing import Annotated

import typer
from typer._completion_classes import completion_init

from kallos.cli import loading, streams, system_libraries
from kallos.cli.outputs import OutputCommand

EXIT_CODES = """Exit codes: 0 done, 2 wrong use, 3 file or folder missing or protected, 4 labels unusable,
5 photo unusable, 6 store missing or in use, 7 an earlier step is missing, 8 weights, 9 bundle or export, 10 SQL,
11 a check failed, 12 leakage, 13 worker processes, 14 hub, 15 a disk is full, 130 stopped with Ctrl-C,
141 nobody reads the output."""
STOPPED = "kallos: stopped; run the same command again to go on."
DISK_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded")
"""Messages of the operating system, which Python, DuckDB and libraries pass on."""

PATH_ERRNOS = (
    *(errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG),
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
)
"""Error numbers of paths that cannot be read or written."""

_stopped = Event()
"""Whether Ctrl-C was typed."""

app = typer.Typer(
    name="kallos",
    help="Assess photographs of faces as a pool of raters would, and trace every number by SQL. "
    "A score says how raters would rate a photo, not what a person is worth.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,  # `kallos completion` prints the script instead of changing startup files
)
completion_init()
PANELS = {
    "Try it": ("demo",),
    "Photos and ratings into the store": ("preregister", "ingest", "extract", "plan", "check", "duplicates"),
    "Models": ("train", "benchmark", "evaluate", "validate", "weights"),
    "Read what is stored": ("report", "features", "similar", "composite", "sql", "tables"),
    "Score photos": ("score", "explain", "rate", "serve", "export", "hub"),
    "Look after the store": ("doctor", "verify", "rollback", "compact", "erase", "store"),
    "Look after the command": ("completion",),
}
"""Panel of the help -> commands. A command is the function, or the group of commands, of its name in its own file."""

_groups = [app]
for _panel, _names in PANELS.items():
    for _name in _names:
        _command = getattr(import_module(f"kallos.cli.{_name}"), _name)
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
            _groups.append(_command)
        else:
            app.command(rich_help_panel=_panel)(_command)
for _registered in (command for group in _groups for command in group.registered_commands):
    _registered.cls = OutputCommand


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"kallos {version('kallos')}")
        raise typer.Exit()


@app.callback()
def _before(
    requested: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; expected errors become one sentence and a documented exit code."""
    _stopped.clear()
    # read by OpenMP when torch, LightGBM or scikit-learn are imported: by default waiting threads spin, which makes two
    # threads slower than one when another program runs
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    streams.prepare()
    _log_to_stderr()
    try:
        _run()
    except SystemExit as stop:
        loading.end()
        if stop.code == 130:
            print(STOPPED, file=sys.stderr)
        raise
    except Exception as error:
        loading.end()
        # DuckDB turns Ctrl-C into several errors of its own
        message, code = (STOPPED, 130) if _stopped.is_set() else _message_and_code(error)
        if not message:
            raise
        from kallos.cli.console import note

        note(message)
        sys.exit(code)


class _StderrHandler(logging.Handler):
    """Log messages of workflows, as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        from kallos.cli.console import note

        note(record.getMessage())


def _log_to_stderr() -> None:
    log = logging.getLogger("kallos")
    if not any(isinstance(handler, _StderrHandler) for handler in log.handlers):
        log.addHandler(_StderrHandler())
        log.setLevel(logging.INFO)
        log.propagate = False


def _run() -> None:
    """Run the command. When its output is closed, it ends without a message."""
    try:
        try:
            app()
        finally:
            # else a closed pipe would only be noticed when Python exits
            sys.stdout.flush()
    except BrokenPipeError:
        streams.discard_output()
        sys.exit(streams.OUTPUT_CLOSED)
    except SystemExit as stop:
        if streams.is_output_closed(stop):
            streams.discard_output()
            sys.exit(streams.OUTPUT_CLOSED)
        raise


def _stop(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C. Queries must be interrupted explicitly: else DuckDB 2.0 waits for all of its tasks.

    A running import finishes first: NumPy and others print a traceback when it is interrupted.
    """
    if _is_importing(frame):
        Timer(0.05, os.kill, (os.getpid(), number)).start()
        return
    _stopped.set()
    if store := sys.modules.get("featurestore.store"):
        store.interrupt_queries()
    signal.default_int_handler(number, frame)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether an import is running; an import that called `main` itself does not count."""
    while frame and frame.f_code is not main.__code__:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _message_and_code(error: Exception) -> tuple[str, int]:
    """The message and exit code of an expected error; an empty message for a bug of kallos."""
    from extractors.errors import InputError, KallosError
    from featurestore.errors import DiskError

    if _is_disk_full(error):
        full = "A disk is full: make room and run the same command again; what was stored is kept."
        return f"kallos: {full}", DiskError.exit_code
    if isinstance(error, KallosError):
        return f"kallos: {error}", error.exit_code
    if isinstance(error, ImportError | OSError) and (remedy := system_libraries.remedy_for(error)):
        return f"kallos: {remedy}", InputError.exit_code
    path, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
    if isinstance(error, shutil.Error):
        # a copied folder gives a list of (source, target, reason)
        path, reason = error.args[0][0][1:]
    elif not isinstance(error, OSError) or error.errno not in PATH_ERRNOS:
        return "", 1
    return f"kallos: {path or 'A file'} cannot be used ({reason}): choose another place.", InputError.exit_code


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the error, or one of its causes, is a write to a full disk."""
    if error is None:
        return False
    return any(words in str(error) for words in DISK_FULL_MESSAGES) or _is_disk_full(
        error.__cause__ or error.__context__
    )
