"""Explanations of Model B's scores: parts that add up to the score.

Integrated gradients (Sundararajan, Taly & Yan 2017) of each region's sub-score, from the face whose inputs are all the
training mean to this one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from extractors.regions import REGIONS
from featurestore.records import FaceBatch, RegionParts
from models.cross_fitted import CrossFitted
from models.regions.model import RegionNetwork, SubscoreModel

STEPS = 100
"""Of the integral. What it lacks is spread over the parts in proportion; a test holds it under .001."""
TINY = 1e-30


def parts_by_region(model: CrossFitted, batch: FaceBatch) -> dict[str, RegionParts]:
    """Region -> its parts, of a batch of one face; the contributions add up to the model's score."""
    parts = {}
    for region, moved, average in zip(REGIONS, moves(model, batch), averages(model), strict=True):
        names = seen_features(model, batch.feature_names, region)
        features = dict(zip(names, moved[: len(names)].tolist(), strict=True))
        parts[region] = RegionParts(average + float(moved.sum()), average, features, float(moved[len(names) :].sum()))
    return parts


def seen_features(model: CrossFitted, names: Sequence[str], region: str) -> list[str]:
    """Those of the features that a region's network sees, in the order of `moves`."""
    return [names[column] for column in model.models[0].columns_of(region)]


def averages(model: CrossFitted) -> list[float]:
    """(8,) weighted sub-scores of the face whose inputs are all the training mean."""
    members = [
        [float(network.sub_scores(np.zeros((1, network.width)))[0] * weight) for network, weight in _weighted(member)]
        for member in model.models
    ]
    return [float(np.mean(values)) for values in zip(*members, strict=True)]


def moves(model: CrossFitted, batch: FaceBatch) -> list[NDArray[np.float64]]:
    """For each region, of one face: what each input moves its contribution; features, then what the encoder shows."""
    members = [_moves(member, batch) for member in model.models]
    return [sum(values) / len(members) for values in zip(*members, strict=True)]


def _moves(model: SubscoreModel, batch: FaceBatch) -> list[NDArray[np.float64]]:
    shares = (np.arange(STEPS) + 0.5) / STEPS
    moved = []
    for (network, weight), inputs in zip(_weighted(model), model.inputs_of(batch), strict=True):
        parts = network.mean_gradient(inputs, shares) * inputs[0] * weight
        end, start = (network.sub_scores(face)[0] * weight for face in (inputs, np.zeros((1, network.width))))
        moved.append(_adding_up(parts, end - start))
    return moved


def _adding_up(parts: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
    """The parts with what the sum lacks spread over them by their size; parts that are all zero stay so."""
    sizes = np.abs(parts)
    return parts + (whole - parts.sum()) * sizes / np.maximum(sizes.sum(), TINY)


def _weighted(model: SubscoreModel) -> Iterator[tuple[RegionNetwork, float]]:
    return zip(model.networks, model.weights.tolist(), strict=True)
