"""What a prediction computes beside its networks, as two graphs: for machines that run ONNX and no Python.

The first, `levelling`, is what is cut out of the photo and where; the second, `scoring`, is all that follows from the
landmarks, from what was measured in the pixels, and from what the networks gave. Both are the Python code itself, run
on arrays that write down what is done with them, so that nothing is written twice.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.predictor import Predictor
from extractors import region_windows
from extractors.alignment import CROP_SIZE, levelling
from extractors.catalogue import SKIN
from extractors.errors import InputError
from extractors.regions import REGIONS
from extractors.registry import EXTRACTORS, OF_FEATURES
from extractors.topologies import registry
from featurestore.records import FaceBatch
from models.cross_fitted import CrossFitted
from models.regions import attribution
from models.registry import MODELS
from models.tracing.trace import trace

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A number that features need of the pixels: what `extractors.patches.Patches` measures, where, in what channel."""

    kind: str
    channel: int
    patches: tuple[str, ...]


class _Requests:
    """Stands for `Patches`: gives numbers that were measured elsewhere, and notes what was asked for."""

    def __init__(self, values: Any = None) -> None:
        self.requests: list[Request] = []
        self._values = values

    def _value(self, request: Request) -> Any:
        if request not in self.requests:
            self.requests.append(request)
        return 1.0 if self._values is None else self._values[self.requests.index(request)]

    def mean(self, channel: int, *patches: str) -> Any:
        return self._value(Request("mean", channel, patches))

    def spread(self, channel: int, *patches: str) -> Any:
        return self._value(Request("spread", channel, patches))

    def sharpness(self, patch: str) -> Any:
        return self._value(Request("sharpness", 0, (patch,)))

    def texture_entropy(self, *patches: str) -> Any:
        return self._value(Request("texture_entropy", 0, patches))


def requests() -> list[Request]:
    """What the features need of the pixels, in the order of the input `pixels` of `scoring`."""
    noted = _Requests()
    for feature in SKIN.values():
        feature.measure(noted)
    return noted.requests


def levelling_graph() -> Any:
    """`landmarks` (P, 3) in pixels to `matrix` and `placed` of `extractors.alignment.levelling`, and the encoder's
    `cells`.
    """

    def level(landmarks: Any) -> Arrays:
        matrix, placed = levelling(landmarks)
        return {"matrix": matrix, "placed": placed, "cells": region_windows.cells(placed, CROP_SIZE)}

    return trace(level, {"landmarks": _example()})


def scoring_graph(predictor: Predictor, channels: int, dim: int) -> Any:
    """What a predictor computes of one face. Raises InputError for a model or a feature that no graph can compute.

    Inputs: `landmarks` (P, 3); `pixels`, a number for each of `requests`, NaN where a patch lies off the photo;
    `vector` and `pooled` of the encoder; and of each model that sees the face itself, by its name, the scores of its
    parts. Outputs: `features` in their own units; `members`, a score each; `scores`, for each group (everyone first)
    the score and the ends of its interval, NaN without one; `sub_scores`; `novelty`, a value for each measure that
    has a limit; and where the parts of an explanation add up to the score, the combiner's `correction`, `z` of the
    features, and `moved`: for each region what each of its features moves its part, then what the encoder shows.
    """
    members = {name: predictor.models[name] for name in predictor.combiner.members}
    limits = predictor.novelty.limits
    seeing = {name: len(model.models) for name, model in members.items() if MODELS[name].needs_faces}
    examples: dict[str, NDArray[Any]] = {
        "landmarks": _example(),
        "pixels": np.ones(len(requests())),
        "vector": np.ones(dim),
        "pooled": np.ones((channels, len(region_windows.PARTS))),
        **{name: np.full(parts, 3.0) for name, parts in seeing.items()},
    }

    def score(landmarks: Any, pixels: Any, vector: Any, pooled: Any, **scores: Any) -> Arrays:
        networks = {name: _cross_fitted(parts) for name, parts in scores.items()}
        combining = copy(predictor)
        combining.models = {**members, **networks}
        shapes = EXTRACTORS["shape"].measure(landmarks[None])["shape"]
        embedded = {"vector": vector[None], **region_windows.by_region(pooled)}
        batch, raw = combining.batch_of_numbers("", _measured(landmarks, pixels), shapes, embedded, None)
        calibrations = map(predictor.intervals.for_group, (None, *predictor.groups))
        answers = [combining.answer(batch, calibration) for calibration in calibrations]
        unusual = predictor.novelty.measure(batch, landmarks[None])
        return {
            "features": raw[0],
            "members": np.concatenate([answers[0].members[name] for name in members]),
            "scores": np.stack([np.concatenate([a.score, *(a.ends or (a.score * np.nan,) * 2)]) for a in answers]),
            "sub_scores": answers[0].sub_scores,
            **({"novelty": np.concatenate([unusual[name] for name in limits])} if limits else {}),
            **(_explained(combining, batch, answers[0].members) if predictor.adds_up else {}),
        }

    try:
        return trace(score, examples)
    except NotImplementedError as problem:
        raise InputError(f"These models cannot be written as a graph ({problem}).") from problem


def _explained(predictor: Predictor, batch: FaceBatch, members: Arrays) -> Arrays:
    model = predictor.models[predictor.regions_of]
    moved = []
    for region, moves in zip(REGIONS, attribution.moves(model, batch), strict=True):
        seen = len(attribution.seen_features(model, batch.feature_names, region))
        moved += [moves[:seen], moves[seen:].sum(keepdims=True)]
    correction = predictor.combiner.correction_of(members)
    return {"moved": np.concatenate(moved), "z": batch.features[0], "correction": correction}


def _cross_fitted(scores: Any) -> CrossFitted:
    """(k,) scores of one face by k models, as the models."""
    models: list[Any] = [_FixedScores(score) for score in scores[:, None]]
    return CrossFitted(models)


class _FixedScores:
    """A model whose scores were computed elsewhere."""

    def __init__(self, scores: Any) -> None:
        self._scores = scores

    def predict(self, _: FaceBatch) -> Any:
        return self._scores


def _measured(landmarks: Any, pixels: Any) -> Any:
    """(1, F) features in the order of their columns."""
    columns = []
    for name in OF_FEATURES:
        extractor = EXTRACTORS[name]
        if not extractor.needs_pixels:
            columns.append(extractor.measure(landmarks[None])["features"])
        elif name == "skin":
            requests = _Requests(pixels)
            columns.append(np.stack([feature.measure(requests) for feature in SKIN.values()])[None])
        else:
            raise NotImplementedError(f"{name} measures pixels in a way of its own")
    return np.hstack(columns)


def _example() -> NDArray[np.float32]:
    """Landmarks of nobody: a graph needs their shape."""
    return np.random.default_rng(0).normal(200, 50, (registry.current().number, 3)).astype(np.float32)
