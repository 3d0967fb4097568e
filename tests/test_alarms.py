"""About one ordinary photo in twenty is said to be unlike the training photos, at any number of them: simulated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import betabinom

from ensemble.alarm_limits import _tail, fewest_rows, joint_limits
from ensemble.novelty import ALARM_RATE, FEWEST_PHOTOS, Novelty, _as_measured, _distances, _unusual
from extractors.topologies.facemesh_468 import TOPOLOGY
from featurestore.records import FaceBatch
from models.baseline.pca import Components

REGIONS = ("eyes", "brows", "nose", "lips", "jawline", "cheeks", "skin")
NEW = 400
"""Ordinary photos that are looked at after each fit."""


def photos(n: int, random: np.random.Generator) -> tuple[FaceBatch, NDArray[np.float32]]:
    """n made-up faces, whose features and embeddings have heavy tails and a few strong directions, as real ones have."""

    def numbers(columns: int) -> NDArray[np.float64]:
        few = random.standard_t(6, size=(n, 5)) @ np.random.default_rng(columns).normal(size=(5, columns))
        return few + random.standard_t(6, size=(n, columns))

    names = (*(f"feature_{i}" for i in range(20)), "left_sharpness", "skin_lightness")
    features = numbers(len(names))
    features[random.random(n) < 0.02, -1] = np.nan
    turned = random.normal(0, 0.1, size=(n, 1))
    landmarks = TOPOLOGY.mesh * 200.0 * random.lognormal(0, 0.2, size=(n, 1, 1))
    landmarks[:, :, 0] += turned * landmarks[:, :, 2]
    batch = FaceBatch(
        image_ids=tuple(map(str, range(n))),
        feature_names=names,
        feature_regions=("skin",) * len(names),
        features=features,
        shapes=numbers(30).astype(np.float32),
        embeddings=numbers(40).astype(np.float32),
        region_embeddings={region: numbers(60 + i).astype(np.float32) for i, region in enumerate(REGIONS)},
        faces=None,
        scores=np.full(n, np.nan),
        histograms=np.full((n, 5), np.nan),
    )
    return batch, landmarks.astype(np.float32)


def alarms(novelty: Novelty, batch: FaceBatch, landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) whether there is any warning."""
    return np.any(list(novelty.beyond(novelty.measure(batch, landmarks)).values()), axis=0)


def bounds(n: int, fits: int) -> tuple[float, float]:
    """Between which the mean share over so many fits on n photos lies, but for once in a thousand times each.

    Beyond the k-th largest of n lies a share of Beta(k, n + 1 - k), of which NEW photos are a sample. The components
    of a fit know its photos, not those held out from it, so the share may be lower: at least half of it is wanted.
    """
    largest = n + 1 - math.ceil((n + 1) * (1 - ALARM_RATE))
    one = betabinom(NEW, largest, n + 1 - largest)
    return one.mean() / NEW / 2, one.mean() / NEW + 3.1 * one.std() / NEW / math.sqrt(fits)


@pytest.mark.parametrize(("n", "fits"), [(20, 16), (40, 10), (96, 6), (400, 2)])
def test_one_ordinary_photo_in_twenty_is_warned_of_at_any_size(n, fits):
    rates = []
    for seed in range(fits):
        random = np.random.default_rng((n, seed))
        batch, landmarks = photos(n, random)
        rates.append(alarms(Novelty.fit(batch, landmarks, batch.image_ids), *photos(NEW, random)).mean())
    low, high = bounds(n, fits)
    assert low <= np.mean(rates) <= high


def test_photos_that_are_there_three_times_count_once():
    rates = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        batch, landmarks = photos(40, random)
        thrice = np.repeat(np.arange(40), 3)
        novelty = Novelty.fit(batch.take(thrice), landmarks[thrice], [batch.image_ids[i] for i in thrice])
        rates.append(alarms(novelty, *photos(NEW, random)).mean())
    assert novelty.photos == 40
    assert np.mean(rates) <= bounds(40, 6)[1]


@pytest.mark.parametrize("n", [20, 96, 400])
def test_what_lies_far_off_is_warned_of_at_any_size(n):
    random = np.random.default_rng(n)
    batch, landmarks = photos(n, random)
    novelty = Novelty.fit(batch, landmarks, batch.image_ids)
    others, ordinary = photos(50, random)
    assert novelty.beyond(novelty.measure(others, ordinary * np.float32(0.1)))["size"].mean() > 0.9
    strange = replace(others, embeddings=6 * others.embeddings)
    assert novelty.beyond(novelty.measure(strange, ordinary))["face"].mean() > 0.9


