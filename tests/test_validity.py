"""The verdict of `kallos validate` on simulated raters: its error rates, and what it recalibrates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from benchmarks.validity import RATERS, SD, sample, verdicts
from featurestore.errors import DataError
from featurestore.recalibration import Recalibration, cross_mapped, monotone
from featurestore.scale import MODEL_SCALE, Scale
from featurestore.scale_maps import ScaleMap
from reports.stats.raters.variance import rater_noise
from reports.stats.shift import shift
from reports.stats.validity import USEFUL, photos_needed, validity

STUDIES = 100
STATED = 0.05
"""Error rate of either verdict, and share of calibrated models that are recalibrated."""


def most(rate: float) -> int:
    """Errors in STUDIES that a rule with this error rate has more of once in a thousand tests."""
    return int(binom.ppf(0.999, STUDIES, rate))


@pytest.mark.parametrize(("n", "noise"), [(30, 0.9), (30, 2.0), (120, 0.9)])
def test_a_model_at_the_limit_is_called_usable_or_not_usable_in_one_of_twenty_at_most(n: int, noise: float):
    counts = verdicts(STUDIES, n, USEFUL, seed=n, noise=noise)
    assert counts["use"] + counts["recalibrate"] <= most(STATED)
    assert counts["do not use"] <= most(STATED)


def test_a_good_calibrated_model_is_used_and_not_recalibrated_more_often_than_stated():
    counts = verdicts(STUDIES, 60, 0.85, seed=1)
    assert counts["recalibrate"] <= most(STATED)
    assert counts["use"] >= 0.8 * STUDIES


def test_a_poor_model_is_refused_and_one_off_level_or_coverage_recalibrated():
    random = np.random.default_rng(2)
    assert verdicts(20, 100, 0.01, seed=2)["do not use"] > 17
    good = sample(random, 60, 0.85)
    shifted = good.with_columns(pl.col("predicted", "low", "high") + 0.5)
    narrow = good.with_columns(low=pl.col("predicted") - 0.1, high=pl.col("predicted") + 0.1)
    flat = good.with_columns(predicted=3 + 0.4 * (pl.col("predicted") - 3))
    assert {validity(frame).verdict for frame in (shifted, narrow, flat)} == {"recalibrate"}


def test_the_photos_that_are_said_to_be_needed_decide_with_the_stated_power():
    reliability = SD**2 / (SD**2 + 0.9**2 / RATERS)
    needed = photos_needed(0.8, reliability)
    counts = verdicts(STUDIES, needed, 0.8, seed=3)
    assert counts["use"] + counts["recalibrate"] == pytest.approx(0.8 * STUDIES, abs=3.1 * np.sqrt(STUDIES * 0.16))
    assert photos_needed(0.9, 1.0) < needed < photos_needed(0.8, 0.3)
    assert photos_needed(USEFUL, 1.0) is photos_needed(USEFUL + 0.005, 1.0) is None


def test_correcting_for_the_raters_noise_finds_the_correlation_without_it():
    random = np.random.default_rng(4)
    found = [validity(sample(random, 120, 0.7, raters=3, noise=1.0)) for _ in range(25)]
    assert np.mean([each.spearman.value for each in found]) < 0.6
    assert np.mean([each.corrected.value for each in found]) == pytest.approx(0.7, abs=0.04)


def test_lenient_raters_are_noise_only_where_photos_had_different_ones():
    random = np.random.default_rng(5)
    images, raters, chosen = np.arange(300), 20, 4
    lenience = random.normal(0, 1, raters)

    def noise(raters_of: np.ndarray) -> float:
        ratings = (
            random.normal(0, 0.7, len(images))[:, None] + lenience[raters_of] + random.normal(0, 0.5, raters_of.shape)
        )
        frame = pl.DataFrame(
            {
                "image_id": np.repeat(images, raters_of.shape[1]).astype(str),
                "rater_id": raters_of.ravel().astype(str),
                "rating": ratings.ravel(),
            }
        )
        return rater_noise(frame)["noise"].mean()

    crossed = np.tile(np.arange(chosen), (len(images), 1))
    panels = np.stack([random.choice(raters, chosen, replace=False) for _ in images])
    assert noise(crossed) == pytest.approx(0.25 / chosen, rel=0.1)
    assert noise(panels) == pytest.approx((0.25 + lenience.var(ddof=1) * (1 - chosen / raters)) / chosen, rel=0.25)


def test_several_photos_of_one_person_count_as_one():
    random = np.random.default_rng(6)
    once = sample(random, 40, 0.85).with_columns(person=pl.col("image_id"))
    thrice = pl.concat([once] * 3)
    assert validity(thrice).people == 40
    assert validity(thrice).corrected.low == pytest.approx(validity(once).corrected.low, abs=0.02)


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(DataError, match="equal"):
        validity(pl.DataFrame({"score": [3.0] * 30, "predicted": np.arange(30.0)}))


# the map


def test_the_map_is_right_for_raters_who_use_the_scale_otherwise_and_changes_no_order():
    random = np.random.default_rng(7)
    predicted = np.clip(random.normal(3, 0.6, 150), 1.2, 4.8)
    truth = 1 + 4 * ((predicted - 1) / 4) ** 2 + random.normal(0, 0.1, 150)
    fitted = monotone(Scale(1, 7), predicted, truth)
    scores = np.linspace(1, 5, 500)
    assert (np.diff(fitted.from_shared(scores)) > 0).all()
    middle = np.linspace(*np.quantile(predicted, (0.02, 0.98)), 50)
    assert np.abs(fitted.from_shared(middle) - (1 + 4 * ((middle - 1) / 4) ** 2)).max() < 0.12


def test_a_map_of_noise_is_flat():
    random = np.random.default_rng(8)
    for _ in range(20):
        predicted, truth = random.normal(3, 0.5, (2, 40))
        inside = np.linspace(*np.quantile(predicted, (0.1, 0.9)), 20)
        assert np.ptp(monotone(MODEL_SCALE, predicted, truth).from_shared(inside)) < 0.8


EVEN = np.linspace(2, 4, 20)


def test_a_line_is_its_own_map_and_goes_on_straight_to_the_ends_of_the_scale():
    scores = np.array([1, 1.5, 2, 2.2, 3, 3.7, 4, 4.5, 5])
    expected = [1, 1.5, 2, 2.1, 2.5, 2.85, 3, 4, 5]
    assert monotone(MODEL_SCALE, EVEN, 0.5 * EVEN + 1).from_shared(scores) == pytest.approx(expected)


@pytest.mark.parametrize("truth", [np.full(20, 3.0), 6 - EVEN])
def test_where_predictions_say_nothing_the_map_is_nearly_flat(truth):
    mapped = monotone(MODEL_SCALE, EVEN, truth).from_shared(np.array([2.0, 3.0, 4.0]))
    assert mapped == pytest.approx([2.95, 3, 3.05])


@pytest.mark.parametrize(("n", "groups"), [(10, 2), (29, 2), (50, 5), (400, 30)])
def test_ten_photos_are_a_group_and_there_are_two_to_thirty(n, groups):
    predicted = np.linspace(1.5, 4.5, n)
    assert len(monotone(MODEL_SCALE, predicted, predicted).shared) == groups + 4


def test_groups_that_fall_are_joined_by_their_photos():
    """Ten groups of which the last two fall: their mean counts each photo once."""
    predicted = np.linspace(1.5, 4.5, 31)
    truth = np.repeat([2.0, 4.0, 3.0], [11, 10, 10])
    joined = monotone(MODEL_SCALE, predicted, truth)
    assert joined.shared[2:4] == pytest.approx([predicted[:11].mean(), predicted[11:].mean()])
    assert joined.scores[2:4] == pytest.approx([2, 3.5])


def test_a_photo_is_mapped_by_photos_of_the_other_four_fifths():
    ids, predicted = [str(i) for i in range(60)], np.linspace(1.5, 4.5, 60)
    truth = predicted + np.random.default_rng(10).normal(0, 0.2, 60)
    columns = {"predicted": predicted, "middle": np.full(60, 3.0)}
    middle = cross_mapped(ids, truth, columns)["middle"]
    assert len(np.unique(middle)) == 5
    for part in np.unique(middle):
        own = middle == part
        again = cross_mapped(ids, np.where(own, 6 - truth, truth), columns)["middle"]
        assert (again == middle).tolist() == own.tolist()


def test_intervals_are_widened_by_how_far_scores_lie_from_the_side_that_they_are_on():
    predicted = np.linspace(2, 4, 90)
    ids, off = [str(i) for i in range(90)], np.tile([0.3, -0.15, -0.15], 30)
    for factor in (1.0, 2.0):
        ends = predicted - 0.15 / factor, predicted + 0.3 / factor
        fitted = Recalibration.fit(MODEL_SCALE, ids, predicted + off, predicted, ends)
        assert fitted.widening == pytest.approx(factor, rel=0.4)
    none = Recalibration.fit(MODEL_SCALE, ids, predicted + off, predicted, None)
    assert none.widening == 1
    # where an interval has no width it is widened as far as it takes
    assert Recalibration.fit(MODEL_SCALE, ids, predicted + off, predicted, (predicted, predicted)).widening > 1e5


def test_both_sides_of_an_interval_are_widened_and_stay_on_the_scale():
    recalibration = Recalibration(ScaleMap.reference(MODEL_SCALE), 2.0)
    low, high = recalibration.ends(np.array([3.0, 4.8]), (np.array([2.7, 4.6]), np.array([3.1, 4.95])))
    assert low == pytest.approx([2.4, 4.4])
    assert high == pytest.approx([3.2, 5.0])


@pytest.mark.parametrize("n", [30, 120])
def test_recalibrated_intervals_cover_new_photos(n: int):
    """Raters who are a point stricter and noisier than the training's: on average over studies, nine in ten."""
    random = np.random.default_rng(n)

    def photos(count: int) -> tuple[np.ndarray, np.ndarray]:
        predicted = random.normal(3.4, 0.5, count)
        return predicted, np.clip(predicted - 0.8 + random.normal(0, 0.5, count), 1, 5)

    covered = []
    for _ in range(60):
        predicted, truth = photos(n)
        ids = [str(i) for i in range(n)]
        fitted = Recalibration.fit(MODEL_SCALE, ids, truth, predicted, (predicted - 0.3, predicted + 0.3))
        new, score = photos(400)
        low, high = fitted.ends(new, (new - 0.3, new + 0.3))
        covered.append(np.mean((low <= score) & (score <= high)))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)


# shift


def test_a_shift_is_named_and_none_is_named_where_there_is_none():
    random = np.random.default_rng(9)
    names, people = [f"f{i}" for i in range(40)], np.arange(60).astype(str)
    alarms = 0
    for _ in range(STUDIES):
        z = random.normal(size=(60, 40))
        beyond = {"face": random.random(60) < 0.03, "yaw": random.random(60) < 0.02}
        found = shift(names, z, people, beyond, 0.05)
        alarms += found.shifted > 0
    assert alarms <= most(0.01)
    z[:, 3] += 1.5
    beyond["face"][:30] = True
    found = shift(names, z, people, beyond, 0.05)
    assert (found.features[0].feature, found.shifted) == ("f3", 1)
    assert found.features[0].mean == pytest.approx(1.5, abs=0.4)
    assert found.unusual["face"] >= 0.5
    assert found.p < 1e-6
    assert shift(names, z, people, {}, 0.05).warned is None
