"""Explanations of Model B's scores: parts that add up to the score.

Integrated gradients (Sundararajan, Taly & Yan 2017) of each region's sub-score, from the face whose inputs are all the
training mean to this one.
"""

import numpy as np
from numpy.typing import NDArray

from extractors.regions import REGIONS
from featurestore.records import FaceBatch, RegionParts
from models.cross_fitted import CrossFitted
from models.regions.model import SubscoreModel

STEPS = 100
"""Of the integral. What it lacks is spread over the parts in proportion; a test holds it under .001."""


def parts_by_region(model: CrossFitted, batch: FaceBatch) -> dict[str, RegionParts]:
    """Region -> its parts, of a batch of one face; the contributions add up to the model's score."""
    members = [_weighted(network, batch) for network in model.models]
    parts = {}
    for place, region in enumerate(REGIONS):
        contribution, average = (float(np.mean([member[i][place] for member in members])) for i in (0, 1))
        moved: NDArray[np.float64] = np.mean([member[2][place] for member in members], axis=0)
        columns = model.models[0].columns_of(region)
        names = [batch.feature_names[column] for column in columns]
        features = dict(zip(names, moved[: len(names)].tolist(), strict=True))
        parts[region] = RegionParts(contribution, average, features, float(moved[len(names) :].sum()))
    return parts


def _weighted(
    model: SubscoreModel, batch: FaceBatch
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[NDArray[np.float64]]]:
    """Weighted sub-scores (8,) of the face and of the average one, and what each input of each region moves."""
    steps = (np.arange(STEPS)[:, None] + 0.5) / STEPS
    ends, starts, moved = [], [], []
    for network, inputs, weight in zip(model.networks, model.inputs_of(batch), model.weights, strict=True):
        end, start = (float(network.sub_scores(face)[0] * weight) for face in (inputs, np.zeros_like(inputs)))
        moves = network.gradients(steps * inputs).mean(axis=0) * inputs[0] * weight
        moved.append(_adding_up(moves, end - start))
        ends.append(end)
        starts.append(start)
    return np.array(ends), np.array(starts), moved


def _adding_up(parts: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
    """The parts with what the sum lacks spread over them by their size."""
    sizes: NDArray[np.float64] = np.abs(parts) if np.any(parts) else np.ones_like(parts)
    added: NDArray[np.float64] = parts + (whole - parts.sum()) * sizes / sizes.sum()
    return added
