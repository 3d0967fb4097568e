"""What lies in a folder: the photos, the links that cannot be followed, and what is counted beside them."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from extractors.photo_files import PHOTO_SUFFIXES
from featurestore.errors import FolderGoneError

HIDDEN = "hidden"
KINDS = 6
"""Kinds of other files that are counted one by one in a line."""

_SUFFIX = re.compile(r"\.\w{1,9}")


@dataclass(frozen=True)
class Contents:
    """What was found in a folder and below it.

    photos   files of a photo's suffix, sorted
    refused  what may be photos and cannot be read, with the reason: links that lead out or nowhere, closed folders
    beside   suffix, `hidden` and the like -> how many other files there are; a hidden folder counts as one
    """

    photos: tuple[Path, ...]
    refused: tuple[tuple[Path, str], ...]
    beside: Mapping[str, int]


def contents(root: Path) -> Contents:
    """Search a folder.

    Links are followed as long as they stay inside: in the folder itself, or among the objects of git-annex in a
    repository that the folder is part of.
    """
    found = _Search(root)
    found.walk()
    return Contents(tuple(sorted(found.photos)), tuple(sorted(found.refused)), dict(found.beside))


def beside_line(beside: Mapping[str, int]) -> str:
    """Such as `beside photos: 3 .txt, 1 .pdf, 12 hidden`; nothing where there are photos alone."""
    kinds = sorted((kind for kind in beside if kind != HIDDEN), key=lambda kind: (-beside[kind], kind))
    parts = [f"{beside[kind]:,} {kind}" for kind in kinds[:KINDS]]
    if others := sum(beside[kind] for kind in kinds[KINDS:]):
        parts.append(f"{others:,} of other kinds")
    if beside.get(HIDDEN):
        parts.append(f"{beside[HIDDEN]:,} {HIDDEN}")
    return f"beside photos: {', '.join(parts)}" if parts else ""


def is_there(root: Path) -> bool:
    """Whether a folder is there with something in it: a disk that is not mounted leaves an empty one."""
    try:
        with os.scandir(root) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def gone(root: str) -> FolderGoneError:
    """The error for a data set's folder that is not there."""
    return FolderGoneError(
        f"The folder {root} of a data set is not there: connect its disk, or ingest the data set again from where "
        "its photos are now."
    )


def is_litter(path: Path) -> bool:
    """Whether a file is what macOS and Windows leave in any folder that somebody opens."""
    name = path.name.lower()
    return name in (".ds_store", "thumbs.db", "desktop.ini") or name.startswith("._")


class _Search:
    """One search of a folder."""

    def __init__(self, root: Path) -> None:
        self.photos: list[Path] = []
        self.refused: list[tuple[Path, str]] = []
        self.beside: Counter[str] = Counter()
        self._real, self._waiting, self._followed = Path(os.path.realpath(root)), [root], set[Path]()

    def walk(self) -> None:
        while self._waiting:
            for entry in self._entries(self._waiting.pop()):
                if entry.name.startswith("."):
                    self.beside[HIDDEN] += 1
                elif entry.is_symlink():
                    self._link(Path(entry.path))
                else:
                    self._take(Path(entry.path))

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError as error:
            self.refused.append((folder, f"is a folder that cannot be read: {error.strerror}"))

    def _take(self, path: Path) -> None:
        if path.is_dir():
            self._waiting.append(path)
        elif not path.is_file():
            self.beside["pipe or socket"] += 1
        elif path.suffix.lower() in PHOTO_SUFFIXES:
            self.photos.append(path)
        else:
            suffix = path.suffix.lower()
            self.beside[suffix if _SUFFIX.fullmatch(suffix) else "without a suffix"] += 1

    def _link(self, path: Path) -> None:
        target = Path(os.path.realpath(path))
        may_be_photos = path.suffix.lower() in PHOTO_SUFFIXES or target.is_dir()
        if may_be_photos and not self._is_inside(target):
            self.refused.append((path, "is a link that leads out of the folder"))
        elif may_be_photos and not target.exists():
            annexed = ": `git annex get` fetches it" if _is_annexed(target) else ""
            self.refused.append((path, f"is a link to a file that is not there{annexed}"))
        elif not target.is_dir():
            self._take(path)
        elif target not in self._followed and not Path(os.path.realpath(path.parent)).is_relative_to(target):
            # once: folders that link to each other would have no end
            self._followed.add(target)
            self._waiting.append(path)

    def _is_inside(self, target: Path) -> bool:
        return target.is_relative_to(self._real) or any(
            target.is_relative_to(above / ".git") and _is_annexed(target) for above in self._real.parents
        )


def _is_annexed(target: Path) -> bool:
    return ("annex", "objects") in pairwise(target.parts)
