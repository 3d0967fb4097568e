"""The benchmark: means over folds, what is plausible, and what stands beside."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from featurestore.errors import PrerequisiteError
from featurestore.records import Evaluation
from reports.pages import benchmark
from reports.render.json import to_json
from reports.stats.bootstrap import METRICS
from reports.stats.published import ANCHORS
from reports.stats.selection import Selection
from tests.command import kallos
from tests.synthetic_store import MODEL_NOISE, PROTOCOL, make_store, train_fold


@pytest.fixture
def one_fold(tmp_path):
    with make_store(tmp_path / "s.duckdb") as store:
        yield store


@pytest.fixture
def store(one_fold):
    train_fold(one_fold, 2, np.random.default_rng(5))
    return one_fold


def text_of(report, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(benchmark.render(report))
    return console.file.getvalue()


def test_a_model_that_lacks_a_fold_has_no_mean(one_fold):
    with pytest.raises(PrerequisiteError, match="kallos benchmark"):
        benchmark.data(one_fold, Selection(protocol=PROTOCOL))


def test_figures_are_those_of_the_stored_predictions_fold_by_fold(store):
    report = benchmark.data(store, Selection(protocol=PROTOCOL))
    assert {model.model for model in report.models} == set(MODEL_NOISE)
    for model in report.models:
        for fold, run_id in zip(model.folds, model.run_ids, strict=True):
            rows = store.frame(
                "SELECT s.score, p.score AS predicted FROM predictions p JOIN scores s USING (image_id) "
                "WHERE run_id = $id AND role = 'test' ORDER BY image_id",
                id=run_id,
            )
            expected = Evaluation.from_scores(rows["score"].to_numpy(), rows["predicted"].to_numpy())
            assert {metric: figure.value for metric, figure in fold.items()} == {
                metric: getattr(expected, metric) for metric in METRICS
            }
        for metric, estimate in model.mean.items():
            assert estimate.value == pytest.approx(np.mean([fold[metric].value for fold in model.folds]))
            assert estimate.low < estimate.value < estimate.high
    pearson = [model.mean["pearson"].value for model in report.models]
    assert pearson == sorted(pearson, reverse=True)


def test_coverage_and_gains_are_counted(store):
    report = benchmark.data(store, Selection(protocol=PROTOCOL))
    ensemble = next(model for model in report.models if model.model == "ensemble")
    inside = store.value(
        "SELECT avg((s.score BETWEEN low AND high)::INT) FROM predictions p JOIN scores s USING (image_id) "
        "JOIN runs USING (run_id) WHERE model = 'ensemble' AND role = 'test'"
    )
    assert ensemble.coverage.value == pytest.approx(inside)
    assert ensemble.coverage.low < inside < ensemble.coverage.high
    assert ensemble.width == pytest.approx(0.8)
    a = next(model for model in report.models if model.model == "a")
    for combination, combined, alone in zip(report.combined, ensemble.folds, a.folds, strict=True):
        gain = combined["pearson"].value - alone["pearson"].value
        assert combination.gain_test.value == pytest.approx(gain)
        assert combination.gain_test.low < gain < combination.gain_test.high
        assert combination.gain_out_of_fold == pytest.approx(0.02)


def test_groups_with_their_own_calibration_lose_its_bias(store):
    report = benchmark.data(store, Selection(protocol=PROTOCOL))
    assert report.calibrated is not None
    assert report.groups.groups
    for before, after in zip(report.groups.groups, report.calibrated.groups, strict=True):
        assert after.figures["bias"].value == pytest.approx(before.figures["bias"].value - 0.1, abs=0.02)
        assert after.figures["coverage"].value >= before.figures["coverage"].value - 0.1


def test_rows_and_figures_that_were_altered_are_named(store):
    run_id = store.value("SELECT min(run_id) FROM runs WHERE model = 'a' AND fold = 1")
    assert not benchmark.data(store, Selection(protocol=PROTOCOL)).problems
    store.execute("UPDATE evaluations SET rmse = 0.01 WHERE run_id = $id AND role = 'test'", id=run_id)
    assert any(run_id in problem for problem in benchmark.data(store, Selection(protocol=PROTOCOL)).problems)
    ensemble = store.value("SELECT min(run_id) FROM runs WHERE model = 'ensemble' AND fold = 2")
    store.execute(
        "DELETE FROM predictions WHERE run_id = $id AND image_id = (SELECT min(image_id) FROM predictions "
        "WHERE run_id = $id AND role = 'test')",
        id=ensemble,
    )
    report = benchmark.data(store, Selection(protocol=PROTOCOL))
    assert [split.same for split in report.splits] == [True, False]
    assert "fold 2" in text_of(report).lower()


def test_published_figures_stand_in_order_among_ours(store):
    report = replace(benchmark.data(store, Selection(protocol=PROTOCOL)), anchors=ANCHORS["scut-5fold"])
    lines = text_of(report, 120).splitlines()
    start = next(i for i, line in enumerate(lines) if "Beside published" in line)
    column = lines[start + 3 : start + 3 + len(report.anchors) + len(report.models)]
    ours = {f"kallos {model.model} ": model.mean["pearson"].value for model in report.models}
    known = {f"{anchor.method} ": anchor.pearson for anchor in report.anchors} | ours
    values = [next(known[name] for name in sorted(known, key=len, reverse=True) if name in line) for line in column]
    assert len(values) == len(known)
    assert values == sorted(values)
    for protocol, anchors in ANCHORS.items():
        assert [a.pearson for a in anchors] == sorted(a.pearson for a in anchors), protocol


def test_it_fits_eighty_columns_and_is_json(store):
    report = benchmark.data(store, Selection(protocol=PROTOCOL))
    assert max(map(len, text_of(report).splitlines())) <= 80
    assert "kallos.report.benchmark/1" in to_json("benchmark", report)


def test_wrong_members_and_protocols_are_named(workspace, tmp_path):
    options = ("--store", workspace.store, "--weights", "none")
    answer = kallos("benchmark", "--protocol", "demo-5fold", "--members", "a,c", *options)
    assert (answer.code, "'c'" in answer.err) == (2, True)
