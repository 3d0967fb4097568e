"""Fits the quadratic function: kernel ridge regression with a kernel of degree 2, rewritten without its rows.

With k(x, y) = (1 + x·y)² / 4 the solution f(x) = mean + sum of a_i k(x, x_i) is a quadratic function of x (Schoelkopf &
Smola 2002, 2.1). Its matrix, sum of a_i x_i x_iᵀ / 4, has few eigenvalues that matter: the largest are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.sparse.linalg import eigsh

from featurestore.records import Epoch, FaceBatch
from models.quadratic.model import Quadratic, QuadraticConfig, QuadraticModel, blocks_of
from models.spec import Listener, Options, PlainFitter
from models.standardised import spreads

PENALTIES = np.geomspace(0.01, 3, 9)
"""Of the ridge regression; leave-one-out chooses among them."""

JITTER = 1e-4
"""Added to the diagonal of products of rows, which is 1 in the mean: centred rows depend on each other."""


class QuadraticFitter(PlainFitter):
    def __init__(self, options: Options) -> None:
        self._config = QuadraticConfig(seed=options.seed)
        super().__init__(asdict(self._config))

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, _: Mapping[str, Any]) -> QuadraticModel:
        return train_quadratic(train, held_out, self._config, listener.on_epoch)


def train_quadratic(
    train: FaceBatch, held_out: FaceBatch, config: QuadraticConfig, on_epoch: Callable[[Epoch], None]
) -> QuadraticModel:
    """Fit on `train`; the penalty by leave-one-out among its rows."""
    began = time.monotonic()
    rows = np.sort(np.random.default_rng(config.seed).permutation(len(train))[: config.rows])
    used = train.take(rows)
    blocks = blocks_of(used)
    centre, scale = _standardisation(blocks, config)
    inputs = (np.hstack([*blocks.values()]) - centre) / scale
    products = (inputs @ inputs.T).astype(np.float64)
    coefficients, loss, penalty = _ridge(((1 + products) / 2) ** 2, used.scores)
    directions, curvatures = _strongest(inputs, products, coefficients, config.directions)
    linear = inputs.T @ coefficients.astype(np.float32) / 2 / scale
    function = Quadratic(
        float(used.scores.mean() + coefficients.sum() / 4),
        # rounded as they are saved
        *(
            array.astype(np.float32).astype(np.float64)
            for array in (centre, linear, directions / scale[:, None], curvatures)
        ),
    )
    model = QuadraticModel(config, train.feature_names, function, penalty)
    on_epoch(Epoch.from_scores(1, 1, loss, held_out.scores, model.predict(held_out), began=began))
    return model


def _standardisation(
    blocks: Mapping[str, NDArray[np.float32]], config: QuadraticConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(P,) means, and scales that give each block its share of a mean squared length of 1.

    Every number has the same weight in its block, every network and every region the same in the windows.
    """
    kinds = [name.partition("/")[0] for name in blocks]
    centres, scales = [], []
    for kind, values in zip(kinds, blocks.values(), strict=True):
        centre, spread = values.mean(axis=0), spreads(values)
        length = max(float((values.var(axis=0) / spread**2).sum()), 1e-12)
        share = getattr(config, kind) / (config.windows + config.whole + config.features) / kinds.count(kind)
        centres.append(centre)
        scales.append(spread * np.sqrt(length / share))
    return np.concatenate(centres, dtype=np.float32), np.concatenate(scales, dtype=np.float32)


def _ridge(kernel: NDArray[np.float64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Coefficients (n,) of the rows about the mean score, the mean squared error of leaving one out, the penalty."""
    target = scores - scores.mean()
    values, vectors = eigh(kernel, driver="evd")
    turned = vectors.T @ target
    found = []
    for penalty in PENALTIES:
        inverse = 1 / (values.clip(0) + penalty)
        coefficients = vectors @ (inverse * turned)
        left_out = coefficients / (vectors**2 @ inverse)
        found.append((float((left_out**2).mean()), coefficients, float(penalty)))
    loss, coefficients, penalty = min(found, key=lambda each: each[0])
    return coefficients, loss, penalty


def _strongest(
    inputs: NDArray[np.float32], products: NDArray[np.float64], coefficients: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal directions (P, K) and eigenvalues (K,) of inputsᵀ diag(coefficients) inputs / 4, by size."""
    n = len(inputs)
    root = cholesky(products + JITTER * np.eye(n), lower=True)
    matrix = (root.T * coefficients) @ root / 4
    if count < n - 1:
        values, vectors = eigsh(matrix, k=count, which="LM", v0=np.ones(n))
    else:
        values, vectors = eigh(matrix)
    back = solve_triangular(root, vectors, lower=True, trans="T")
    return (inputs.T @ back.astype(np.float32)).astype(np.float64), values
