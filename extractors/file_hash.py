"""The hash that a file is known by."""

import hashlib
from pathlib import Path


def sha256_of_file(file: Path) -> str:
    """Hexadecimal sha256 of a file's bytes. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
