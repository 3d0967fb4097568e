"""Which photos a model was trained on: enough to recognise one, and no list of them.

Of each photo five bytes are kept, of a hash of its hash that is keyed by the training set. Who has the file or its hash
can ask for it; side by side, those of two training sets tell nothing. Of a million photos, one is taken by chance for
one of a million training photos.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SIZE = 5
"""Bytes kept of each photo."""


@dataclass(frozen=True)
class TrainingPhotos:
    """The photos of one training set.

    key      id of the training set's manifest
    content  what is kept of each photo, sorted, one after the other
    """

    key: str
    content: bytes

    @classmethod
    def of(cls, hashes: Iterable[str], key: str) -> Self:
        """From the sha256 of the photos' bytes, in hexadecimal."""
        return cls(key, b"".join(sorted({_kept(sha256, key) for sha256 in hashes})))

    def __contains__(self, sha256: object) -> bool:
        """Whether the photo with these bytes is one of them."""
        kept, count = _kept(str(sha256), self.key), len(self.content) // SIZE
        place = bisect_left(range(count), kept, key=self._at)
        return place < count and self._at(place) == kept

    def _at(self, place: int) -> bytes:
        return self.content[place * SIZE : (place + 1) * SIZE]

    def save(self, file: Path) -> None:
        """Write what is kept; the key is the manifest's, which whoever reads it knows."""
        file.write_bytes(self.content)

    @classmethod
    def load(cls, file: Path, key: str) -> Self:
        """Read what `save` wrote. Raises ValueError for a file of another length."""
        content = file.read_bytes()
        if len(content) % SIZE:
            raise ValueError(f"{file.name} has {len(content)} bytes")
        return cls(key, content)


def _kept(sha256: str, key: str) -> bytes:
    return hashlib.blake2b(sha256.encode(), digest_size=SIZE, key=key.encode()[:64]).digest()
