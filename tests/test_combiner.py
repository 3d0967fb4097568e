"""The combiner: a weighted mean of its members unless there is evidence for more."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from ensemble.combiner import FILE, Combiner
from ensemble.combiner_fit import CombinerConfig, _Loss, combine_out_of_fold, fit_combiner
from featurestore.errors import BundleError


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


def test_a_score_is_the_weighted_mean_and_the_correction_counted_by_hand():
    parameters = {
        "logits": np.log([3.0]),
        "correction.0.weight": np.array([[0.5, -0.25], [0.0, 1.0]]),
        "correction.0.bias": np.array([0.1, -0.2]),
        "correction.2.weight": np.array([[0.3, -0.1]]),
        "correction.2.bias": np.array([0.05]),
    }
    combiner = Combiner(("a", "b"), 3.0, 0.5, parameters)
    # a and b in standard units are 1 and -2
    correction = 0.3 * math.tanh(0.5 + 0.5 + 0.1) - 0.1 * math.tanh(-2 - 0.2) + 0.05
    assert combiner.weights == pytest.approx({"a": 0.75, "b": 0.25})
    assert combiner.predict({"a": np.array([3.5]), "b": np.array([2.0])}) == pytest.approx(3.125 + correction)


def test_save_is_load(tmp_path):
    scores, truth = members(0.3, 0.4, 0.5, count=50)
    combiner = fit_combiner(scores, truth, CombinerConfig())
    for _ in range(2):
        combiner.save(tmp_path / "run" / "combiner")
    again = type(combiner).load(tmp_path / "run" / "combiner")
    assert again.members == ("a", "b", "c")
    assert np.array_equal(again.predict(scores), combiner.predict(scores))


@pytest.mark.parametrize(("name", "value"), [("spread", 0), ("spread", -1), ("members", ["a"])])
def test_a_file_that_cannot_be_is_refused(tmp_path, name, value):
    scores, truth = members(0.3, 0.4, count=50)
    fit_combiner(scores, truth, CombinerConfig(steps=5)).save(tmp_path)
    (tmp_path / FILE).write_text(json.dumps(json.loads((tmp_path / FILE).read_text()) | {name: value}))
    with pytest.raises(BundleError):
        Combiner.load(tmp_path)


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


def test_a_bend_that_members_share_is_corrected():
    """Both members are the truth bent at the ends of the scale: no weighted mean of them is right, the correction is."""
    random = np.random.default_rng(0)
    latent = random.normal(0, 1, 900)
    truth = 3 + 1.2 * np.tanh(2 * latent)
    scores = {name: 3 + 0.6 * latent + random.normal(0, 0.05, 900) for name in "ab"}
    fitted, fresh = ({name: each[rows] for name, each in scores.items()} for rows in (slice(600), slice(600, None)))
    combiner = fit_combiner(fitted, truth[:600], CombinerConfig())
    mean = sum(weight * fresh[name] for name, weight in combiner.weights.items())
    assert rmse(combiner.predict(fresh), truth[600:]) < 0.75 * rmse(mean, truth[600:])
    assert combiner.predict(fresh) == pytest.approx(np.clip(mean + combiner.correction_of(fresh), 1, 5))


def test_errors_of_one_sign_are_corrected_by_a_constant():
    scores, truth = members(0.1, 0.1, count=200)
    combiner = fit_combiner({name: each - 0.5 for name, each in scores.items()}, truth, CombinerConfig())
    assert combiner.correction_of({"a": np.array([2.5]), "b": np.array([2.5])}) == pytest.approx([0.5], abs=0.1)


def test_the_loss_is_hubers_mean_and_the_penalty_counted_by_hand():
    """Errors of .1 and -.5, of which .2 lies beyond `large`, and all 16 + 8 + 8 + 1 parameters of a correction."""
    loss = _Loss({"a": np.array([3.0, 2.0]), "b": np.array([3.2, 2.0])}, np.array([3.0, 2.5]), CombinerConfig())
    plain = np.zeros(1 + 33)
    mean = (0.1**2 / 2 + 0.3 * (0.5 - 0.3 / 2)) / 2
    assert loss.value_and_gradient(plain)[0] == pytest.approx(mean)
    # a constant of the correction, the last parameter, moves both errors
    plain[-1] = 0.1
    moved = (0.2**2 / 2 + 0.3 * (0.4 - 0.3 / 2)) / 2 + 0.02 * 0.1**2
    assert loss.value_and_gradient(plain)[0] == pytest.approx(moved)


def test_a_fit_starts_at_the_plain_mean_with_a_hidden_layer_between_minus_one_and_one_by_the_members():
    scores, truth = members(0.3, 0.4, 0.5, count=40)
    start = _Loss(scores, truth, CombinerConfig()).start()
    logits, inner, bias, *correction = _Loss(scores, truth, CombinerConfig()).parameters(start).values()
    assert (inner.shape, bias.shape, [each.shape for each in correction]) == ((8, 3), (8,), [(1, 8), (1,)])
    assert not any(each.any() for each in (logits, *correction))
    hidden = np.append(inner, bias) * np.sqrt(3)
    assert -1 <= hidden.min() < -0.9
    assert 0.9 < hidden.max() <= 1
    assert not np.array_equal(start, _Loss(scores, truth, CombinerConfig(seed=1)).start())


def test_the_correction_sees_standardised_scores():
    scores, truth = members(0.3, 0.4, count=40)
    combiner = fit_combiner(scores, truth, CombinerConfig(steps=3))
    stacked = np.stack(list(scores.values()))
    assert (combiner.centre, combiner.spread) == pytest.approx((stacked.mean(), stacked.std()))
    wide = fit_combiner({name: 3 + 2 * (each - 3) for name, each in scores.items()}, truth, CombinerConfig(steps=3))
    seen = _Loss(scores, truth, CombinerConfig())._standardised
    assert (seen.mean(), seen.std()) == pytest.approx((0, 1))
    assert wide.spread == pytest.approx(2 * combiner.spread)
    same = fit_combiner({"a": np.full(9, 3.0), "b": np.full(9, 3.0)}, truth[:9], CombinerConfig(steps=3))
    assert same.spread == 1


def test_the_gradient_is_that_of_the_loss():
    scores, truth = members(0.3, 0.4, 0.5, count=40)
    loss = _Loss(scores, truth, CombinerConfig())
    start = np.random.default_rng(0).normal(0, 0.3, len(loss.start()))
    value, gradient = (lambda vector, which=which: loss.value_and_gradient(vector)[which] for which in (0, 1))
    assert check_grad(value, gradient, start) < 1e-6


@pytest.mark.parametrize("part", [1, 2, 3])
def test_out_of_fold_a_rows_own_score_is_not_seen(part):
    scores, truth = members(0.2, 0.4, count=60)
    parts = 1 + np.arange(60) % 3
    combined = combine_out_of_fold(scores, truth, parts, CombinerConfig())
    others = np.where(parts == part, 6 - truth, truth)
    again = combine_out_of_fold(scores, others, parts, CombinerConfig())
    assert np.array_equal(combined[parts == part], again[parts == part])
    assert not np.allclose(combined[parts != part], again[parts != part])
