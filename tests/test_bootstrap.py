"""The bootstrap: golden values, streams of folds, people who are drawn with all their photos, coverage."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import binom, sem, spearmanr, t

from reports.stats.bootstrap import (
    RESAMPLES,
    Estimate,
    correlations,
    figures,
    means,
    rank_correlations,
    resampled_figures,
    resamples,
)
from reports.stats.estimates import mean_of

ALONE = np.array([f"p{i:02}" for i in range(30)])
PAIRS = np.array([f"p{i // 2:02}" for i in range(30)])
GOLDEN = {
    "pearson": (0.9362262, 0.8825963, 0.968704),
    "mae": (0.2558647, 0.1923167, 0.3215185),
    "rmse": (0.3088186, 0.2340828, 0.3821917),
    "spearman": (0.9252503, 0.8091913, 0.9696754),
}


def example():
    random = np.random.default_rng(3)
    truth = random.normal(3, 0.7, 30)
    return truth, truth + random.normal(0.1, 0.3, 30)


def test_the_interval_of_a_mean_is_students_over_the_people():
    values, _ = example()
    ends = t.interval(0.95, 29, values.mean(), sem(values))
    assert astuple(mean_of(values, ALONE)) == pytest.approx((values.mean(), *ends))
    again = mean_of(np.repeat(values, 2), np.repeat(ALONE, 2))
    assert astuple(again) == pytest.approx((values.mean(), *ends)), "a copy of each photo adds nobody"
    assert np.isnan(astuple(mean_of(values[:1], ALONE[:1]))[1:]).all()
    assert np.isnan(astuple(mean_of(values[:0], ALONE[:0]))).all()


def test_figures_and_their_intervals_are_golden():
    found = figures(*example(), ALONE)
    assert {m: (f.value, f.low, f.high) for m, f in found.items()} == {
        metric: pytest.approx(values, abs=1e-6) for metric, values in GOLDEN.items()
    }


def test_an_interval_lies_between_the_quantiles_of_its_resamples():
    resampled = np.random.default_rng(1).permutation(np.arange(1001.0))
    assert Estimate.from_resamples(7, resampled) == Estimate(7, 25, 975)
    with_nan = Estimate.from_resamples(7, np.append(resampled, np.nan))
    assert (with_nan.low, with_nan.high) == (25, 975)
    none = Estimate.from_resamples(7, np.full(5, np.nan))
    assert np.isnan([none.low, none.high]).all()


@pytest.mark.parametrize(
    ("low", "high", "clear"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0, 0.1, False), (-1, 0, False)],
)
def test_a_figure_is_clear_where_its_interval_leaves_out_zero(low: float, high: float, clear: bool):
    assert Estimate((low + high) / 2, low, high).clear == clear


def test_a_mean_has_the_interval_of_the_theory():
    values = np.random.default_rng(4).normal(1, 2, 400)
    found = Estimate.of_mean(values, np.arange(400).astype(str))
    half = 1.96 * values.std() / 20
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


# what is drawn


def test_as_many_people_are_drawn_as_there_are_each_with_all_photos():
    counts = resamples(PAIRS)
    assert counts.shape == (RESAMPLES, 30)
    assert (counts.sum(axis=1) == 30).all()
    assert (counts[:, ::2] == counts[:, 1::2]).all()
    assert counts[:, ::2].mean(axis=0) == pytest.approx(np.ones(15), abs=0.15)
    uneven = resamples(np.array(["a", "b", "b", "b", "c"]))
    assert set(np.unique(uneven.sum(axis=1))) > {3, 5, 7}


def test_the_names_of_people_play_no_part_but_for_their_order():
    assert (resamples(PAIRS) == resamples(np.array([f"person {name}" for name in PAIRS]))).all()
    assert (resamples(ALONE)[:, ::-1] == resamples(ALONE[::-1])).all()


def test_the_same_seed_gives_the_same_resamples_and_every_fold_has_others():
    streams = [resamples(ALONE, fold) for fold in (0, 1, 2)]
    for fold, stream in enumerate(streams):
        assert (stream == resamples(ALONE, fold)).all()
    assert (streams[0] == resamples(ALONE)).all()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        correlation = np.corrcoef(streams[one].ravel(), streams[other].ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(streams[0].size)


def test_folds_of_the_same_rows_have_independent_figures():
    """The standard error of their mean is by the root of two smaller; with one stream for both it would be the same."""
    truth, predicted = example()
    one, other = (resampled_figures(truth, predicted, ALONE, fold) for fold in (0, 1))
    for metric, values in one.items():
        assert abs(np.corrcoef(values, other[metric])[0, 1]) < 4 / np.sqrt(RESAMPLES)
        ratio = np.mean([values, other[metric]], axis=0).std() / values.std()
        assert ratio == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_a_resample_without_any_of_the_values_or_without_spread_has_no_figure():
    counts = np.array([[0.0, 0, 2], [1, 1, 0]])
    assert means(counts[:, :2], np.array([1.0, 2])).tolist() == pytest.approx([np.nan, 1.5], nan_ok=True)
    truth = np.array([1.0, 2, 4])
    found = correlations(counts, truth, 5 - 2 * truth)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(-1)


def test_correlations_of_several_runs_are_exact_far_from_zero():
    """Scores around ten million: moments that are not centred would lose all digits."""
    truth, predicted = example()
    counts = resamples(ALONE)
    near = correlations(counts, truth, np.stack([predicted, -predicted]))
    assert near[0] == pytest.approx(correlations(counts, truth, predicted))
    assert near[1] == pytest.approx(-near[0])
    far = correlations(counts, truth + 1e7, np.stack([predicted, -predicted]) + 1e7)
    assert far == pytest.approx(near, abs=1e-6)


def test_equal_values_share_their_rank_in_every_resample():
    truth, predicted = (values.round(1) for values in example())
    counts = resamples(PAIRS)
    found = rank_correlations(counts, truth, predicted)
    for resample in range(0, RESAMPLES, 100):
        rows = np.repeat(np.arange(30), counts[resample].astype(int))
        assert found[resample] == pytest.approx(spearmanr(truth[rows], predicted[rows]).statistic)


# coverage


def test_an_interval_covers_the_mean_of_people_with_several_photos():
    """60 people of one to five photos with errors in common: 95 % of intervals hold the truth, drawn by photo do not."""
    worlds, held, by_photo = 200, 0, 0
    for world in range(worlds):
        random = np.random.default_rng(world)
        person = np.repeat(np.arange(60), random.integers(1, 6, 60))
        values = random.normal(0, 1, 60)[person] + random.normal(0, 0.5, len(person))
        names = person.astype(str)
        held += holds(Estimate.of_mean(values, names))
        if world < 60:
            by_photo += holds(Estimate.of_mean(values, np.arange(len(values)).astype(str)))
    # percentile intervals of 60 people hold somewhat less than they say
    assert binom.ppf(0.001, worlds, 0.935) <= held <= binom.ppf(0.999, worlds, 0.95)
    assert by_photo < binom.ppf(0.001, 60, 0.935)


def holds(estimate: Estimate) -> bool:
    return estimate.low <= 0 <= estimate.high
