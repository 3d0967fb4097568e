"""Prediction intervals: the quantile by hand, coverage by simulation through combiner and calibration, and none at all."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta

from ensemble.combiner_fit import CombinerConfig, combine_out_of_fold, fit_combiner
from ensemble.intervals import EVERYONE, MIN_PHOTOS, Intervals, _usual_errors
from featurestore.calibration import FEWEST, LEVEL, Calibration, conformal_quantile
from featurestore.errors import BundleError, UsageError
from models.cross_fitted import CrossFitted

WIDE_APART = np.array([2.0, 4.0])


def fitted(errors, groups=None, predicted=None) -> Intervals:
    """Intervals from these errors, at the score 3 unless others are given, in four parts."""
    predicted = np.full(len(errors), 3.0) if predicted is None else predicted
    part = 1 + np.arange(len(errors)) % 4
    return Intervals.fit(predicted, predicted - errors, part, groups or [None] * len(errors), alone(errors))


def alone(rows):
    """The people of n rows: another in each."""
    return [str(row) for row in range(len(rows))]


def widths(calibration: Calibration, scores=(3.0,)):
    low, high = calibration.interval(np.array(scores))
    return high - low


# by hand


@pytest.mark.parametrize(("n", "place"), [(9, 9), (19, 18), (20, 19), (29, 27), (30, 28), (99, 90), (100, 91)])
def test_the_quantile_of_n_distances_is_the_one_counted_by_hand(n, place):
    distances = np.random.default_rng(n).permutation(np.arange(1, n + 1) / 10)
    assert conformal_quantile(distances) == pytest.approx(place / 10)


def test_fewer_than_nine_distances_have_no_quantile_of_90_percent():
    assert np.isinf(conformal_quantile(np.ones(8)))


@pytest.mark.parametrize(("n", "half_width"), [(30, 0.28), (39, 0.36), (40, 0.37)])
def test_at_one_score_the_half_width_is_that_quantile_of_the_errors(n, half_width):
    errors = np.arange(1, n + 1) / 100 * np.where(np.arange(n) % 2, 1, -1)
    everyone = fitted(errors).everyone
    assert (everyone.n, everyone.bias) == (n, 0.0)
    assert everyone.half_widths == pytest.approx((half_width,))
    low, high = everyone.interval(np.array([3.2, 4.9]))
    assert low == pytest.approx(np.array([3.2, 4.9]) - half_width)
    assert high == pytest.approx(np.minimum(np.array([3.2, 4.9]) + half_width, 5))


def test_a_groups_bias_is_taken_off_and_each_error_is_told_from_the_mean_of_the_others():
    errors = np.concatenate([np.zeros(40), 0.5 + np.tile([-0.1, 0.1], 20)])
    group = fitted(errors, ["F"] * 40 + ["M"] * 40).calibrations["M"]
    assert group.bias == pytest.approx(0.5)
    # 40 errors that all lie .1 from their mean, .1 * 40 / 39 from the mean of the other 39
    assert widths(group) == pytest.approx(2 * 0.1 * 40 / 39)
    assert group.corrected(np.array([3.0, 1.2])) == pytest.approx([2.5, 1.0])


def test_a_photo_has_the_calibration_of_its_group_or_that_of_everyone():
    errors = np.concatenate([centre + np.tile([-0.1, 0.1], 20) for centre in (-0.6, -0.2, 0.2, 0.6)])
    intervals = fitted(errors, np.repeat(["b", "d", "a", "c"], 40).tolist())
    assert list(intervals.calibrations) == [EVERYONE, "a", "b", "c", "d"]
    assert intervals.for_group(None) is intervals.everyone
    assert intervals.for_group("b") is intervals.calibrations["b"]
    assert intervals.by_subset() == {None: intervals.everyone} | {g: intervals.for_group(g) for g in "abcd"}
    with pytest.raises(UsageError, match="'x': leave the group out, or choose from a, b, c, d"):
        intervals.for_group("x")
    with pytest.raises(UsageError, match=r"'a': leave the group out\."):
        fitted(errors).for_group("a")


def test_widths_follow_the_errors_along_the_scores():
    random = np.random.default_rng(0)
    predicted = random.uniform(2, 4, 2_000)
    errors = random.normal(0, np.where(predicted < 3, 0.1, 0.3))
    easy, hard = widths(fitted(errors, predicted=predicted).everyone, (2.3, 3.7))
    assert easy == pytest.approx(2 * 1.645 * 0.1, rel=0.15)
    assert hard == pytest.approx(2 * 1.645 * 0.3, rel=0.15)


@given(st.integers(FEWEST, 120), st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_errors_at_any_scores_have_finite_intervals_around_the_score(n, seed, rounded):
    random = np.random.default_rng(seed)
    predicted, errors = random.normal(3, 0.5, n), random.standard_t(2, n) / 4 * random.integers(0, 2, n)
    if rounded:
        predicted, errors = predicted.round(), errors.round()
    scores = np.array([1.0, 2.9, 5.0])
    low, high = fitted(errors, predicted=predicted).everyone.interval(scores)
    assert (low <= scores).all()
    assert (scores <= high).all()
    assert np.isfinite(high - low).all()


@pytest.mark.parametrize(("n", "stretches"), [(30, 1), (99, 1), (100, 2), (1_000, 8)])
def test_fifty_rows_give_a_stretch_and_at_most_eight_are_measured(n, stretches):
    random = np.random.default_rng(n)
    assert len(fitted(random.normal(0, 0.3, n), predicted=random.uniform(2, 4, n)).everyone.scores) == stretches


def test_too_few_rows_have_no_interval_and_too_small_groups_no_calibration():
    errors = np.random.default_rng(0).normal(0, 0.3, FEWEST)
    assert fitted(errors[:-1]).everyone == Calibration(FEWEST - 1, 0.0, (), ())
    assert fitted(errors[:-1]).everyone.interval(WIDE_APART) is None
    assert fitted(errors).everyone.interval(WIDE_APART) is not None
    groups = ["F"] * MIN_PHOTOS + ["M"] * (MIN_PHOTOS - 1)
    apart = np.repeat([-0.5, 0.5], [MIN_PHOTOS, MIN_PHOTOS - 1])
    assert set(fitted(apart, groups).calibrations) == {EVERYONE, "F"}


@pytest.mark.parametrize("n", [40, 200, 4_400])
def test_the_coverage_of_trainings_is_said_to_lie_where_theory_has_it(n):
    place = int(np.ceil((n + 1) * LEVEL))
    expected = beta(place, n + 1 - place).ppf([0.05, 0.95])
    assert Calibration(n, 0.0, (), ()).likely_coverage == pytest.approx(tuple(expected))


def test_from_the_fewest_rows_on_19_of_20_trainings_cover_80_percent():
    lowest = [Calibration(n, 0.0, (), ()).likely_coverage[0] for n in range(FEWEST - 1, 500)]
    assert lowest[0] < 0.8 < min(lowest[1:])


def test_save_is_load_and_one_width_of_an_earlier_kallos_is_read(tmp_path: Path):
    random = np.random.default_rng(0)
    errors, predicted = random.normal(0.2, 0.3, 400), random.uniform(2, 4, 400)
    intervals = fitted(errors, ["F"] * 200 + ["M"] * 200, predicted)
    intervals.save(tmp_path)
    assert Intervals.load(tmp_path) == intervals
    assert len(intervals.everyone.scores) == 8
    earlier = {"level": 0.9, "calibrations": {"": {"n": 100, "bias": 0.0, "half_width": 0.4}}}
    (tmp_path / "intervals.json").write_text(json.dumps(earlier))
    assert widths(Intervals.load(tmp_path).everyone, (1.5, 3.0)) == pytest.approx([0.8, 0.8])


@pytest.mark.parametrize(
    ("scores", "half_widths"), [([3, 3], [1, 1]), ([4, 3], [1, 1]), ([2, 3], [1, np.nan]), ([2, 3, np.inf], [1, 1, 1])]
)
def test_widths_that_are_no_numbers_at_rising_scores_are_refused(tmp_path: Path, scores, half_widths):
    wrong = {"n": 100, "bias": 0.0, "scores": scores, "half_widths": half_widths}
    (tmp_path / "intervals.json").write_text(json.dumps({"level": 0.9, "calibrations": {"": wrong}}))
    with pytest.raises(BundleError):
        Intervals.load(tmp_path)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_usual_error_at_a_rows_score_is_that_of_the_other_parts(number):
    random = np.random.default_rng(0)
    predicted, distances, part = random.uniform(2, 4, 400), random.uniform(0, 1, 400), 1 + np.arange(400) % 4
    own = part == number
    before, *_ = _usual_errors(predicted, distances, part)
    after, *_ = _usual_errors(predicted, np.where(own, 1 - distances, distances), part)
    assert np.array_equal(before[own], after[own])
    assert not np.isclose(before[~own], after[~own]).any()


# by simulation


class World(NamedTuple):
    """Faces of n people: what models see, the raters' scores, and the group."""

    inputs: NDArray[np.float64]
    scores: NDArray[np.float64]
    groups: NDArray[np.str_]


