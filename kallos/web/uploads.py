"""Where a server keeps uploads while it answers: a folder of its own, which goes with it or, if it was killed, with the
next server that starts.

Gradio's uploads, the API's and what Python writes for a moment all lie there. The server holds a lock on its folder,
which the system takes away however the server ends: a folder without one is a dead server's.
"""

from __future__ import annotations

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
    """A folder for all that this process keeps for a moment, gone afterwards. Enter it before the page is built."""
    common = tempfile.gettempdir()
    _remove_abandoned(Path(common))
    unlocked = Path(tempfile.mkdtemp(prefix="kallos-starts-", dir=common))
    lock = os.open(unlocked, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # only now under the name that others look for: without its lock it would be taken for a dead server's
    folder = unlocked.rename(unlocked.with_name(PREFIX + unlocked.name.removeprefix("kallos-starts-")))
    tempfile.tempdir = os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = common
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(common: Path) -> None:
    for folder in common.glob(f"{PREFIX}*"):
        # another user's cannot be opened, a living server's not be locked
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
