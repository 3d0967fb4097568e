"""Recognises the photos that a model was trained on, without storing a list of them.

For each photo, five bytes of a keyed hash of its hash are stored; the key is the training set. Whoever has the file or
its hash can look it up, but the bytes of two training sets cannot be compared. Of a million other photos, about one is
mistaken for one of a million training photos.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SIZE = 5
"""Bytes stored per photo."""


@dataclass(frozen=True)
class TrainingPhotos:
    """The photos of one training set.

    key      id of the training set's manifest
    content  the stored bytes of all photos, sorted and concatenated
    """

    key: str
    content: bytes

    @classmethod
    def from_hashes(cls, hashes: Iterable[str], key: str) -> Self:
        """From the sha256 of the photos' bytes, in hexadecimal."""
        return cls(key, b"".join(sorted({_digest(sha256, key) for sha256 in hashes})))

    def __contains__(self, sha256: object) -> bool:
        """Whether the photo with these bytes is one of them."""
        digest, count = _digest(str(sha256), self.key), len(self.content) // SIZE
        return self._at(bisect_left(range(count), digest, key=self._at)) == digest

    def _at(self, index: int) -> bytes:
        return self.content[index * SIZE : (index + 1) * SIZE]

    def save(self, file: Path) -> None:
        """Write the content; `load` gets the key from the manifest."""
        file.write_bytes(self.content)

    @classmethod
    def load(cls, file: Path, key: str) -> Self:
        """Read what `save` wrote. Raises ValueError for a file of another length."""
        content = file.read_bytes()
        if len(content) % SIZE:
            raise ValueError(f"{file.name} has {len(content)} bytes")
        return cls(key, content)


def _digest(sha256: str, key: str) -> bytes:
    return hashlib.blake2b(sha256.encode(), digest_size=SIZE, key=key.encode()[:64]).digest()