def narrow(n: int, columns: int) -> tuple[FaceBatch, NDArray[np.float32]]:
    """Photos with that many numbers of shape and without embeddings."""
    random = np.random.default_rng(n)
    batch, landmarks = photos(n, random)
    shapes = random.normal(size=(n, columns)).astype(np.float32)
    return replace(batch, shapes=shapes, embeddings=batch.embeddings[:, :0], region_embeddings={}), landmarks


@pytest.mark.parametrize(("n", "components"), [(15, 2), (40, 4), (500, 40)])
def test_ten_photos_give_a_component_and_at_most_forty_are_taken(n, components):
    batch, landmarks = narrow(n, 45)
    typical = Novelty._typical(batch, landmarks)
    assert len(typical.spaces["shape"].scale) == components
    assert typical.spaces.keys() == {"features", "shape"}


@pytest.mark.parametrize(("n", "held_out"), [(95, 95), (1000, 800)])
def test_photos_are_held_out_by_tenths_until_800_were(n, held_out):
    batch, landmarks = narrow(n, 2)
    values = Novelty._held_out(batch, landmarks, np.arange(n), np.arange(n))
    assert {len(rows) for rows in values.values()} == {held_out}


def test_limits_do_not_depend_on_units_and_the_median_distance_is_one():
    batch, landmarks = narrow(95, 6)
    one, small = (
        Novelty.fit(replace(batch, shapes=factor * batch.shapes), landmarks, batch.image_ids)
        for factor in (np.float32(1), np.float32(1e-3))
    )
    assert one.limits["shape"] == pytest.approx(small.limits["shape"], rel=1e-4)
    for novelty, shapes in ((one, batch.shapes), (small, np.float32(1e-3) * batch.shapes)):
        measured = novelty.measure(replace(batch, shapes=shapes), landmarks)
        assert np.median(measured["shape"]) == pytest.approx(1, abs=0.15)


def test_what_is_measured_of_a_photo_is_told_from_what_is_usual():
    batch, _ = narrow(FEWEST_PHOTOS, 2)
    cos, sin = math.cos(math.radians(10)), math.sin(math.radians(10))
    raised = TOPOLOGY.mesh @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    random = np.random.default_rng(3)
    sizes = random.lognormal(5, 0.1, size=(FEWEST_PHOTOS, 1, 1))
    landmarks = (sizes * raised).astype(np.float32)
    novelty = Novelty.fit(batch, landmarks, batch.image_ids)
    assert novelty.limits, "19 photos are enough"
    assert not any("is not known" in line for line in novelty.warnings(batch.take(np.array([0])), landmarks[0]))
    assert np.abs(novelty.middle) == pytest.approx([0, 10, 0], abs=0.05)
    measured = novelty.measure(batch, landmarks)
    assert measured["pitch"] == pytest.approx(np.zeros(FEWEST_PHOTOS), abs=0.05)
    assert np.array_equal(measured["dark"], batch.features[:, -1], equal_nan=True)
    assert np.array_equal(measured["bright"], batch.features[:, -1], equal_nan=True)
    assert np.array_equal(measured["sharpness"], batch.features[:, -2])


def test_distances_grow_within_the_components_and_beyond_them():
    space = Components(np.array([1, 1], np.float32), np.array([[1, 0]], np.float32), np.array([2], np.float32))
    rows = np.array([[5, 4], [5, 1], [1, 4]], np.float32)
    # 4 along the axis is 2 standard deviations, and 3 lie beyond it
    assert _distances(space, rows) == pytest.approx([2 * math.sqrt(9 + 4), 2 * math.sqrt(4), 0])


@pytest.mark.parametrize("name", ["yaw", "size", "sharpness", "dark", "bright"])
def test_the_more_unusual_of_two_values_is_the_larger_and_can_be_undone(name):
    unusual = _unusual(name, np.array([30.0, 200.0]))
    assert (unusual[0] > unusual[1]) == (name in ("size", "sharpness", "dark"))
    assert [_as_measured(name, float(value)) for value in unusual] == pytest.approx([30, 200])


