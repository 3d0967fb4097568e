"""A person who rates faces of the store, and sees a model of the own eye grow."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from extractors.decode import decode
from featurestore.errors import UsageError
from kallos.web.service import Service
from kallos.workflows.one_rater import RatingSession

LARGEST = 480
"""Pixels of a photo's longer side."""

WHOLE = 20
"""Points of a scale up to which whole ratings are asked for."""


@dataclass(frozen=True)
class Sitting:
    """A person before the page: the face that is asked for, None at the end, and those that were skipped."""

    session: RatingSession
    face: str | None
    skipped: tuple[str, ...]

    @property
    def photo(self) -> str:
        """The face as a data URI, so that no file is left."""
        assert self.face is not None
        content = BytesIO()
        photo = Image.fromarray(decode(self.session.photo(self.face)))
        photo.thumbnail((LARGEST, LARGEST))
        photo.save(content, "JPEG")
        return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"

    @property
    def step(self) -> float:
        """Of the ratings that can be given."""
        low, high = self.session.pool.scale
        return 1 if high - low <= WHOLE else (high - low) / 100


def sitting(
    service: Service, rater: str, agree: str, do: str, face: str, rating: float | None, skipped: Sequence[str]
) -> Sitting:
    """What follows when a person did something: `rate`, `skip`, `undo`, or nothing yet.

    Raises UsageError before the person has agreed, and as `RatingSession`.
    """
    if not agree:
        raise UsageError("Nothing is asked before you agree.")
    with service.store_lock:
        session = service.session(rater)
        if do == "rate" and rating is not None:
            session.rate({face: rating})
        elif do == "undo":
            session.undo()
    passed = (*skipped, face) if do == "skip" else tuple(skipped)
    return Sitting(session, session.next_photo(passed), passed)
