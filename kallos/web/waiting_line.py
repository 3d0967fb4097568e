"""Photos wait in line for the models, which take one at a time; what the line cannot take is refused at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self

from fastapi import UploadFile

from extractors.decode import MAX_BYTES
from extractors.errors import KallosError
from featurestore.errors import UsageError
from featurestore.records import Explanation
from kallos.web.limits import MAX_PHOTOS, MAX_WAITING, RateLimit, RefusedError
from kallos.web.metrics import Metrics
from kallos.web.service import Service
from reports.pages.explanation_data import ExplanationReport


@dataclass(frozen=True)
class Unusable:
    """A photo without an answer, and the sentence that says why."""

    photo: str
    error: str
    exit_code: int


@dataclass(frozen=True)
class Scored:
    """A photo's explanation, for people and programs, and what it was made of."""

    report: ExplanationReport
    explained: Explanation


class WaitingLine:
    """Answers uploads over loaded models. Its methods are called by the event loop alone; use it as a context."""

    def __init__(self, service: Service) -> None:
        self._service, self._rate_limit = service, RateLimit()
        # while one photo goes through the models, the store is asked about another
        self._models = ThreadPoolExecutor(2, "models")
        self.metrics, self.waiting, self._seconds_each = Metrics(), 0, 0.2

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._models.shutdown()

    def check_room(self, photos: int = 1) -> None:
        """Raises RefusedError, of status 503, where the line has no room for so many more."""
        if self.waiting + photos > MAX_WAITING:
            seconds = max(1, math.ceil(self._seconds_each * self.waiting))
            raise RefusedError(f"{self.waiting} photos wait already: try again in {seconds} s.", 503, seconds)

    async def answers(self, uploads: Sequence[UploadFile], group: str | None, address: str) -> list[Scored | Unusable]:
        """The answers in the order of the uploads.

        Raises UsageError for too many photos, and RefusedError where the line is full or the address asks too often.
        """
        if len(uploads) > MAX_PHOTOS:
            raise UsageError(f"{len(uploads)} photos are too many for one request: send up to {MAX_PHOTOS}.")
        self.check_room(len(uploads))
        self._rate_limit.admit(address, len(uploads))
        began, loop = time.monotonic(), asyncio.get_running_loop()
        self.waiting += len(uploads)
        try:
            each = (loop.run_in_executor(self._models, self._answer, upload, group) for upload in uploads)
            found = await asyncio.gather(*each)
        finally:
            self.waiting -= len(uploads)
        self.metrics.photos.update("scored" if isinstance(answer, Scored) else "unusable" for answer in found)
        self.metrics.answered(time.monotonic() - began)
        return found

    def _answer(self, upload: UploadFile, group: str | None) -> Scored | Unusable:
        # the name is untrusted: it is shown, and opens nothing
        name = PurePosixPath((upload.filename or "").replace("\\", "/")).name or "photo"
        began = time.monotonic()
        try:
            # one byte more than allowed is enough for the decoder to refuse it
            report, explained = self._service.explain(upload.file.read(MAX_BYTES + 1), group)
        except KallosError as error:
            return Unusable(name, str(error), error.exit_code)
        self._seconds_each += 0.1 * (time.monotonic() - began - self._seconds_each)
        return Scored(replace(report, photo=Path(name)), explained)
