"""Fairness by group: figures are those of the group's rows, gaps are between the groups that differ most, laws hold."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from featurestore.records import Evaluation
from reports.pages.groups import METRICS, compare_groups, render_groups
from reports.render.json import to_json

N = 60


def made(seed: int, n: int = N):
    """Truth, predictions, groups (one of them unnamed) and interval ends of n images."""
    random = np.random.default_rng(seed)
    truth = random.normal(3, 0.7, n)
    predicted = truth + random.normal(0, 0.3, n)
    groups = [("AF", "CM", None)[i] for i in random.integers(0, 3, n)]
    return truth, predicted, groups, predicted - 0.4, predicted + 0.4


def shown(groups, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_groups(groups))
    return console.file.getvalue().splitlines()


def test_figures_are_those_of_the_groups_rows():
    truth, predicted, groups, low, high = made(1)
    found = compare_groups(truth, predicted, groups, low, high)
    assert [group.name for group in found.groups] == ["AF", "CM", "none"]
    for group in found.groups:
        rows = np.array([(name or "none") == group.name for name in groups])
        again = Evaluation.from_scores(truth[rows], predicted[rows])
        covered = (np.abs(truth - predicted)[rows] <= 0.4).mean()
        expected = {"bias": (predicted - truth)[rows].mean(), "mae": again.mae, "pearson": again.pearson}
        assert group.n == again.n
        assert {m: f.value for m, f in group.figures.items()} == pytest.approx(expected | {"coverage": covered})
        assert all(f.low <= f.value <= f.high for f in group.figures.values())


def test_a_gap_is_between_the_groups_that_differ_most():
    truth, predicted, groups, low, high = made(2)
    found = compare_groups(truth, predicted, groups, low, high)
    assert set(found.gaps) == set(METRICS)
    for metric, gap in found.gaps.items():
        values = {group.name: group.figures[metric].value for group in found.groups}
        assert gap.size.value == pytest.approx(max(values.values()) - min(values.values()))
        assert values[gap.highest] - values[gap.lowest] == pytest.approx(gap.size.value)
        assert gap.size.low <= gap.size.value <= gap.size.high


def test_an_interval_of_a_gap_covers_the_true_gap_as_often_as_it_says():
    """Two groups of 40 whose true gap in bias is .2: the interval holds it in about 95 % of worlds."""
    held = 0
    for world in range(100):
        random = np.random.default_rng(world)
        error = random.normal(0, 0.3, 80) + np.repeat([0.2, 0.0], 40)
        gap = compare_groups(np.zeros(80), error, ["one"] * 40 + ["two"] * 40).gaps["bias"]
        held += gap.highest == "one" and gap.size.low <= 0.2 <= gap.size.high
    assert 87 <= held <= 100


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_the_rows_changes_nothing(seed: int):
    truth, predicted, groups, low, high = made(seed)
    order = np.random.default_rng(seed + 1).permutation(N)
    permuted = [groups[i] for i in order]
    again = compare_groups(truth[order], predicted[order], permuted, low[order], high[order])
    assert again == compare_groups(truth, predicted, groups, low, high)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(-2, 2))
def test_a_shift_of_one_group_moves_its_bias_by_exactly_that_and_nothing_of_the_others(seed: int, shift: float):
    truth, predicted, groups, *_ = made(seed)
    before = compare_groups(truth, predicted, groups)
    after = compare_groups(truth, predicted + shift * np.array([name == "AF" for name in groups]), groups)
    for one, other in zip(before.groups, after.groups, strict=True):
        if one.name != "AF":
            assert one == other
            continue
        for end in ("value", "low", "high"):
            assert getattr(other.figures["bias"], end) == pytest.approx(getattr(one.figures["bias"], end) + shift)
            assert getattr(other.figures["pearson"], end) == pytest.approx(getattr(one.figures["pearson"], end))


def test_one_group_has_no_gap_and_one_image_no_correlation():
    truth, predicted, *_ = made(3)
    assert compare_groups(truth, predicted, [None] * N).gaps == {}
    lonely = compare_groups(truth, predicted, ["one"] * (N - 1) + ["two"])
    assert np.isnan(lonely.groups[1].figures["pearson"].value)
    assert set(lonely.gaps) == {"bias", "mae"}
    assert json.loads(to_json("groups", lonely))["groups"][1]["figures"]["pearson"]["low"] is None
    assert "–" in "\n".join(shown(lonely))


def test_the_table_fits_80_columns_with_every_figure():
    lines = shown(compare_groups(*made(4)))
    assert max(len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for word in ("AF", "CM", "none", "bias", "MAE", "PC", "coverage", "largest gap"):
        assert word in text
