"""Predicting one portrait with many bundles that are nearly the same: what they share is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ensemble import bundle as bundle_module
from ensemble import predictor as predictor_module
from ensemble.predictor import Predictor
from extractors.decode import decode
from extractors.landmark_finder import finder_of
from extractors.topologies import registry
from extractors.values import face_of
from models.encoders import run as encoder_module

Use = Callable[[Path], float]
"""Opens a bundle, predicts and explains the portrait; its score, when all that it says are numbers."""


REMEMBERED = 100


class NoFinder:
    """In place of the landmarker, whose answer is known."""

    def __enter__(self) -> NoFinder:
        return self

    def __exit__(self, *problem: object) -> None:
        pass


def once(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """`make`, which remembers what it made of the same files: copies of a bundle are links to them."""
    results: dict[Any, Any] = {}

    def remembered(path: Path) -> Any:
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        key = (path.name, *((file.stat().st_ino, file.stat().st_mtime_ns) for file in files if file.is_file()))
        if len(results) == REMEMBERED and key not in results:
            results.pop(next(iter(results)))
        # what was used last goes last
        results[key] = results.pop(key) if key in results else make(path)
        return results[key]

    return remembered


@contextmanager
def predicting(portrait: Path, *, is_hashed_once: bool = False) -> Iterator[Use]:
    """Inside, what makes a prediction of a bundle; hashes are compared each time unless only changed files matter."""
    with finder_of(registry.current())() as finder:
        face = face_of(decode(portrait), finder)

    def use(bundle: Path) -> float:
        with Predictor(bundle_module.open_bundle(bundle)) as predictor:
            prediction = predictor.explain(portrait).prediction
        numbers = [
            prediction.score,
            prediction.low,
            prediction.high,
            *prediction.members.values(),
            *prediction.sub_scores.values(),
        ]
        assert np.isfinite(numbers).all()
        return prediction.score

    with ExitStack() as patched:
        patched.enter_context(patch.object(predictor_module, "load_model", once(predictor_module.load_model)))
        patched.enter_context(patch.object(encoder_module, "Encoder", once(encoder_module.Encoder)))
        patched.enter_context(patch.object(predictor_module, "finder_of", lambda topology: NoFinder))
        patched.enter_context(patch.object(predictor_module, "face_of", lambda *photo: face))
        if is_hashed_once:
            patched.enter_context(patch.object(bundle_module, "sha256_of_file", once(bundle_module.sha256_of_file)))
        yield use
