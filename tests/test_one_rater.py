"""The model of one person's eye: laws that hold for any ratings, and simulated raters whose taste is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from featurestore.records import Evaluation
from models.one_rater import Faces, OneRater, Prior

COMPONENTS = 6
NOISE = 0.5


def some_faces(count: int, seed: int) -> Faces:
    random = np.random.default_rng(seed)
    return Faces(random.uniform(1, 5, count), random.normal(size=(count, COMPONENTS)))


def simulated(faces: Faces, prior: Prior, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What a rater whose coefficients are drawn from the prior thinks of each face, and gives it."""
    random = np.random.default_rng(seed)
    taste = faces.pool + faces.design @ random.multivariate_normal(np.zeros(2 + COMPONENTS), prior.covariance)
    return taste, taste + NOISE * random.normal(size=len(faces))


UNKNOWN = Prior.learn(some_faces(10, 0), np.empty((0, 10)))
KNOWN_NOISE = Prior(UNKNOWN.covariance, NOISE, 0)
SEEDS = st.integers(0, 10_000)


@given(SEEDS)
@settings(max_examples=20)
def test_before_the_first_rating_the_pool_speaks(seed: int):
    faces = some_faces(30, seed)
    score, sd = OneRater.fit(UNKNOWN, faces.take(np.arange(0)), np.empty(0)).predict(faces)
    assert score.tolist() == faces.pool.tolist()
    assert (sd > 0).all()


@given(SEEDS, st.integers(0, 40))
@settings(max_examples=20)
def test_a_further_rating_raises_no_variance_and_lowers_it_by_the_gain(seed: int, rated: int):
    faces = some_faces(60, seed)
    ratings = simulated(faces, KNOWN_NOISE, seed)[1]
    before, after = (
        OneRater.posterior(UNKNOWN.covariance, NOISE, faces.take(np.arange(n)), ratings[:n]) for n in (rated, rated + 1)
    )
    assert (after.predict(faces)[1] <= before.predict(faces)[1] + 1e-9).all()
    # what a regression on the pool's score leaves of each component
    fits = [np.polyfit(faces.pool, component, 1) for component in faces.components.T]
    residuals = faces.components - np.stack([np.polyval(fit, faces.pool) for fit in fits], axis=1)
    spread = [((residuals @ model.covariance[2:, 2:]) * residuals).sum(axis=1).mean() for model in (before, after)]
    assert before.gains(faces)[rated] == pytest.approx(spread[0] - spread[1], abs=1e-9)


@given(SEEDS)
@settings(max_examples=20)
def test_the_order_of_ratings_does_not_matter(seed: int):
    faces = some_faces(25, seed)
    ratings = simulated(faces, KNOWN_NOISE, seed)[1]
    order = np.random.default_rng(seed).permutation(25)
    one, other = OneRater.fit(UNKNOWN, faces, ratings), OneRater.fit(UNKNOWN, faces.take(order), ratings[order])
    assert one.mean == pytest.approx(other.mean, abs=1e-4)
    assert one.left_out[order] == pytest.approx(other.left_out, abs=1e-4)


@given(SEEDS)
@settings(max_examples=10)
def test_leaving_one_out_is_fitting_without_it(seed: int):
    """But for the level, which is that of all: with it known, both are the same."""
    faces = some_faces(12, seed)
    ratings = simulated(faces, KNOWN_NOISE, seed)[1]
    covariance = UNKNOWN.covariance.copy()
    covariance[0, 0] = 0
    model = OneRater.posterior(covariance, NOISE, faces, ratings)
    for left in range(12):
        rest = np.arange(12) != left
        fitted = OneRater.posterior(covariance, NOISE, faces.take(rest), ratings[rest])
        assert fitted.predict(faces.take(np.array([left])))[0][0] == pytest.approx(model.left_out[left])


def test_the_correlation_of_ratings_left_out_is_that_with_new_ones():
    """Over raters without a taste of their own, where fitting the level anew would take some .05 off at ten ratings."""
    left_out, new = [], []
    for seed in range(200):
        faces = some_faces(110, seed)
        ratings = faces.pool + 1.5 * np.random.default_rng(seed).normal(size=110)
        model = OneRater.fit(UNKNOWN, faces.take(np.arange(10)), ratings[:10])
        left_out.append(Evaluation.from_scores(ratings[:10], model.left_out).pearson)
        new.append(Evaluation.from_scores(ratings[10:], model.predict(faces)[0][10:]).pearson)
    assert np.mean(left_out) == pytest.approx(np.mean(new), abs=0.06)


def test_a_known_taste_is_recovered_and_intervals_cover():
    inside = total = 0
    agreement = {0: [], 20: [], 100: []}
    for seed in range(60):
        faces = some_faces(300, seed)
        taste, ratings = simulated(faces, UNKNOWN, seed)
        for size, found in agreement.items():
            model = OneRater.fit(UNKNOWN, faces.take(np.arange(size)), ratings[:size])
            score, sd = model.predict(faces.take(np.arange(200, 300)))
            found.append(np.corrcoef(score - faces.pool[200:], (taste - faces.pool)[200:])[0, 1] if size else 0)
            # one face a rater: those of one rater err together
            inside += abs(score[0] - taste[200]) <= 1.645 * sd[0]
            total += 1
    assert np.mean(agreement[20]) > 0.4
    assert np.mean(agreement[100]) > 0.85
    low, high = binom.interval(0.999, total, 0.9)
    assert low <= inside <= high


def test_the_prior_is_that_of_the_other_raters():
    """Two components matter to all raters, the others to none."""
    faces = some_faces(500, 1)
    spread = np.diag([0.3, 0.2, 0.4, 0.4, 0, 0, 0, 0]) ** 2
    raters = np.array([simulated(faces, Prior(spread, NOISE, 0), seed)[1] for seed in range(80)])
    raters[:, ::3] = np.nan
    few = np.full((1, 500), np.nan)
    few[0, :20] = raters[0, 1]
    prior = Prior.learn(faces, np.vstack([raters, few]))
    assert prior.raters == 81
    assert prior.noise == pytest.approx(NOISE, rel=0.05)
    found = np.sqrt(np.diag(prior.covariance))
    assert found[:4] == pytest.approx(np.sqrt(np.diag(spread))[:4], rel=0.45)
    assert (found[4:] < 0.1).all()
