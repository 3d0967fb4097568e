"""Folders that appear whole or not at all: made beside their place and moved there at the end."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extractors.errors import InputError


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A folder beside `target` to make it in, removed at the end with whatever was not moved out of it."""
    folder = _beside(target, "partial")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(target: Path, purpose: str) -> Iterator[Path]:
    """A folder to fill, which comes to `target` once it is whole. Raises InputError where something lies there."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} holds other files: give a new or empty folder for {purpose}.")
    with staging(target) as folder:
        yield folder
        take_place(folder, target)


def take_place(folder: Path, target: Path) -> None:
    """Move a folder that is whole to its place; a folder that stands there is replaced."""
    earlier = _beside(target, "earlier")
    if target.exists():
        # removing takes time, in which there would be no folder at all
        target.rename(earlier)
    folder.rename(target)
    shutil.rmtree(earlier, ignore_errors=True)


def _beside(target: Path, state: str) -> Path:
    """The name of a folder beside another; what a killed command left there is removed."""
    folder = target.with_name(f".{target.name}.{state}")
    shutil.rmtree(folder, ignore_errors=True)
    return folder
