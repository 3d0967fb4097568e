"""Reading files that others may have written: hashes may be right and the content still anything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from extractors.errors import KallosError
from featurestore.errors import BundleError

LARGEST_JSON = 16 * 1024 * 1024
LARGEST_IMAGE = 1024
"""Side in pixels of the largest input of a network."""


@contextmanager
def as_bundle_error(folder: Path) -> Iterator[None]:
    """Turns any error in reading files that others may have written into a BundleError."""
    try:
        yield
    except KallosError:
        raise
    except Exception as problem:
        reason = str(problem).partition("\n")[0]
        raise BundleError(
            f"{folder} cannot be used ({type(problem).__name__}: {reason}): train or export it again."
        ) from problem


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises BundleError when the file holds none, or more than a description needs."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= LARGEST_JSON else None
    except (OSError, ValueError, RecursionError) as problem:
        raise BundleError(f"{path.parent} holds no readable {path.name}: train or export it again.") from problem
    if not isinstance(content, dict):
        raise BundleError(f"{path.parent} holds a {path.name} of another kind: train or export it again.")
    return content


def check_side(side: object, folder: Path) -> None:
    """Raises BundleError for an input size so large that one image would take all memory."""
    if not isinstance(side, int) or not 1 <= side <= LARGEST_IMAGE:
        raise BundleError(f"{folder} needs images of {side} pixels, the limit is {LARGEST_IMAGE}: train it again.")