def drawn(random: np.random.Generator, n: int) -> World:
    """A linear world of 30 features, where high scores are less certain and men's score .2 higher."""
    inputs, male = random.normal(size=(n, 30)), random.integers(0, 2, n)
    latent = inputs @ np.random.default_rng(5).normal(size=30) / np.sqrt(30)
    noise = random.normal(size=n) * (0.15 + 0.25 / (1 + np.exp(-3 * latent)))
    return World(inputs, np.clip(3 + 0.6 * latent + 0.2 * male + noise, 1, 5), np.where(male, "M", "F"))


class Ridge:
    """Ridge regression on some of the columns."""

    def __init__(self, inputs, scores, columns: slice, penalty: float) -> None:
        self.columns, self.middle, self.mean = columns, inputs[:, columns].mean(axis=0), scores.mean()
        centred = inputs[:, columns] - self.middle
        squares = centred.T @ centred + penalty * np.eye(centred.shape[1])
        self.slopes = np.linalg.solve(squares, centred.T @ (scores - self.mean))

    def predict(self, inputs):
        return (inputs[:, self.columns] - self.middle) @ self.slopes + self.mean


MEMBERS = ((slice(0, 30), 3.0, True), (slice(0, 15), 0.1, True), (slice(15, 30), 1.0, False))
"""Columns, penalty, and whether new photos get one more fit on all rows or the mean of the parts' fits."""


