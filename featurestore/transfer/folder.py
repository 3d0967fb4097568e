"""The folder of an export: what lies where, and checksums over all of it that `sha256sum -c` checks too."""

import re
from itertools import filterfalse
from pathlib import Path
from typing import NoReturn

from extractors.errors import InputError
from extractors.file_hash import sha256_of_file
from featurestore.errors import ExportError
from featurestore.folders import is_litter

SCHEMA = "schema.json"
CHECKSUMS = "checksums.sha256"
MODELS = "runs"

_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>.+)")


def parquet(table: str) -> str:
    """Where the rows of a table lie in an export."""
    return f"tables/{table}.parquet"


def seal(folder: Path) -> None:
    """Write the checksum of every file in the folder."""
    lines = [f"{sha256_of_file(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> list[str]:
    """The files of an export, relative to it.

    Raises InputError when the folder is not an export, ExportError when a file is missing, added or altered, or a link.
    """
    if not (folder / CHECKSUMS).is_file() or not (folder / SCHEMA).is_file():
        raise InputError(
            f"{folder} is not an export of a store (no {SCHEMA} or {CHECKSUMS}): use `kallos store export DIR`."
        )
    found = _files(folder)
    listed = _listed(folder)
    if differing := set(found) - {CHECKSUMS} ^ listed.keys():
        name = min(differing)
        _refuse(folder, f"{name!r} {'is missing' if name in listed else 'does not belong there'}")
    for name, sha256 in listed.items():
        if sha256_of_file(folder / name) != sha256:
            _refuse(folder, f"{name!r} has changed")
    return list(listed)


def _listed(folder: Path) -> dict[str, str]:
    try:
        lines = [_LINE.fullmatch(line) for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        lines = [None]
    if None in lines:
        _refuse(folder, f"{CHECKSUMS} is damaged")
    return {line["name"]: line["sha256"] for line in lines if line}


def _files(folder: Path) -> list[str]:
    """Every file below a folder but litter, relative, with forward slashes.

    Raises ExportError for what is not a plain file.
    """
    names = []
    for path in filterfalse(is_litter, sorted(folder.rglob("*"))):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            _refuse(folder, f"{name!r} is not a plain file")
        if not name.isprintable() or "\\" in name:
            _refuse(folder, f"{name!r} cannot be listed in {CHECKSUMS}")
        if path.is_file():
            names.append(name)
    return names


def _refuse(folder: Path, what: str) -> NoReturn:
    raise ExportError(f"{folder} is not as it was exported ({what}): get the export again.")
