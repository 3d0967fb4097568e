"""The combiner: a weighted mean of its members unless there is evidence for more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.combiner_fit import CombinerConfig, fit_combiner


def members(noise_a: float, noise_b: float, count: int = 300, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.6, count)
    return truth + rng.normal(0, noise_a, count), truth + rng.normal(0, noise_b, count), truth


def test_the_better_member_gets_the_greater_weight_and_neither_is_lost():
    a, b, truth = members(0.2, 0.5)
    combiner = fit_combiner(a, b, truth, CombinerConfig())
    assert combiner.mixing > 0.6
    fresh_a, fresh_b, fresh = members(0.2, 0.5, seed=1)
    error = np.sqrt(((combiner.predict(fresh_a, fresh_b) - fresh) ** 2).mean())
    assert error < np.sqrt(((fresh_a - fresh) ** 2).mean())


def test_a_member_that_knows_nothing_is_left_out():
    a, b, truth = members(0.2, 0.2)
    combiner = fit_combiner(np.full_like(a, 3.0), b, truth, CombinerConfig())
    assert combiner.mixing < 0.25


def test_save_is_load(tmp_path):
    a, b, truth = members(0.3, 0.4, 50)
    combiner = fit_combiner(a, b, truth, CombinerConfig())
    combiner.save(tmp_path)
    assert np.array_equal(type(combiner).load(tmp_path).predict(a, b), combiner.predict(a, b))


def test_the_same_seed_gives_the_same_combiner():
    a, b, truth = members(0.3, 0.4, 50)
    one, two = (fit_combiner(a, b, truth, CombinerConfig()) for _ in range(2))
    assert np.array_equal(one.predict(a, b), two.predict(a, b))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_scores_stay_on_the_scale(values):
    a, b, truth = members(0.3, 0.4, 50)
    combiner = fit_combiner(a, b, truth, CombinerConfig(steps=5))
    scores = combiner.predict(np.array(values), np.array(values[::-1]))
    assert scores.min() >= 1
    assert scores.max() <= 5


@pytest.mark.parametrize("row", [0, 7])
def test_a_row_alone_is_the_row_among_many(row):
    a, b, truth = members(0.3, 0.4, 50)
    combiner = fit_combiner(a, b, truth, CombinerConfig(steps=20))
    alone = combiner.predict(a[row : row + 1], b[row : row + 1])
    assert alone == pytest.approx(combiner.predict(a, b)[row : row + 1], abs=1e-12)
