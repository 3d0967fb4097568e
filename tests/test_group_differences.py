"""Whether groups differ: at no difference one is found in 5 %, a real one is; people count, not photos."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind

from ensemble.intervals import EVERYONE, Intervals
from featurestore.group_differences import (
    FEWEST,
    GROUPED_IMAGES,
    PERMUTATIONS,
    Difference,
    _fisher,
    _in_standard_errors,
    _mean,
    correlation_differences,
    differing_groups,
    mean_differences,
)
from featurestore.store import Store
from reports.pages.groups import Gap
from tests.synthetic_store import make_store

WORLDS = 300
HIGHEST, LOWEST = binom.ppf((0.999, 0.001), WORLDS, 0.05)
"""Of WORLDS without a difference, as many are found to have one in all but 1 of 1,000 runs, if 5 % is true."""


def groups_of(*sizes: int):
    return np.repeat([f"g{i}" for i in range(len(sizes))], sizes)


def alone(groups):
    """Each photo shows another person."""
    return np.arange(len(groups)).astype(str)


def test_several_photos_of_a_person_count_as_their_mean():
    random = np.random.default_rng(7)
    people = np.arange(60)
    of_people, groups = random.normal(3, 1, 60), groups_of(30, 30)
    person_of = np.concatenate([people, people[:10], people[5:35], people[40:]])
    spread = random.normal(0, 0.3, len(person_of))
    means = np.array([(of_people[person_of] + spread)[person_of == person].mean() for person in people])
    photos = mean_differences(of_people[person_of] + spread, groups[person_of], person_of.astype(str))
    assert photos == mean_differences(means, groups, people.astype(str))


def test_correlations_of_a_person_do_not_depend_on_units():
    one, other = np.random.default_rng(8).normal(size=(2, 60))
    groups = groups_of(30, 30)
    of_units = correlation_differences(one / 1000, 1000 * other, groups, alone(groups))
    assert [test.p for test in of_units] == [
        test.p for test in correlation_differences(one, other, groups, alone(groups))
    ]


def found(values, groups, people=None) -> bool:
    differences = mean_differences(values, groups, alone(groups) if people is None else people)
    return differences[0].supported


# p values

GOLDEN_MEANS = [("g0", "g1", 0.051), ("g0", "g2", 0.167), ("g2", "g1", 0.764)]
GOLDEN_CORRELATIONS = [("g1", "g0", 0.317), ("g2", "g0", 0.623), ("g1", "g2", 0.861)]


def test_of_two_groups_the_p_value_is_that_of_welchs_test():
    random, groups = np.random.default_rng(6), groups_of(30, 50)
    for shift in (0.2, 0.4, 0.6):
        values = random.normal(0, 1, 80) + shift * (groups == "g1")
        (test,) = mean_differences(values, groups, alone(groups))
        welch = ttest_ind(values[:30], values[30:], equal_var=False).pvalue
        assert test.p == pytest.approx(welch, abs=4 * np.sqrt(max(welch, 0.01) / PERMUTATIONS) + 0.01)


def test_differences_are_welchs_t_and_those_of_fishers_z():
    random = np.random.default_rng(12)
    one, other = (random.normal(shift, spread, (2, n)) for shift, spread, n in ((0, 1, 20), (1, 3, 33)))
    sizes = np.array([20, 33])
    means = np.array([[sample[0].mean(), (sample[0] ** 2).mean()] for sample in (one, other)])
    welch = ttest_ind(one[0], other[0], equal_var=False).statistic
    assert _in_standard_errors(*_mean(means, sizes)) == pytest.approx([abs(welch)])
    moments = np.array([[x.mean(), y.mean(), (x**2).mean(), (y**2).mean(), (x * y).mean()] for x, y in (one, other)])
    z = [np.arctanh(np.corrcoef(sample)[0, 1]) for sample in (one, other)]
    expected = abs(z[0] - z[1]) / np.sqrt(1 / 17 + 1 / 30)
    assert _in_standard_errors(*_fisher(moments, sizes)) == pytest.approx([expected])


@pytest.mark.parametrize(("p", "supported"), [(0.05, True), (0.051, False)])
def test_groups_differ_up_to_a_p_value_of_5_percent(p: float, supported: bool):
    assert Difference("a", "b", p).supported == Gap("a", "b", 0.1, p).supported == supported


def test_p_values_are_golden_and_the_same_again_in_any_order():
    random, groups = np.random.default_rng(7), groups_of(25, 25, 25)
    values, other = random.normal(0, 1, (2, 75))
    values += 0.8 * (groups == "g0")
    people = alone(groups)
    tests = mean_differences(values, groups, people)
    correlations = correlation_differences(values, other, groups, people)
    assert [(t.highest, t.lowest, t.p) for t in tests] == GOLDEN_MEANS
    assert [(t.highest, t.lowest, t.p) for t in correlations] == GOLDEN_CORRELATIONS
    order = random.permutation(75)
    assert mean_differences(values[order], groups[order], people[order]) == tests
    assert correlation_differences(values[order], other[order], groups[order], people[order]) == correlations


def test_a_pair_that_is_not_the_clearest_is_compared_with_the_largest_of_all():
    """Of two groups alone its p value is lower: it was not picked among three."""
    random, groups = np.random.default_rng(8), groups_of(30, 30, 30)
    values = random.normal(0, 1, 90) + 0.45 * (groups == "g1") + 2 * (groups == "g2")
    of_three = {(t.highest, t.lowest): t.p for t in mean_differences(values, groups, alone(groups))}
    two = groups != "g2"
    (of_two,) = mean_differences(values[two], groups[two], alone(groups)[two])
    assert of_three["g1", "g0"] > of_two.p
    assert of_three["g2", "g0"] == 1 / (1 + PERMUTATIONS)


def test_values_without_spread_do_not_differ_or_do_for_certain():
    groups = groups_of(20, 20)
    (equal,) = mean_differences(np.full(40, 0.3), groups, alone(groups))
    assert equal.p == 1
    (difference,) = mean_differences((groups == "g1").astype(float), groups, alone(groups))
    assert (difference.highest, difference.p) == ("g1", 1 / (1 + PERMUTATIONS))
    varying = np.random.default_rng(9).normal(0, 1, 40)
    assert correlation_differences(varying, np.where(groups == "g0", 1.0, varying), groups, alone(groups)) == []
    opposite = np.where(groups == "g0", -varying, varying)
    (perfect,) = correlation_differences(varying, opposite, groups, alone(groups))
    assert (perfect.lowest, perfect.p) == ("g0", 1 / (1 + PERMUTATIONS))


# the level


@pytest.mark.parametrize(
    ("sizes", "spreads"),
    [((20, 20, 20, 20), (1, 1, 1, 1)), ((20, 20, 30, 90), (1, 1, 1, 1)), ((20, 40, 90), (2, 1, 0.5))],
)
def test_equal_means_are_found_to_differ_in_5_percent_whatever_sizes_and_spreads(sizes, spreads):
    random, groups = np.random.default_rng(1), groups_of(*sizes)
    spread = np.repeat(spreads, sizes)
    hits = sum(found(random.normal(0.1, spread), groups) for _ in range(WORLDS))
    assert LOWEST <= hits <= HIGHEST


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_equal_correlations_are_found_to_differ_in_5_percent_though_levels_and_spreads_do(correlation):
    random, groups = np.random.default_rng(2), groups_of(20, 20, 40)
    level, spread = np.repeat((0, 1, 3), (20, 20, 40)), np.repeat((1, 0.5, 2), (20, 20, 40))
    hits = 0
    for _ in range(WORLDS):
        one, other = random.normal(0, 1, (2, len(groups)))
        other = correlation * one + np.sqrt(1 - correlation**2) * other
        tests = correlation_differences(level + spread * one, level - spread * other, groups, alone(groups))
        hits += tests[0].supported
    assert LOWEST <= hits <= HIGHEST


def test_photos_of_one_person_are_no_further_evidence():
    """Five photos of each of 24 people a group: one by one they would tell equal groups apart in most worlds."""
    random = np.random.default_rng(3)
    person = np.repeat(np.arange(72), 5)
    groups = np.array(["a", "b", "c"])[person // 24]
    hits = one_by_one = 0
    for world in range(WORLDS):
        values = random.normal(0, 1, 72)[person] + random.normal(0, 0.3, 360)
        hits += found(values, groups, person.astype(str))
        one_by_one += world < 50 and found(values, groups)
    assert LOWEST <= hits <= HIGHEST
    assert one_by_one > 50 / 3


# power


def test_a_group_that_differs_is_found_and_named():
    """A shift of one standard deviation in one of four groups of 40: a t test of it alone has a power of 99 %."""
    random, groups = np.random.default_rng(4), groups_of(40, 40, 40, 40)
    hits = 0
    for _ in range(60):
        first = mean_differences(random.normal(0, 1, 160) + (groups == "g2"), groups, alone(groups))[0]
        hits += first.supported and first.highest == "g2"
    assert hits >= binom.ppf(0.001, 60, 0.95)


def test_a_lower_correlation_is_found_and_named():
    random, groups = np.random.default_rng(5), groups_of(60, 60, 60)
    truth = random.normal(0, 1, 180)
    predicted = truth + random.normal(0, np.where(groups == "g1", 1.5, 0.3))
    first, second, last = correlation_differences(truth, predicted, groups, alone(groups))
    assert (first.lowest, second.lowest) == ("g1", "g1")
    assert first.supported
    assert second.supported
    assert not last.supported


# who takes part


@pytest.mark.parametrize("people", [FEWEST - 1, FEWEST])
def test_a_group_takes_part_from_20_people_on(people: int):
    """Twenty photos of nineteen people are too few."""
    groups = groups_of(40, 40, 20)
    names = alone(groups)
    names[-20:] = [f"p{min(i, people - 1)}" for i in range(20)]
    tests = mean_differences(np.random.default_rng(10).normal(0, 1, 100), groups, names)
    assert len(tests) == (3 if people == FEWEST else 1)


def test_groups_that_differ_are_named_and_rows_without_one_left_out():
    errors = np.concatenate([np.zeros(30), np.ones(30), np.full(30, 50.0), [100.0]])
    errors[:-1] += np.tile((-0.1, 0.1), 45)
    groups, rows = ["a"] * 30 + ["b"] * 30 + [None] * 30 + ["alone"], [str(row) for row in range(91)]
    assert differing_groups(errors, groups, rows) == {"a", "b"}
    assert differing_groups(errors[:30], groups[:30], rows[:30]) == frozenset()
    assert differing_groups(errors, groups, ["one person"] * 91) == frozenset()


def test_a_calibration_of_a_group_is_fitted_where_groups_differ():
    random, groups = np.random.default_rng(11), groups_of(60, 60)
    errors, middle, part = random.normal(0, 0.3, 120), np.full(120, 3.0), 1 + np.arange(120) % 4
    shifted = errors + 0.3 * (groups == "g1")

    def calibrated(errors, people) -> set[str]:
        return set(Intervals.fit(middle, middle - errors, part, groups.tolist(), people.tolist()).calibrations)

    assert calibrated(errors, alone(groups)) == {EVERYONE}
    assert calibrated(shifted, alone(groups)) == {EVERYONE, "g0", "g1"}
    four_each = (np.arange(120) // 4).astype(str)
    assert calibrated(shifted, four_each) == {EVERYONE}, "60 photos of 15 people tell nothing"


# which group a photo is in, and who is one person


def test_ethnicity_and_sex_serve_where_a_data_set_names_no_subset(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60, trained=False) as store:
        known = store.frame("SELECT image_id, subset FROM images ORDER BY ALL").rows()
        assert known == grouped(store, "subset")
        store.execute("UPDATE images SET subset = NULL WHERE image_id = $i", i=known[0][0])
        assert grouped(store, "subset")[0] == (known[0][0], None), "the others have one"
        store.execute("UPDATE images SET subset = NULL")
        both = store.frame("SELECT image_id, ethnicity || '_' || sex FROM images ORDER BY ALL").rows()
        assert grouped(store, "subset") == both
        assert set(dict(both).values()) == {"A_female", "A_male", "C_female", "C_male"}
        store.execute("UPDATE images SET ethnicity = NULL")
        assert {subset for _, subset in grouped(store, "subset")} == {"female", "male"}
        store.execute("UPDATE images SET sex = NULL")
        assert {subset for _, subset in grouped(store, "subset")} == {None}


def test_copies_and_near_duplicates_are_one_person(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60, trained=False) as store:
        ids = [image_id for image_id, _ in grouped(store, "person")]
        assert len({person for _, person in grouped(store, "person")}) == 60
        store.execute(
            "INSERT INTO near_duplicates VALUES ($a, $b, 1, 0.1, $a), ($b, $c, 1, 0.1, $a)",
            **dict(zip("abc", ids, strict=False)),
        )
        store.execute(
            "UPDATE images SET sha256 = (SELECT sha256 FROM images WHERE image_id = $d) WHERE image_id = $e",
            d=ids[3],
            e=ids[4],
        )
        people = dict(grouped(store, "person"))
        assert people[ids[0]] == people[ids[1]] == people[ids[2]] == ids[0]
        assert people[ids[3]] == people[ids[4]]
        assert len(set(people.values())) == 57


def grouped(store: Store, column: str) -> list[tuple[str, str | None]]:
    return store.frame(f"SELECT image_id, {column} FROM {GROUPED_IMAGES} ORDER BY image_id").rows()
