"""The service behind the page and the API: loaded models, and the store if there is one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Self

import polars as pl
from PIL import Image

from ensemble.parts import Parts
from ensemble.predictor import Predictor
from extractors.photo import Photo
from featurestore.errors import UsageError
from featurestore.records import Explanation
from featurestore.store import Store
from featurestore.user_sql import PERSONAL_TABLES, select
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.workflows.one_rater import RatingSession
from kallos.workflows.pool_faces import PoolFaces
from kallos.workflows.stores import open_for_reading
from reports.pages import feature_pair
from reports.pages.explanation_data import ExplanationReport, data
from reports.render.scales import shown_on

QUERIES = 4
"""People's queries at once, each in a process of its own."""


class Service:
    """Explains photos; one at a time goes through the models. Use it as a context manager."""

    def __init__(self, parts: Parts, store: Path | None, card: str, *, is_private: bool = False) -> None:
        """`card` is the model card of the models, in Markdown; `is_private` whether this machine alone is served."""
        self.card, self.scale, self._path, self.is_private = card, shown_on(parts.scale), store, is_private
        self._fold = str(parts.trained_on["protocol"]), int(str(parts.trained_on["fold"]))
        # a process that has the store open for reading cannot open it for writing
        self.store_lock = threading.RLock()
        self._predictor, self._model_lock = Predictor(parts), threading.Lock()
        self._sessions, self._queries = dict[str, RatingSession](), threading.Semaphore(QUERIES)

    def __enter__(self) -> Self:
        self._predictor.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._predictor.__exit__(*problem)

    def warm_up(self) -> None:
        """Load what the first request would wait for, by making the example."""
        assert self.example

    @cached_property
    def example(self) -> tuple[bytes, ExplanationReport, Explanation]:
        """A drawn portrait and its explanation, for the first screen."""
        drawn = portrait(0)
        report, explained = self.explain(drawn, None)
        return drawn, replace(report, photo=Path("A drawn portrait")), explained

    @property
    def has_store(self) -> bool:
        """Whether features can be explored and queried with SQL."""
        return self._path is not None

    @property
    def shows_faces(self) -> bool:
        """Whether faces of the store may be shown and rated: never to other machines."""
        return self.has_store and self.is_private

    @cached_property
    def pool(self) -> PoolFaces:
        """The faces that can be rated. Raises as `PoolFaces.read`."""
        with self._store() as store:
            return PoolFaces.read(store, *self._fold)

    @property
    def groups(self) -> list[str]:
        """Groups of the training data with their own calibration."""
        return self._predictor.groups

    def session(self, rater: str) -> RatingSession:
        """A person before the faces. Raises as `RatingSession` and `pool`."""
        if rater not in self._sessions:
            self._sessions[rater] = RatingSession(self.store_path, self.pool, rater)
        return self._sessions[rater]

    def explain(self, photo: Photo, group: str | None) -> tuple[ExplanationReport, Explanation]:
        """Raises as `Predictor.explain`."""
        with self._model_lock:
            explained = self._predictor.explain(photo, group)
        if self._path is None:
            return data(explained, group, None), explained
        with self._store() as store:
            return data(explained, group, store), explained

    def select(self, query: str) -> pl.DataFrame:
        """The rows of one SELECT. Raises QueryError."""
        with self._queries:
            return select(self.store_path, query, () if self.is_private else PERSONAL_TABLES)

    def features(self) -> list[str]:
        """Names of the features in the store."""
        with self._store() as store:
            return feature_pair.features_of(store)

    def values(self, first: str, second: str) -> pl.DataFrame:
        """Two features of every image that has both. Raises UsageError for an unknown feature."""
        with self._store() as store:
            return feature_pair.data(store, first, second)

    @contextmanager
    def _store(self) -> Iterator[Store]:
        with self.store_lock, open_for_reading(self.store_path) as store:
            yield store

    @property
    def store_path(self) -> Path:
        """Raises UsageError where only a bundle is served."""
        if self._path is None:
            raise UsageError("This page has no store, only a bundle: start it as `kallos serve --store FILE`.")
        return self._path


def portrait(seed: int) -> bytes:
    """A drawn portrait as PNG."""
    file = BytesIO()
    Image.fromarray(paint(draw_parameters(seed), 350)).save(file, "PNG")
    return file.getvalue()
