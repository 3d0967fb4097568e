"""Files and folders in the place of a store that are none, or one that this kallos cannot use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb


def _cut(share: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _flipped(place: float) -> Callable[[Path], None]:
    """A block of 4 KiB in which every bit is another."""

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        start = int(len(content) * place)
        content[start : start + 4096] = bytes(255 - byte for byte in content[start : start + 4096])
        path.write_bytes(content)

    return change


def _sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE images (image_id TEXT)")
    connection.close()


REFUSED: dict[str, Callable[[Path], None]] = {
    "a newer version": _sql("UPDATE store_info SET schema_version = 99"),
    "a version that is NULL": _sql("UPDATE store_info SET schema_version = NULL"),
    "a version below all": _sql("UPDATE store_info SET schema_version = -7"),
    "no version": _sql("DELETE FROM store_info"),
    "a version in words": _sql("DROP TABLE store_info", "CREATE TABLE store_info AS SELECT 'three' AS schema_version"),
    "no table of versions": _sql("DROP TABLE store_info"),
    "a table of versions without one": _sql("DROP TABLE store_info", "CREATE TABLE store_info (x INTEGER)"),
    "another program's tables": _instead(_sql("CREATE TABLE images (x INTEGER)")),
    "a SQLite file": _instead(_sqlite),
    "a letter": _instead(lambda path: path.write_text("dear reader\n" * 1000)),
    "zeros": _instead(lambda path: path.write_bytes(bytes(100_000))),
    "a header alone": _cut(0.0001),
    "a damaged start": _flipped(0.0),
    "a folder": _instead(lambda path: path.mkdir()),
    "a link that goes round": _instead(lambda path: path.symlink_to(path.name)),
}
"""Name -> what is done to a whole store; none of them can be opened."""

DAMAGED = {
    "its first half": _cut(0.5),
    "all but its last bytes": lambda path: path.write_bytes(path.read_bytes()[:-5000]),
    **{f"a damaged block at {place:.0%}": _flipped(place) for place in (0.2, 0.4, 0.6, 0.8)},
}
"""Stores that may open, as a block is looked at when it is read."""


def changed(store: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """A copy of a store, changed."""
    path = Path(shutil.copy(store, folder / "s.duckdb"))
    change(path)
    return path