def trained(random: np.random.Generator, n: int):
    """A training on n rows as `kallos train` does it: the intervals, and inputs to combined scores."""
    world, part = drawn(random, n), random.permutation(np.arange(n) % 4)
    out_of_fold, models = {}, {}
    for name, (columns, penalty, refitted) in zip("abc", MEMBERS, strict=True):
        seen = [part != number for number in range(4)]
        fits = [Ridge(world.inputs[rows], world.scores[rows], columns, penalty) for rows in seen]
        by_part = np.stack([CrossFitted([fit]).predict(world.inputs) for fit in fits])
        out_of_fold[name] = by_part[part, np.arange(n)]
        models[name] = CrossFitted([Ridge(world.inputs, world.scores, columns, penalty)] if refitted else fits)
    config = CombinerConfig()
    combiner = fit_combiner(out_of_fold, world.scores, config)
    combined = combine_out_of_fold(out_of_fold, world.scores, part, config)
    intervals = Intervals.fit(combined, world.scores, part, world.groups.tolist(), alone(part))
    return intervals, lambda inputs: combiner.predict({name: model.predict(inputs) for name, model in models.items()})


@cache
def simulated(n: int, trainings: int) -> pl.DataFrame:
    """Of each training, the share of 2,000 new photos that is covered: all, each group, low scores and high ones."""
    lines = []
    for seed in range(trainings):
        random = np.random.default_rng([n, seed])
        intervals, combined = trained(random, n)
        new = drawn(random, 2_000)
        scores = combined(new.inputs)

        def covered(calibration, rows, scores=scores, new=new):
            low, high = calibration.interval(scores[rows])
            return float(np.mean((low <= new.scores[rows]) & (new.scores[rows] <= high)))

        everyone, high = intervals.everyone, scores > np.median(scores)
        line = {"all": covered(everyone, np.full(len(scores), True)), "low": covered(everyone, ~high)}
        line |= {"high": covered(everyone, high)}
        lines.append(line | {g: covered(c, new.groups == g) for g, c in intervals.calibrations.items() if g})
    return pl.DataFrame(lines)


SIZES = {40: 30, 200: 20, 2_000: 8}
"""Training rows -> simulated trainings."""


@pytest.mark.parametrize("n", SIZES)
def test_intervals_cover_90_percent_of_new_photos_at_every_size(n):
    covered = simulated(n, SIZES[n])["all"].to_numpy()
    error = covered.std(ddof=1) / np.sqrt(len(covered))
    assert LEVEL - 3 * error < covered.mean() < 0.95


@pytest.mark.parametrize("group", ["F", "M"])
@pytest.mark.parametrize("n", [200, 2_000])
def test_a_groups_intervals_cover_90_percent_of_the_group(n, group):
    covered = simulated(n, SIZES[n])[group].to_numpy()
    error = covered.std(ddof=1) / np.sqrt(len(covered))
    assert LEVEL - 3 * error < covered.mean() < 0.95


def test_where_scores_are_certain_and_where_not_the_coverage_is_the_same():
    covered = simulated(2_000, SIZES[2_000]).mean()
    assert covered["low"].item() == pytest.approx(LEVEL, abs=0.02)
    assert covered["high"].item() == pytest.approx(LEVEL, abs=0.02)


def test_20_rows_train_a_model_without_intervals():
    intervals, combined = trained(np.random.default_rng(0), 20)
    assert intervals.everyone.interval(combined(np.zeros((1, 30)))) is None
