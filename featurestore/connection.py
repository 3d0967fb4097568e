"""The connection to the file of a store, which one process has for writing, and what readers get meanwhile."""

import fcntl
import re
import time
from datetime import datetime
from pathlib import Path

import duckdb

from featurestore import snapshots
from featurestore.errors import StoreError

PATIENCE_SECONDS = 2.0
"""How long a reader waits for a writer to end or to publish its first snapshot."""

_LOCKED = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)")


def connect(path: Path, read_only: bool) -> tuple[duckdb.DuckDBPyConnection, datetime | None, str | None]:
    """A connection; for a reader beside a writer, when the snapshot that it reads was taken, and the writer.

    Raises StoreError when the file is locked or not DuckDB's.
    """
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only), None, None
        except duckdb.Error as error:
            writer = _writer(error)
            if writer is None:
                raise StoreError(f"{path} cannot be opened as a store: {str(error).splitlines()[0]}") from error
            if read_only and (opened := snapshots.open_newest(path)):
                return *opened, writer
            if not read_only or time.monotonic() > patience:
                raise StoreError(f"The store {path} is in use by {writer}: wait until it ends, or stop it.") from error
        time.sleep(0.1)


def remove_empty(path: Path) -> None:
    """Remove a file that a killed command left before DuckDB wrote into it, and would take for damaged.

    It may also be the file that another process makes just now, which holds DuckDB's lock on it: that one is kept.
    Raises StoreError.
    """
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"The store {path} is being made by another process: wait until it ends.") from error
        if not path.stat().st_size:
            path.unlink()


def _writer(error: duckdb.Error) -> str | None:
    """The process that holds the store, as people know it: "process 4711 (kallos extract)"."""
    locked = _LOCKED.search(str(error))
    if locked is None:
        return None
    name = Path(locked["program"]).name
    typed = Path(f"/proc/{locked['pid']}/cmdline")
    if typed.is_file():
        words = typed.read_bytes().decode(errors="replace").split("\0")
        if any(Path(word).name == "kallos" for word in words[:3]):
            rest = words[next(i for i, word in enumerate(words) if Path(word).name == "kallos") + 1 :]
            name = " ".join(["kallos", *rest[:1]])
    return f"process {locked['pid']} ({name})"