def test_a_value_at_its_limit_is_not_beyond_it_and_sentences_say_how_many_are_within():
    limits = {"size": 50.0, "yaw": 10.0, "looks nose": 2.0, "looks eyes": 2.0}
    novelty = Novelty(np.zeros(3), {}, {}, 40, limits, {"size": 0.95, "yaw": 1.0, "looks eyes": 0.9})
    for by, size, yaw in ((0, False, False), (-1, True, False), (1, False, True)):
        beyond = novelty.beyond({name: np.array([limit + by]) for name, limit in limits.items()})
        assert (beyond["size"].tolist(), beyond["yaw"].tolist()) == ([size], [yaw])
    assert (
        novelty.warning("size", 40)
        == "The face is only 40.0 pixels wide; 95.0 % of the training photos have at least 50.0."
    )
    assert (
        novelty.warning("yaw", 12)
        == "The head is turned 12.0 degrees to the side; all training photos stay within 10.0."
    )
    assert "The nose looks less usual than in nearly all training photos." in novelty.warning("looks nose", 3)
    assert "The eyes look less usual than in 90.0 % of the training photos." in novelty.warning("looks eyes", 3)


def test_too_few_photos_are_said_to_be_too_few():
    assert fewest_rows(ALARM_RATE) == FEWEST_PHOTOS == 19
    assert fewest_rows(0.06) == 16
    batch, landmarks = photos(FEWEST_PHOTOS - 1, np.random.default_rng(0))
    novelty = Novelty.fit(batch, landmarks, batch.image_ids)
    assert not novelty.limits
    (sentence,) = novelty.warnings(batch.take(np.array([0])), landmarks[0])
    assert "it takes 19 different ones to tell, and there are 18" in sentence


def test_a_warning_says_how_many_stay_within_the_limit():
    batch, landmarks = photos(400, np.random.default_rng(1))
    novelty = Novelty.fit(batch, landmarks, batch.image_ids)
    within = {name: int(beyond.sum()) for name, beyond in novelty.beyond(novelty.measure(batch, landmarks)).items()}
    assert novelty.shares["size"] == 1 - within["size"] / 400, "a width is the same whatever was held out"
    sentences = novelty.warnings(batch.take(np.array([0])), landmarks[0] * np.float32(0.1))
    share = f"{100 * novelty.shares['size']:.1f} % of the" if within["size"] else "all"
    assert f"{share} training photos have at least {novelty.limits['size']:.1f}" in " ".join(sentences)


def test_a_tail_is_the_largest_values_beyond_the_one_where_it_starts():
    random = np.random.default_rng(0)
    # the ten largest of a hundred, and the eight largest of few
    assert _tail(random.permutation(np.arange(1.0, 101.0))) == (90.0, 5.5)
    assert _tail(random.permutation(np.arange(1.0, 17.0))) == (8.0, 4.5)
    assert np.isnan(_tail(np.arange(1.0, 16.0))).all()
    same = np.concatenate([np.arange(27.0), np.full(9, 100.0)])
    assert _tail(same) == pytest.approx((100.0, 0.05 * same.std()))


@pytest.mark.parametrize("constant", [np.zeros(40), 1e6 + 1e-4 * np.arange(40) / 40])
def test_what_is_constant_but_for_rounding_has_no_tail(constant):
    assert np.isnan(_tail(constant)).all()


@pytest.mark.parametrize("n", [FEWEST_PHOTOS, 40, 96, 400, 2000])
def test_joint_limits_hold_for_measures_of_every_kind(n):
    """Normal, heavy-tailed, opposite, partly unknown, in other units; constant and unknown ones have no limit."""
    rates, fits = [], 20 if n < 2000 else 5
    for seed in range(fits):
        random = np.random.default_rng((n, seed, 1))

        def rows(number: int, random: np.random.Generator = random) -> NDArray[np.float64]:
            normal, heavy = random.normal(size=(number, 5)), random.standard_t(3, size=(number, 5))
            partly = np.where(random.random(number) < 0.1, np.nan, normal[:, 0])
            columns = [*normal.T, *heavy.T, -normal[:, 1], partly, 1e6 * np.exp(normal[:, 2])]
            return np.column_stack([*columns, np.full(number, 7.0), np.full(number, np.nan)])

        limits = joint_limits(rows(n), ALARM_RATE)
        assert np.isfinite(limits).tolist() == [True] * 13 + [False] * 2
        rates.append((rows(NEW) > limits).any(axis=1).mean())
    low, high = bounds(n, fits)
    assert low <= np.mean(rates) <= high
