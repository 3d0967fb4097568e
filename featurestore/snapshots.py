"""Readers beside a writer: copies of the store that the writer publishes while it holds the file.

DuckDB lets one process write and then shuts every other out, readers too. So a command that holds the store for long
checkpoints it between two transactions and copies the file to a new name (a file replaced under an open path would
give readers the old data), and readers take the newest copy. A snapshot is all that was committed when it was taken.
"""

import contextlib
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from featurestore.errors import StoreError

EVERY_SECONDS = 10.0
"""A snapshot is due when the last one is this old ..."""

MOST_COST = 0.05
"""... and taking them costs no more than this share of the writer's time."""

AT_ONCE = 512 * 2**20
"""Bytes of a store whose first snapshot is taken at once. Copying a larger one takes longer than many a command."""

_NAME = "%Y%m%dT%H%M%S.%f"


class Publisher:
    """Publishes the state of a store that this process writes."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self._path, self._connection = path, connection
        self._due = time.monotonic() + EVERY_SECONDS if path.stat().st_size > AT_ONCE else 0.0

    def publish_if_due(self) -> None:
        """Take a snapshot, unless the last one is young; call it outside a transaction."""
        if time.monotonic() >= self._due:
            self.publish()

    def publish(self) -> None:
        """Take a snapshot and drop the ones before; whoever reads one of those keeps it until it is closed."""
        began = time.monotonic()
        self._connection.execute("CHECKPOINT")
        folder = _folder(self._path)
        folder.mkdir(exist_ok=True)
        earlier = list(folder.iterdir())
        partial = folder / f"{datetime.now(UTC).strftime(_NAME)}.partial"
        # a disk without room for a copy must not stop the work: readers keep the snapshot before
        with contextlib.suppress(StoreError):
            copy_held_file(self._path, partial)
            partial.rename(partial.with_suffix(".duckdb"))
            for file in earlier:
                file.unlink()
        ended = time.monotonic()
        self._due = ended + max(EVERY_SECONDS, (ended - began) / MOST_COST)


def open_newest(path: Path) -> tuple[duckdb.DuckDBPyConnection, datetime] | None:
    """The newest snapshot of a store, opened for reading, and when it was taken; None where there is none."""
    # the writer drops a snapshot when it takes the next one, which may be just now
    for _ in range(3):
        if found := sorted(_folder(path).glob("*.duckdb")):
            with contextlib.suppress(duckdb.IOException):
                taken = datetime.strptime(found[-1].stem, _NAME).replace(tzinfo=UTC)
                return duckdb.connect(str(found[-1]), read_only=True), taken
    return None


def files(path: Path) -> list[Path]:
    """Every snapshot there is, whole or not."""
    return sorted(_folder(path).glob("*"))


def remove_all(path: Path) -> None:
    """Remove every snapshot: the store itself can be read again."""
    shutil.rmtree(_folder(path), ignore_errors=True)


def copy_held_file(source: Path, target: Path) -> None:
    """Copy a file on which this process has a lock: by another process.

    POSIX drops a process's locks on a file as soon as it closes any descriptor of it, which a copy of its own would do.
    Raises StoreError when there is no room for the copy.
    """
    copied = subprocess.run(["cp", "--", source, target], capture_output=True, text=True, check=False)
    if copied.returncode:
        target.unlink(missing_ok=True)
        raise StoreError(f"{source} could not be copied ({copied.stderr.strip()}): make room beside it.")


def _folder(path: Path) -> Path:
    return path.with_suffix(".snapshots")
