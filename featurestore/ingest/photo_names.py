"""Which photo a label means: by its path, else by what is the same but for letters' case, ending or number."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from extractors.photo_files import PHOTO_SUFFIXES

_SOURCE = re.compile(r"""<img\b[^>]*\bsrc\s*=\s*["']([^"']+)["']""", re.IGNORECASE)
_WORDS = re.compile(r"""[^\s"'<>(),;:]+""")
_DIGITS = re.compile(r"\d+")


class Match(NamedTuple):
    """The photos that a label may mean, one when it is clear, and what differs: empty when nothing does."""

    photos: list[str]
    differs: str = ""


class PhotoNames:
    """Finds the photo that a label means.

    A label may be the photo's path, or a longer or shorter path that ends alike, with or without suffix;
    `female/1` never means `male/1.jpg`. Where no photo has that name, letters may differ in case, then the suffix.
    """

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self.example = min(names)
        self._exact = _Spellings((name, {name, _bare(name)}) for name in names)
        self._caseless = _Spellings((name, {name.casefold(), _bare(name).casefold()}) for name in names)
        self._bare = _Spellings((name, {_bare(name).casefold()}) for name in names)
        self._by_number = _numbered(names)

    def find(self, label: str) -> Match:
        """The photos that a label may mean: one when it is clear, none when there is no such photo."""
        if source := _SOURCE.search(label):
            label = source[1]
        label = unicodedata.normalize("NFC", label.replace("\\", "/")).removeprefix("./")
        if hits := self._exact.find(label):
            return Match(hits)
        if hits := self._caseless.find(label.casefold()):
            return Match(hits, "in another case")
        return Match(self._bare.find(_bare(label).casefold()), "with another ending")

    def by_number(self, label: str) -> str | None:
        """The photo whose name holds this number, where each name holds one number and no two the same."""
        return self._by_number.get(int(label)) if label.isascii() and label.isdigit() else None

    def within(self, text: str) -> str | None:
        """The one photo whose file name stands in a text, such as a survey's question; None when none or several do."""
        words = {word.rstrip(".?!") for word in _WORDS.findall(unicodedata.normalize("NFC", text.replace("\\", "/")))}
        hits = {match.photos[0] for word in words if len((match := self.find(word)).photos) == 1}
        return hits.pop() if len(hits) == 1 else None


class _Spellings:
    """Photos by spellings of their path, whole and by their last part."""

    def __init__(self, photos: Iterable[tuple[str, set[str]]]) -> None:
        self._by_path, self._by_base = defaultdict[str, list[str]](list), defaultdict[str, list[tuple[str, str]]](list)
        for name, spellings in photos:
            for spelling in spellings:
                self._by_path[spelling].append(name)
                self._by_base[spelling.rsplit("/", 1)[-1]].append((spelling, name))

    def find(self, label: str) -> list[str]:
        parts = label.split("/")
        for start in range(len(parts)):
            if hits := self._by_path.get("/".join(parts[start:])):
                return hits
        return sorted({name for spelling, name in self._by_base.get(parts[-1], []) if spelling.endswith("/" + label)})


def _numbered(names: Collection[str]) -> dict[int, str]:
    """number -> photo; empty unless each bare name holds exactly one number and no two the same."""
    groups = {name: _DIGITS.findall(_bare(name).rsplit("/", 1)[-1]) for name in names}
    numbers = {int(found[0]): name for name, found in groups.items() if len(found) == 1}
    return numbers if len(numbers) == len(groups) else {}


def _bare(name: str) -> str:
    """The name without its suffix; a dot elsewhere in the name is no suffix."""
    return next((name[: -len(s)] for s in PHOTO_SUFFIXES if name.lower().endswith(s)), name)
