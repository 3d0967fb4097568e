"""The combiner: a weighted mean of its members unless there is evidence for more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.combiner_fit import CombinerConfig, fit_combiner


def members(*noise: float, count: int = 300, seed: int = 0):
    """Scores of members called a, b, ..., each the truth with noise of its own; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.6, count)
    return {name: truth + rng.normal(0, each, count) for name, each in zip("abcd", noise, strict=False)}, truth


def rmse(scores, truth):
    return np.sqrt(((scores - truth) ** 2).mean())


@pytest.mark.parametrize("noise", [(0.2, 0.5), (0.2, 0.5, 0.5), (0.2, 0.5, 0.5, 0.6)])
def test_the_better_member_gets_the_greater_weight_and_neither_is_lost(noise):
    scores, truth = members(*noise)
    combiner = fit_combiner(scores, truth, CombinerConfig())
    assert sum(combiner.weights.values()) == pytest.approx(1)
    assert max(combiner.weights, key=combiner.weights.get) == "a"
    assert combiner.weights["a"] > 1.2 / len(noise)
    fresh, fresh_truth = members(*noise, seed=1)
    assert rmse(combiner.predict(fresh), fresh_truth) < rmse(fresh["a"], fresh_truth)


@pytest.mark.parametrize("place", ["a", "b", "c"])
def test_a_member_that_knows_nothing_is_left_out(place):
    scores, truth = members(0.2, 0.2, 0.2)
    scores[place] = np.full_like(truth, 3.0)
    combiner = fit_combiner(scores, truth, CombinerConfig())
    assert combiner.weights[place] < 0.25
    assert combiner.weights[place] == min(combiner.weights.values())


def test_save_is_load(tmp_path):
    scores, truth = members(0.3, 0.4, 0.5, count=50)
    combiner = fit_combiner(scores, truth, CombinerConfig())
    combiner.save(tmp_path)
    again = type(combiner).load(tmp_path)
    assert again.members == ("a", "b", "c")
    assert np.array_equal(again.predict(scores), combiner.predict(scores))


def test_the_same_seed_gives_the_same_combiner():
    scores, truth = members(0.3, 0.4, count=50)
    one, two = (fit_combiner(scores, truth, CombinerConfig()) for _ in range(2))
    assert np.array_equal(one.predict(scores), two.predict(scores))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_scores_stay_on_the_scale(values):
    scores, truth = members(0.3, 0.4, count=50)
    combiner = fit_combiner(scores, truth, CombinerConfig(steps=5))
    combined = combiner.predict({"a": np.array(values), "b": np.array(values[::-1])})
    assert combined.min() >= 1
    assert combined.max() <= 5


@pytest.mark.parametrize("row", [0, 7])
def test_a_row_alone_is_the_row_among_many(row):
    scores, truth = members(0.3, 0.4, count=50)
    combiner = fit_combiner(scores, truth, CombinerConfig(steps=20))
    alone = combiner.predict({name: values[row : row + 1] for name, values in scores.items()})
    assert alone == pytest.approx(combiner.predict(scores)[row : row + 1], abs=1e-12)
