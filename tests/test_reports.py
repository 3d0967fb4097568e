"""Every report: its data are plain and right, its rendering fits a terminal, its figures are written."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest
from rich.console import Console, RenderableType

from extractors.regions import REGIONS
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.opening import open_store
from featurestore.records import Evaluation
from featurestore.store import Store
from reports.pages import compare, dataset, evaluation, features, lineage, overview, subscores, training
from reports.pages.drift import drift
from reports.registry import PAGES, report_page
from reports.render.figures import write
from reports.render.json import to_json
from reports.stats import bootstrap
from reports.stats.estimates import split_estimate
from reports.stats.selection import Selection
from tests.crossed import crossed
from tests.synthetic_store import DATA_SET, MODEL_NOISE, PROTOCOL, make_store, train_fold

EVERYTHING = Selection()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    with make_store(tmp_path_factory.mktemp("reports") / "s.duckdb") as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    """Trained on every fold."""
    with make_store(tmp_path_factory.mktemp("reports") / "s.duckdb") as opened:
        train_fold(opened, 2, np.random.default_rng(5))
        yield opened


@pytest.fixture
def labels_only(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 12, extracted=False, trained=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def data(whole: Store) -> Callable[[str], Any]:
    """What is in a report on the whole store."""
    return cache(lambda name: report_page(name).data(whole, EVERYTHING))


def text_of(renderable: RenderableType, *, width: int = 80, colour: bool = False) -> str:
    system = "truecolor" if colour else None
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, color_system=system)
    console.print(renderable)
    return console.file.getvalue()


# every report


@pytest.mark.parametrize("name", PAGES)
def test_none_is_0_and_what_is_unknown_is_a_dash(data: Callable[[str], Any], name: str):
    page = text_of(report_page(name).render(data(name)), width=160)
    assert not re.search(r"(^|\s\s)·(\s\s|$)", page, flags=re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_data_become_json_without_nan(data: Callable[[str], Any], name: str):
    report = data(name)
    text = to_json(name, report)
    assert json.loads(text)["schema"] == f"kallos.report.{name}/1"
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("width", [80, 60, 120])
@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_wider_than_the_terminal(data: Callable[[str], Any], name: str, width: int):
    lines = text_of(report_page(name).render(data(name)), width=width).splitlines()
    assert len(lines) > 10
    assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize("name", PAGES)
def test_a_pipe_gets_no_colour_codes_and_a_terminal_does(data: Callable[[str], Any], name: str):
    shown_page = report_page(name).render(data(name))
    assert "\x1b" not in text_of(shown_page)
    assert "\x1b" in text_of(shown_page, colour=True)


@pytest.mark.parametrize(("name", "suffix"), crossed(PAGES, ["png", "svg"], every=3))
def test_figures_are_pictures(data: Callable[[str], Any], name: str, suffix: str, tmp_path: Path):
    figures = report_page(name).figures(data(name))
    paths = [write(figure, tmp_path / "new" / "folder" / f"{figure.name}.{suffix}") for figure in figures]
    assert paths
    assert len(set(paths)) == len(paths)
    for path in paths:
        if suffix == "png":
            assert cv2.imread(str(path)).std() > 1
        else:
            assert "<svg" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["training", "evaluation", "subscores", "compare", "lineage"])
def test_before_training_the_error_names_the_command(labels_only: Store, name: str):
    with pytest.raises(PrerequisiteError, match="kallos extract"):
        report_page(name).data(labels_only, EVERYTHING)


@pytest.mark.parametrize("name", ["training", "evaluation", "subscores", "compare", "lineage"])
def test_with_features_it_is_the_command_that_trains(tmp_path: Path, name: str):
    named = f"kallos train all --protocol {PROTOCOL} --fold 1"
    with (
        make_store(tmp_path / "s.duckdb", 12, trained=False) as untrained,
        pytest.raises(PrerequisiteError, match=named),
    ):
        report_page(name).data(untrained, EVERYTHING)


@pytest.mark.parametrize("name", ["overview", "dataset", "features"])
def test_an_empty_store_and_an_unknown_data_set_are_named(tmp_path: Path, store: Store, name: str):
    with open_store(tmp_path / "s.duckdb") as empty, pytest.raises(PrerequisiteError, match="kallos ingest"):
        report_page(name).data(empty, EVERYTHING)
    with pytest.raises(UsageError, match=DATA_SET):
        report_page(name).data(store, Selection(data_set="other"))


@pytest.mark.parametrize("name", ["evaluation", "subscores", "compare", "lineage"])
def test_an_unknown_protocol_fold_or_run_is_named(store: Store, name: str):
    with pytest.raises(UsageError, match=PROTOCOL):
        report_page(name).data(store, Selection(protocol="other"))
    with pytest.raises(UsageError, match="1 to 2"):
        report_page(name).data(store, Selection(protocol=PROTOCOL, fold=3))
    with pytest.raises(PrerequisiteError, match=f"--protocol {PROTOCOL} --fold 2"):
        report_page(name).data(store, Selection(protocol=PROTOCOL, fold=2))
    with pytest.raises(PrerequisiteError, match="no run 'other'"):
        report_page(name).data(store, Selection(runs=("other",)))


# dataset


def test_dataset_counts_what_is_there(store: Store):
    (data_set,) = dataset.data(store, EVERYTHING).data_sets
    assert data_set.name == DATA_SET
    (trait,) = data_set.traits
    assert (data_set.images, trait.trait, trait.scale, trait.ratings) == (80, "score", (1, 5), 80 * 6)
    assert [(s, g.images, sum(g.histogram)) for s, g in trait.subsets.items()] == [
        ("all", 80, 80), ("AF", 20, 20), ("AM", 20, 20), ("CF", 20, 20), ("CM", 20, 20)
    ]  # fmt: skip
    assert [(f.fold, f.train, f.val, f.test) for f in data_set.folds] == [(1, 40, 0, 40), (2, 40, 0, 40)]
    assert [(f.kind, f.count, len(f.first)) for f in data_set.findings] == [
        ("missing_image", 5, 3),
        ("bad_landmarks", 1, 1),
    ]


def test_extraction_counts_ok_failed_and_untried(store: Store):
    (data_set,) = dataset.data(store, EVERYTHING).data_sets
    by_name = {line.extractor: line for line in data_set.extraction.coverage}
    assert (by_name["landmarks"].ok, dict(by_name["landmarks"].failed), by_name["landmarks"].untried) == (
        79,
        {"no_face": 1},
        0,
    )
    assert (by_name["skin"].ok, dict(by_name["skin"].failed), by_name["skin"].untried) == (79, {}, 1)


def test_agreement_is_each_rater_against_the_mean_of_the_others(store: Store):
    (data_set,) = dataset.data(store, EVERYTHING).data_sets
    wide = store.frame("SELECT image_id, rater_id, rating FROM ratings").pivot("rater_id", index="image_id")
    ratings = wide.drop("image_id").to_numpy()
    expected = [
        np.corrcoef(ratings[:, i], np.delete(ratings, i, axis=1).mean(axis=1))[0, 1] for i in range(ratings.shape[1])
    ]
    whole = data_set.traits[0].agreement["all"]
    assert whole.raters == 6
    assert whole.leave_one_out == pytest.approx(np.mean(expected))
    assert (whole.lowest, whole.highest) == pytest.approx((min(expected), max(expected)))
    assert whole.within_sd == pytest.approx(ratings.std(axis=1).mean())
    between = ratings.shape[1] * ratings.mean(axis=1).var(ddof=1)
    assert whole.reliability.value == pytest.approx(1 - ratings.var(axis=1, ddof=1).mean() / between)
    assert (str(whole.retest.value), whole.again) == ("nan", 0)


def test_the_retest_is_of_raters_who_were_asked_again(store: Store):
    store.execute("UPDATE ratings SET first_rating = rating + 1 WHERE rater_id = (SELECT min(rater_id) FROM ratings)")
    whole = dataset.data(store, EVERYTHING).data_sets[0].traits[0].agreement["all"]
    repeats = store.value("SELECT count(*) FROM ratings WHERE first_rating IS NOT NULL")
    assert (whole.retest.value, whole.again) == (pytest.approx(1.0), repeats)


def test_the_retest_is_between_sessions_too(labels_only: Store):
    store = labels_only
    before = dataset.data(store, EVERYTHING).data_sets[0].traits[0].agreement["all"]
    store.execute("UPDATE ratings SET session = '1'")
    store.execute(
        "INSERT INTO ratings SELECT * REPLACE ('2' AS session, 6 - rating AS rating) FROM ratings WHERE rater_id = 'r0'"
    )
    whole = dataset.data(store, EVERYTHING).data_sets[0].traits[0].agreement["all"]
    assert (whole.retest.value, whole.again) == (pytest.approx(-1.0), 12)
    assert (whole.raters, whole.reliability.value) == (before.raters, pytest.approx(before.reliability.value))


def test_a_data_set_without_ratings_or_features_is_reported(labels_only: Store):
    labels_only.execute("DELETE FROM ratings")
    labels_only.execute("UPDATE scores SET sd = NULL")
    report = dataset.data(labels_only, EVERYTHING)
    assert report.data_sets[0].traits[0].agreement == {}
    text = text_of(dataset.render(report))
    assert "Agreement" not in text
    assert "kallos report" in text


def test_the_contact_sheet_shows_a_dozen_from_the_lowest_to_the_highest(store: Store):
    photos = dataset.data(store, EVERYTHING).data_sets[0].photos
    scores = [float(photo.caption.split()[-1]) for photo in photos]
    assert len(photos) == 12
    assert scores == sorted(scores)
    assert all(photo.landmarks.shape == (468, 3) for photo in photos)


# features


def test_drift_finds_the_group_and_the_feature_that_were_moved():
    random = np.random.default_rng(2)
    rows = pl.DataFrame(
        {
            "data_set": ["here"] * 150 + ["there"] * 50,
            "subset": ["A", None] * 100,
            "same": random.normal(size=200),
            "moved": random.normal(size=200) + np.repeat([0.0, 3.0], [150, 50]),
        }
    )
    by_group = {each.group: each for each in drift(rows, ["same", "moved"])}
    assert set(by_group) == {"here", "there", "A"}
    assert (by_group["there"].images, by_group["A"].images) == (50, 100)
    assert by_group["there"].furthest[0][0] == "moved"
    assert by_group["there"].furthest[0][1] > 0.8
    assert by_group["A"].furthest[0][1] < 0.3


def test_correlations_are_pearsons_over_rows_known_to_both():
    random = np.random.default_rng(1)
    values = 100 + random.normal(size=(50, 4)) @ random.normal(size=(4, 4))
    values[3, 1] = values[7, 2] = np.nan
    found = features.correlations(values)
    for i in range(4):
        for j in range(4):
            both = np.isfinite(values[:, i]) & np.isfinite(values[:, j])
            assert found[i, j] == pytest.approx(np.corrcoef(values[both, i], values[both, j])[0, 1])


def test_a_constant_feature_has_no_correlation():
    values = np.column_stack([np.full(20, 0.1), np.arange(20.0)])
    found = features.correlations(values)
    assert np.isnan(found[0, 1])
    assert found[1, 1] == pytest.approx(1)


def test_features_come_by_region_with_those_that_say_the_same(store: Store):
    report = features.data(store, EVERYTHING)
    order = [REGIONS.index(line.region) for line in report.features]
    assert order == sorted(order)
    (cluster,) = report.clusters
    assert sorted(cluster.features) == ["face_width", "jaw_width"]
    correlation = {line.name: abs(line.correlation) for line in report.features}
    assert correlation[cluster.features[0]] >= correlation[cluster.features[1]]
    assert cluster.weakest > features.REDUNDANT
    by_name = {line.name: line for line in report.features}
    assert by_name["eye_width"].measured == report.images - 1
    rows = store.frame("SELECT nose_width, score FROM geometric_features JOIN scores USING (image_id)")
    assert by_name["nose_width"].correlation == pytest.approx(np.corrcoef(*rows.to_numpy().T)[0, 1])
    assert set(by_name["nose_width"].subsets) == {"AF", "AM", "CF", "CM"}


def test_features_before_extraction_name_the_command(labels_only: Store):
    with pytest.raises(PrerequisiteError, match="kallos extract"):
        features.data(labels_only, EVERYTHING)


# training


def test_training_lists_the_newest_first_and_counts_what_was_fitted(store: Store):
    report = training.data(store, EVERYTHING)
    assert [run.model for run in report.runs] == list(reversed(MODEL_NOISE))
    assert {(run.parts, run.epochs, run.status) for run in report.runs} == {(2, 5, "done")}
    assert [curve.model for curve in report.curves] == sorted(MODEL_NOISE)
    assert all(len(curve.pearson) == 5 for curve in report.curves)


def test_training_can_be_narrowed_to_runs(store: Store):
    chosen = training.data(store, EVERYTHING).runs[0].run_id
    report = training.data(store, Selection(runs=(chosen,)))
    assert [run.run_id for run in report.runs] == [chosen]
    assert [curve.run_id for curve in report.curves] == [chosen]


# evaluation


def test_evaluation_is_what_the_runs_recorded_best_first(store: Store):
    report = evaluation.data(store, EVERYTHING)
    correlations = [run.overall.pearson for run in report.runs]
    assert correlations == sorted(correlations, reverse=True)
    assert {run.model for run in report.runs} == set(MODEL_NOISE)
    recorded = store.frame("SELECT run_id, n, mae, rmse, pearson, spearman FROM evaluations WHERE role = 'test'")
    for run_id, *metrics in recorded.rows():
        (run,) = (run for run in report.runs if run.run_id == run_id)
        assert run.overall == pytest.approx(Evaluation(*metrics))
        assert run.problems == ()
        compared = sum(group.n for group in run.groups.groups)
        assert sum(run.residuals) == run.overall.n == compared + sum(run.groups.too_small.values())
        assert run.overall.rmse >= run.rmse_floor
        assert {metric: figure.value for metric, figure in run.figures.items()} == {
            metric: getattr(run.overall, metric) for metric in ("pearson", "mae", "rmse", "spearman")
        }


def test_figures_that_cannot_be_true_are_called_out(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60) as store:
        store.execute("UPDATE evaluations SET rmse = 0.01, pearson = 0.5 WHERE role = 'test' AND run_id LIKE '%-1-a-%'")
        store.execute("DELETE FROM evaluations WHERE run_id LIKE '%baseline%'")
        report = evaluation.data(store, EVERYTHING)
    problems = {run.model: run.problems for run in report.runs}
    assert any("lower than the recorded PC allows" in problem for problem in problems["a"])
    assert any("differ from those of the stored predictions" in problem for problem in problems["a"])
    assert problems["baseline"]
    assert problems["b"] == ()
    assert "allows" in text_of(evaluation.render(report))


def test_constant_predictions_are_reported_without_a_correlation(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60) as store:
        store.execute("UPDATE predictions SET score = 3 WHERE run_id LIKE '%-1-a-%'")
        for name in ("evaluation", "compare"):
            report = report_page(name).data(store, EVERYTHING)
            assert report.runs[-1].name == "a"
            assert "–" in text_of(report_page(name).render(report))
            assert [write(figure, tmp_path / name / "figure.svg") for figure in report_page(name).figures(report)]
            pearson = json.loads(to_json(name, report))["runs"][-1]["overall"]["pearson"]
            assert pearson in (None, {"value": None, "low": None, "high": None})


def test_an_unfinished_run_is_not_judged(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60) as store:
        store.execute("UPDATE runs SET status = 'running' WHERE model = 'ensemble'")
        assert "ensemble" not in {run.model for run in evaluation.data(store, EVERYTHING).runs}
        unfinished = next(run for run in training.data(store, EVERYTHING).runs if run.status == "running")
        with pytest.raises(PrerequisiteError, match="not finished"):
            evaluation.data(store, Selection(runs=(unfinished.run_id,)))


# subscores


def test_subscores_measure_saturation_at_both_ends(store: Store):
    report = subscores.data(store, EVERYTHING)
    assert [run.name for run in report.runs] == ["b", "b-features"]
    for run in report.runs:
        assert [line.region for line in run.regions] == list(reversed(REGIONS))
        assert sum(line.weight for line in run.regions) == pytest.approx(1)
        for line in run.regions:
            values = store.frame(
                "SELECT sub_score FROM sub_scores WHERE run_id = $r AND region = $g", r=run.run_id, g=line.region
            )["sub_score"].to_numpy()
            assert line.saturated == int(((values < 1.05) | (values > 4.95)).sum())
            assert sum(line.histogram) == line.n == len(values)
            assert line.correlation.low <= line.correlation.value <= line.correlation.high
            assert line.change.value == pytest.approx(line.without.value - run.pearson.value)
            # paired, so that it is surer than what it is the difference of
            assert line.change.high - line.change.low < line.without.high - line.without.low
    assert "attributions" in text_of(subscores.render(report))


def test_without_model_b_subscores_name_the_command(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60) as store:
        store.execute("DELETE FROM runs WHERE starts_with(model, 'b') AND model <> 'baseline'")
        with pytest.raises(PrerequisiteError, match="kallos train b"):
            subscores.data(store, EVERYTHING)


# compare


def test_bootstrap_is_the_metric_of_each_resample():
    random = np.random.default_rng(2)
    truth = random.normal(3, 0.7, 40)
    predicted = truth + random.normal(0, 0.4, (2, 40))
    counts = bootstrap.resamples(np.arange(40).astype(str))
    pearson = bootstrap.correlations(counts, truth, predicted)
    mae = bootstrap.means(counts, np.abs(predicted - truth))
    spearman = bootstrap.rank_correlations(counts, truth, predicted[0].round(1))
    assert (counts.sum(axis=1) == 40).all()
    for resample in (0, 1, 999):
        rows = np.repeat(np.arange(40), counts[resample].astype(int))
        assert spearman[resample] == pytest.approx(
            Evaluation.from_scores(truth[rows], predicted[0, rows].round(1)).spearman
        )
        for run in (0, 1):
            again = Evaluation.from_scores(truth[rows], predicted[run, rows])
            assert pearson[run, resample] == pytest.approx(again.pearson)
            assert mae[run, resample] == pytest.approx(again.mae)


def test_a_run_does_not_differ_from_itself_and_a_worse_one_does(store: Store):
    report = compare.data(store, EVERYTHING)
    best, *others = report.runs
    assert best.pearson is None
    assert best.overall == evaluation.data(store, EVERYTHING).runs[0].figures
    for run in others:
        assert run.pearson.low <= run.pearson.value <= run.pearson.high
        for metric, difference in (("pearson", run.pearson), ("mae", run.mae)):
            assert difference.value == pytest.approx(run.overall[metric].value - best.overall[metric].value)
    assert others[-1].pearson.clear
    assert compare.data(store, EVERYTHING) == report


def test_compare_wants_two_runs_with_images_in_common(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 60) as store:
        ids = {run.model: run.run_id for run in training.data(store, EVERYTHING).runs}
        with pytest.raises(PrerequisiteError, match="only the run"):
            compare.data(store, Selection(runs=(ids["a"],)))
        swapped = "CASE role WHEN 'test' THEN 'train' WHEN 'train' THEN 'test' ELSE role END"
        store.execute(f"UPDATE predictions SET role = {swapped} WHERE run_id = $r", r=ids["b"])
        with pytest.raises(PrerequisiteError, match="no test"):
            compare.data(store, Selection(runs=(ids["a"], ids["b"])))


# overview


def test_the_overview_counts_what_is_there_and_says_what_comes_next(store: Store, labels_only: Store):
    whole = overview.data(store, EVERYTHING)
    (held,) = whole.holdings
    assert (held.images, held.scored, held.extracted) == (80, 80, 79), "one photo shows no face"
    assert held.ratings == store.value("SELECT count(*) FROM ratings")
    assert {result.model: result.folds for result in whole.results} == dict.fromkeys([*MODEL_NOISE], 1)
    assert [result.pearson for result in whole.results] == sorted(
        (result.pearson for result in whole.results), reverse=True
    )
    assert {(result.total_folds, result.tested) for result in whole.results} == {(2, 40)}
    assert re.search(r"ensemble +1 of 2 +40 +0\.", text_of(overview.render(whole))), "how few were tested"
    assert "Sub-scores  40 test images" in text_of(subscores.render(subscores.data(store, EVERYTHING)))
    before = overview.data(labels_only, EVERYTHING)
    assert (before.holdings[0].extracted, before.results) == (0, ())
    assert [command for command, _ in before.next_commands] == ["kallos extract"]
    assert "Nothing is trained yet" in text_of(overview.render(before))


# lineage


def test_the_lineage_leads_from_the_score_to_the_bytes(store: Store):
    tested = store.frame("SELECT DISTINCT image_id FROM predictions WHERE role = 'test' ORDER BY 1")["image_id"]
    report = lineage.data(store, EVERYTHING)
    assert report.image_id == tested[0]
    assert report.sha256 == store.value("SELECT sha256 FROM images WHERE image_id = $i", i=tested[0])
    assert report.scores[0].model == "ensemble"
    assert {model.model for model in report.scores} == set(MODEL_NOISE)
    assert report.training_set.rows == store.value(
        "SELECT count(*) FROM splits SEMI JOIN landmarks USING (image_id) WHERE role = 'train' AND fold = 1"
    )
    assert {output.status for output in report.outputs} == {"ok"}
    assert {output.extractor for output in report.outputs} >= {"landmarks", "geometry", "skin", "shape"}


def test_the_lineage_is_of_the_image_asked_for(store: Store):
    other = store.value("SELECT max(image_id) FROM predictions WHERE role = 'test'")
    assert lineage.data(store, Selection(image=other)).image_id == other
    assert lineage.data(store, Selection(image=other.rpartition("/")[2])).image_id == other
    with pytest.raises(UsageError, match="nobody is neither an image of the store"):
        lineage.data(store, Selection(image="nobody"))


# calibration and the worst


def test_tenths_hold_every_image_once_and_the_worst_come_first(store: Store):
    best = evaluation.data(store, EVERYTHING).runs[0]
    assert sum(row.n for row in best.tenths) == best.overall.n
    assert [row.predicted for row in best.tenths] == sorted(row.predicted for row in best.tenths)
    for row in best.tenths:
        assert row.gap.value == pytest.approx(row.predicted - row.truth)
        assert row.gap.low < row.gap.value < row.gap.high
    assert np.average([row.truth for row in best.tenths], weights=[row.n for row in best.tenths]) == pytest.approx(
        np.mean(best.truth)
    )
    errors = [abs(row.predicted - row.truth) for row in best.worst]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(np.abs(np.array(best.truth) - np.array(best.predicted)).max())


def test_plots_are_of_the_model_that_scores_new_photos(store: Store):
    report = evaluation.data(store, EVERYTHING)
    ensemble = next(run for run in report.runs if run.model == "ensemble")
    others = tuple(run for run in report.runs if run.model != "ensemble")
    sections = ("Predicted against true", "Errors", "Calibration", "Largest errors")
    text = text_of(evaluation.render(replace(report, runs=(*others, ensemble))))
    for section in sections:
        assert f"{section}  {ensemble.name}, which scores new photos, on 1-5" in text
    assert text[text.index("Largest errors") :].index(ensemble.worst[0].image_id) > 0
    text = text_of(evaluation.render(replace(report, runs=others)))
    for section in sections:
        assert f"{section}  {others[0].name}, on 1-5" in text


def test_errors_are_predicted_minus_true_in_every_table(store: Store):
    report = evaluation.data(store, EVERYTHING)
    text, shown = text_of(evaluation.render(report)), next(run for run in report.runs if run.model == "ensemble")
    assert "true - predicted" not in text
    for each in (*shown.tenths, *shown.worst):
        gap = f"{each.predicted - each.truth:+.2f}" if each in shown.worst else split_estimate(each.gap, sign=True)[0]
        assert re.search(f"{each.truth:.2f} *{each.predicted:.2f} +" + re.escape(gap), text)
