"""Fairness by group: figures are those of the group's rows, gaps are between the groups that differ most, laws hold."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import binom

from featurestore.group_differences import correlation_differences, mean_differences
from featurestore.records import Evaluation
from reports.pages.groups import METRICS, compare_groups, render_groups
from reports.render.json import to_json

N = 60


def example(seed: int, n: int = N):
    """Truth, predictions, groups (one of them unnamed), people and interval ends of n images."""
    random = np.random.default_rng(seed)
    truth = random.normal(3, 0.7, n)
    predicted = truth + random.normal(0, 0.3, n)
    groups = [("AF", "CM", None)[i % 3] for i in random.permutation(n)]
    return truth, predicted, groups, alone(n), predicted - 0.4, predicted + 0.4


def alone(n: int):
    """Each image shows another person."""
    return np.array([f"p{i:03}" for i in range(n)])


def shown(groups, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_groups(groups))
    return console.file.getvalue().splitlines()


def test_figures_are_those_of_the_groups_rows():
    truth, predicted, groups, people, low, high = example(1)
    found = compare_groups(truth, predicted, groups, people, low, high)
    assert [group.name for group in found.groups] == ["AF", "CM", "none"]
    for group in found.groups:
        rows = np.array([(name or "none") == group.name for name in groups])
        again = Evaluation.from_scores(truth[rows], predicted[rows])
        covered = (np.abs(truth - predicted)[rows] <= 0.4).mean()
        expected = {"bias": (predicted - truth)[rows].mean(), "mae": again.mae, "pearson": again.pearson}
        assert group.n == group.people == again.n
        assert {m: f.value for m, f in group.figures.items()} == pytest.approx(expected | {"coverage": covered})
        assert all(f.low < f.value < f.high for f in group.figures.values())


def test_coverage_of_all_photos_of_a_group_is_not_said_to_be_certain():
    truth, predicted, groups, people, *_ = example(1)
    for group in compare_groups(truth, predicted, groups, people, truth - 9, truth + 9).groups:
        coverage = group.figures["coverage"]
        assert coverage.low < coverage.value == coverage.high == 1


def test_a_gap_is_between_the_groups_that_are_furthest_apart_with_the_p_value_of_the_test():
    truth, predicted, groups, people, low, high = example(2)
    found = compare_groups(truth, predicted, groups, people, low, high)
    labels = np.array([name or "none" for name in groups])
    inside = (np.abs(predicted - truth) <= 0.4).astype(float)
    error = predicted - truth
    tests = {m: mean_differences(v, labels, people) for m, v in (("bias", error), ("mae", abs(error)))}
    tests["coverage"] = mean_differences(inside, labels, people)
    tests["pearson"] = correlation_differences(truth, predicted, labels, people)
    assert set(found.gaps) == set(METRICS) == set(tests)
    for metric, gap in found.gaps.items():
        first = tests[metric][0]
        assert (gap.highest, gap.lowest, gap.p) == (first.highest, first.lowest, first.p)
        values = {group.name: group.figures[metric].value for group in found.groups}
        assert gap.size == values[gap.highest] - values[gap.lowest] >= 0
        assert gap.supported == (gap.p <= 0.05)


def test_four_groups_without_a_difference_are_said_to_differ_in_5_percent():
    """Of each figure; in the very words of the report."""
    worlds, reported = 100, dict.fromkeys(METRICS, 0)
    for world in range(worlds):
        random = np.random.default_rng(world)
        truth = random.normal(3, 0.7, 80)
        predicted = truth + random.normal(0, 0.3, 80)
        groups = np.repeat(["AF", "AM", "CF", "CM"], 20).tolist()
        lines = shown(compare_groups(truth, predicted, groups, alone(80), predicted - 0.4, predicted + 0.4))
        for metric, title in METRICS.items():
            (line,) = (line for line in lines if line.startswith(title) and " − " in line)
            reported[metric] += "not shown to differ" not in line
            assert line.rstrip().endswith("differ")
    lowest, highest = binom.ppf((0.001, 0.999), worlds, 0.05)
    assert all(count <= highest for count in reported.values()), reported
    assert min(reported["bias"], reported["mae"]) >= lowest
    assert sum(reported.values()) > 0


def test_a_group_that_is_biased_is_said_to_differ():
    truth, predicted, groups, people, *_ = example(5)
    shift = np.array([0.4 * (name == "CM") for name in groups])
    gap = compare_groups(truth, predicted + shift, groups, people).gaps["bias"]
    assert gap.supported
    assert gap.highest == "CM"
    lines = shown(compare_groups(truth, predicted + shift, groups, people))
    (line,) = (line for line in lines if line.startswith("bias") and " − " in line)
    assert "0.001" in line
    assert "not shown" not in line


def test_groups_that_are_too_small_are_named_and_not_compared():
    truth, predicted, groups, people, *_ = example(6)
    mixed = [f"tiny {i}" if i < 3 else name for i, name in enumerate(groups)]
    found = compare_groups(truth, predicted + np.arange(N) / 3, mixed, people)
    sizes = {name or "none": groups[3:].count(name) for name in ("AF", "CM", None)}
    assert {group.name: group.n for group in found.groups} == {n: size for n, size in sizes.items() if size >= 20}
    small = {"tiny 0": 1, "tiny 1": 1, "tiny 2": 1} | {n: size for n, size in sizes.items() if size < 20}
    assert found.too_small == dict(sorted(small.items()))
    text = " ".join(" ".join(shown(found)).split())
    assert "Too small to compare, with fewer than 20 people: " in text
    assert "tiny 1 (1)" in text


def test_twenty_photos_of_one_person_are_too_few():
    truth, predicted, groups, people, *_ = example(7)
    people[[name == "AF" for name in groups]] = "one"
    found = compare_groups(truth, predicted, groups, people)
    assert found.too_small == {"AF": 1}
    assert {group.name for group in found.groups} == {"CM", "none"}


def test_an_interval_of_a_figure_is_wider_where_photos_are_of_few_people():
    truth, _, _, people, *_ = example(8)
    error = np.repeat(np.random.default_rng(8).normal(0, 0.3, 20), 3)
    of_people = compare_groups(truth, truth + error, [None] * N, np.repeat(people[:20], 3)).groups[0].figures["bias"]
    of_photos = compare_groups(truth, truth + error, [None] * N, people).groups[0].figures["bias"]
    ratio = (of_people.high - of_people.low) / (of_photos.high - of_photos.low)
    assert ratio == pytest.approx(np.sqrt(3), rel=0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_the_rows_changes_nothing(seed: int):
    truth, predicted, groups, people, low, high = example(seed)
    order = np.random.default_rng(seed + 1).permutation(N)
    permuted = [groups[i] for i in order]
    again = compare_groups(truth[order], predicted[order], permuted, people[order], low[order], high[order])
    assert again == compare_groups(truth, predicted, groups, people, low, high)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(-2, 2))
def test_a_shift_of_one_group_moves_its_bias_by_exactly_that_and_nothing_of_the_others(seed: int, shift: float):
    truth, predicted, groups, people, *_ = example(seed)
    before = compare_groups(truth, predicted, groups, people)
    after = compare_groups(truth, predicted + shift * np.array([name == "AF" for name in groups]), groups, people)
    for one, other in zip(before.groups, after.groups, strict=True):
        if one.name != "AF":
            assert one == other
            continue
        for end in ("value", "low", "high"):
            assert getattr(other.figures["bias"], end) == pytest.approx(getattr(one.figures["bias"], end) + shift)
            assert getattr(other.figures["pearson"], end) == pytest.approx(getattr(one.figures["pearson"], end))


def test_one_group_has_no_gap_and_equal_scores_no_correlation():
    truth, predicted, _, people, *_ = example(3)
    alike = compare_groups(truth, predicted, [None] * N, people)
    assert alike.gaps == {}
    assert not alike.several
    constant = np.where(np.arange(N) < 20, 3.0, predicted)
    found = compare_groups(truth, constant, ["one"] * 20 + ["two"] * (N - 20), people)
    assert np.isnan(found.groups[0].figures["pearson"].value)
    assert found.several
    assert set(found.gaps) == {"bias", "mae"}
    assert json.loads(to_json("groups", found))["groups"][0]["figures"]["pearson"]["low"] is None
    assert "–" in "\n".join(shown(found))


def test_where_all_groups_are_too_small_that_is_all_there_is():
    truth, predicted, groups, people, *_ = example(9)
    found = compare_groups(truth[:30], predicted[:30], groups[:30], people[:30])
    assert (found.groups, found.gaps) == ((), {})
    assert found.several
    (line,) = (line for line in shown(found, 120) if line)
    assert line.startswith("Too small to compare")


def test_the_table_fits_80_columns_with_every_figure():
    lines = shown(compare_groups(*example(4)))
    assert max(len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for word in ("AF", "CM", "none", "bias", "MAE", "PC", "coverage", "furthest apart", "p"):
        assert word in text
