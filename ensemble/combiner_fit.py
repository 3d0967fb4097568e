"""Fits the combiner on out-of-fold predictions, with Huber's loss (Huber 1964), by L-BFGS (Liu & Nocedal 1989).

Large errors count linearly, so that a few photos with large errors of every model do not dominate the fit. The last
layer of the correction starts at zero and is penalised, so that with few rows the combiner stays a weighted mean.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from ensemble.combiner import SHAPES, Combiner, Scores


@dataclass(frozen=True)
class CombinerConfig:
    """Settings of the fit; errors above `large`, in points of the scale, count linearly."""

    hidden: int = 8
    steps: int = 1_000
    penalty: float = 0.02
    large: float = 0.3
    seed: int = 0


def fit_combiner(scores: Scores, truth: NDArray[np.float64], config: CombinerConfig) -> Combiner:
    """Fit on members' (n,) scores of rows that no member was fitted on."""
    loss = _Loss(scores, truth, config)
    options = {"maxiter": config.steps, "ftol": 1e-12, "gtol": 1e-8}
    fitted = minimize(loss.value_and_gradient, loss.start(), jac=True, method="L-BFGS-B", options=options)
    return Combiner(tuple(scores), loss.centre, loss.spread, loss.parameters(fitted.x))


def combine_out_of_fold(
    scores: Scores, truth: NDArray[np.float64], part: NDArray[np.int64], config: CombinerConfig
) -> NDArray[np.float64]:
    """Combined scores (n,): those of each part of the rows by a combiner that was fitted on the other parts' rows."""
    combined = np.empty(len(truth))
    for held_out in (part == number for number in np.unique(part)):
        seen, predicted = ({name: each[rows] for name, each in scores.items()} for rows in (~held_out, held_out))
        combined[held_out] = fit_combiner(seen, truth[~held_out], config).predict(predicted)
    return combined


class _Loss:
    """What is minimised, over all parameters of a combiner in one vector."""

    def __init__(self, scores: Scores, truth: NDArray[np.float64], config: CombinerConfig) -> None:
        self._stacked, self._truth, self._config = np.stack(list(scores.values()), axis=1), truth, config
        self.centre, self.spread = float(self._stacked.mean()), float(self._stacked.std()) or 1.0
        self._standardised = (self._stacked - self.centre) / self.spread
        sizes = {"members": len(scores), "others": len(scores) - 1, "hidden": config.hidden}
        self._shapes = {
            name: tuple(n if isinstance(n, int) else sizes[n] for n in shape) for name, shape in SHAPES.items()
        }
        self._ends = np.cumsum([math.prod(shape) for shape in self._shapes.values()])

    def start(self) -> NDArray[np.float64]:
        """Equal weights, a random hidden layer and a correction of zero."""
        random, others = np.random.default_rng(self._config.seed), self._ends[0]
        start = np.zeros(self._ends[-1])
        start[others : self._ends[2]] = random.uniform(-1, 1, self._ends[2] - others) / np.sqrt(others + 1)
        return start

    def parameters(self, vector: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The vector as the arrays of a combiner."""
        pieces = np.split(vector, self._ends[:-1])
        return {name: piece.reshape(shape) for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)}

    def value_and_gradient(self, vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Mean loss with the penalty on the correction, and its derivatives."""
        logits, inner, bias, outer, last = self.parameters(vector).values()
        weights = softmax(np.append(logits, 0.0))
        hidden = np.tanh(self._standardised @ inner.T + bias)
        errors = self._stacked @ weights + hidden @ outer[0] + last - self._truth
        held = np.clip(errors, -self._config.large, self._config.large)
        of_scores = held / len(held)
        of_weights = self._stacked.T @ of_scores
        of_hidden = np.outer(of_scores, outer[0]) * (1 - hidden**2)
        gradient = np.concatenate(
            [
                (weights * (of_weights - weights @ of_weights))[:-1],
                (of_hidden.T @ self._standardised).ravel(),
                of_hidden.sum(axis=0),
                hidden.T @ of_scores,
                [of_scores.sum()],
            ]
        )
        correction = vector[len(logits) :]
        gradient[len(logits) :] += 2 * self._config.penalty * correction
        return float((held * (errors - held / 2)).mean() + self._config.penalty * correction @ correction), gradient
