"""The temporary folder of a server for uploads: deleted when the server stops or, if it was killed, when the next one
starts.

It holds the uploads and all other temporary files. The server locks its folder, and the system
releases the lock however the server ends: a folder without a lock is abandoned.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "kallos-serve-"


@contextlib.contextmanager
def folder_of_uploads() -> Iterator[Path]:
    """The folder for all temporary files of this process, deleted afterwards. Enter it before building the page."""
    common = tempfile.gettempdir()
    _remove_abandoned(Path(common))
    unlocked = Path(tempfile.mkdtemp(prefix="kallos-starts-", dir=common))
    lock = os.open(unlocked, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # renamed only once it is locked, so that other servers do not take it for abandoned
    folder = unlocked.rename(unlocked.with_name(PREFIX + unlocked.name.removeprefix("kallos-starts-")))
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = common
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(common: Path) -> None:
    for folder in common.glob(f"{PREFIX}*"):
        # folders of other users cannot be opened, those of running servers not locked
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
