"""`kallos evaluate`: models on other photos, raters and scales, on drawn portraits, through the command line."""

import csv
import io
import json
import re
import shutil
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from rich.console import Console
from scipy.stats import spearmanr

from featurestore import validations
from featurestore.external_evaluation import ExternalRows
from featurestore.ingest.dataset import empty, write
from featurestore.opening import open_store
from featurestore.recalibration import Recalibration, cross_mapped
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMap
from featurestore.training_rows import Rows
from featurestore.upkeep.erasure import erase
from kallos.portraits.dataset import write_demo
from models.registry import ENSEMBLE, MODELS, SUMMARIES
from reports.pages import external_evaluation
from reports.render.json import to_json
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.ingest_files import read_scores, write_workbook
from tests.test_cli import refused
from tests.test_documented_commands import ROOT, commands, run_all

NEW, COPIES = 40, 12


@dataclass(frozen=True)
class Judged:
    """A copy of the workspace's store with other data sets beside its own."""

    store: Path
    bundle: Path

    def evaluate(self, data_set: str, *more: object) -> dict:
        return kallos_ok("evaluate", "--data-set", data_set, "--json", "--store", self.store, *more).json()

    def page(self, data_set: str) -> str:
        """What `kallos evaluate` prints, in one line."""
        return " ".join(kallos_ok("evaluate", "--data-set", data_set, "--store", self.store).out.split())

    def rows(self, query: str) -> list:
        with open_store(self.store, read_only=True) as store:
            return store.frame(query).rows()


@pytest.fixture(scope="module")
def extracted(workspace, tmp_path_factory):
    """The workspace's store and runs with `plain` and `curved`, one set of new portraits on two scales, and `mixed`."""
    folder = tmp_path_factory.mktemp("outside")
    store = folder / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    write_demo(folder / "new", NEW, 5, lambda *_: None)
    with (folder / "new" / "parameters.csv").open() as file:
        drawn = [(row["image"], float(row["true_score"]), row["subset"]) for row in csv.DictReader(file)]
    names, truth, subset = (list(column) for column in zip(*drawn, strict=True))
    photos = folder / "new" / "images"
    table(folder / "plain.csv", names, truth, subset)
    table(folder / "curved.csv", names, [curve(t) for t in truth], subset)
    learnt = training_photos(store, workspace.portraits)
    mixed = folder / "mixed"
    shutil.copytree(photos, mixed)
    for i, photo in enumerate(learnt[:COPIES]):
        shutil.copy(photo, mixed / f"other-name-{i}.jpg")
    Image.new("L", (200, 200), 90).save(mixed / "grey.png")
    copied = [f"other-name-{i}.jpg" for i in range(COPIES)]
    table(folder / "mixed.csv", [*names[1:], *copied, "grey.png"], [*truth[1:], *[3.0] * COPIES, 3.0])
    (folder / "seen").mkdir()
    for i, photo in enumerate(learnt[:30]):
        shutil.copy(photo, folder / "seen" / f"{i}.jpg")
    table(folder / "seen.csv", [f"{i}.jpg" for i in range(30)], np.linspace(1, 5, 30))
    options = ("--store", store)
    kallos_ok("ingest", "table", folder / "plain.csv", "--images", photos, "--scale", 1, 5, *options)
    kallos_ok("ingest", "table", folder / "curved.csv", "--images", photos, "--scale", 1, 10, *options)
    trusted = [7 - t for t in truth]
    for name, trait, scores in (("named", "attractive", truth), ("pair", "kind", truth), ("pair", "calm", trusted)):
        table(folder / f"{name}.csv", names, scores)
        trait_options = ("--images", photos, "--scale", 1, 7, "--trait", trait)
        kallos_ok("ingest", "table", folder / f"{name}.csv", *trait_options, *options)
    for name in ("mixed", "seen"):
        kallos_ok("ingest", "table", folder / f"{name}.csv", "--images", folder / name, "--scale", 1, 5, *options)
    kallos_ok("extract", *options)
    return store


@pytest.fixture
def judged(extracted, workspace, tmp_path) -> Judged:
    """A copy that a test may change."""
    return copied(extracted, tmp_path, workspace)


@pytest.fixture(scope="module")
def unchanged(extracted, workspace, tmp_path_factory) -> Judged:
    """A copy for tests that change nothing: each data set is evaluated once for all of them."""
    shared = copied(extracted, tmp_path_factory.mktemp("unchanged"), workspace)
    return Cached(shared.store, shared.bundle)


class Cached(Judged):
    evaluate, page = cache(Judged.evaluate), cache(Judged.page)


def copied(extracted: Path, folder: Path, workspace: Workspace) -> Judged:
    store = folder / "kallos.duckdb"
    shutil.copy(extracted, store)
    shutil.copytree(extracted.with_suffix(".runs"), store.with_suffix(".runs"))
    return Judged(store, workspace.bundle)


def curve(score: float) -> float:
    """A score on 1-5 as raters who use a scale of 1-10 otherwise would give it."""
    return 1 + 9 * ((score - 1) / 4) ** 3


def table(path: Path, names: list[str], scores, subset: list[str] | None = None) -> None:
    columns = {"image": names, "score": scores} | ({"subset": subset} if subset else {})
    pl.DataFrame(columns).write_csv(path)


def training_photos(store: Path, portraits: Path) -> list[Path]:
    with open_store(store, read_only=True) as opened:
        rows = opened.frame(
            "SELECT path FROM splits JOIN images USING (image_id) SEMI JOIN geometric_features USING (image_id) "
            "WHERE protocol = 'demo-5fold' AND fold = 1 AND role = 'train' ORDER BY path"
        )
    return [portraits / "images" / path for path in rows["path"]]


def test_a_monotone_change_of_the_scale_leaves_the_ranks_and_is_undone_by_the_map(unchanged):
    plain, curved = unchanged.evaluate("plain"), unchanged.evaluate("curved")
    assert [model["name"] for model in plain["models"]] == [ENSEMBLE, *MODELS]
    assert curved["scale"] == [1.0, 10.0]
    for one, other in zip(plain["models"], curved["models"], strict=True):
        assert one["overall"]["n"] == other["overall"]["n"] == NEW
        assert one["overall"]["spearman"] == pytest.approx(other["overall"]["spearman"])
        assert other["overall"]["mae"]["low"] > one["overall"]["mae"]["value"]
    learned = curved["models"][3]["overall"]
    assert learned["mapped_mae"]["value"] < curved["constant_mae"]["value"]
    assert learned["spearman"]["low"] > 0.2
    assert learned["mapped_mae"]["value"] < 0.6 * learned["mae"]["value"]


def test_the_only_trait_of_another_name_is_compared_with_and_said(unchanged):
    report = unchanged.evaluate("named")
    assert (report["trained_trait"], report["trait"], report["scale"]) == ("score", "attractive", [1, 7])
    assert report["models"][0]["overall"]["spearman"]["value"] == pytest.approx(
        unchanged.evaluate("plain")["models"][0]["overall"]["spearman"]["value"]
    )
    assert "The models were trained on score. named was rated on attractive only" in unchanged.page("named")
    assert "rated on" not in unchanged.page("plain")


def test_none_of_several_other_traits_is_guessed_and_the_same_one_is_found(judged):
    options = ("--data-set", "pair", "--store", judged.store)
    refused(kallos("evaluate", *options), 2, "trained on score, and pair was rated on calm, kind", "--trait score")
    with open_store(judged.store) as store:
        for table in ("traits", "scores", "splits"):
            store.execute(f"UPDATE {table} SET trait = 'score' WHERE trait = 'kind'")
    same = judged.evaluate("pair")
    assert same["trait"] == "score"
    assert same["models"][0]["overall"]["spearman"]["value"] > 0.2


def test_figures_are_those_of_the_stored_predictions_also_by_subset(unchanged):
    report = unchanged.evaluate("curved")
    of_curved = "image_id LIKE 'curved/%'"
    for model in report["models"]:
        rows = unchanged.rows(
            "SELECT coalesce(subset, 'none'), s.score, p.score FROM predictions p JOIN scores s USING (image_id) "
            f"JOIN images USING (image_id) WHERE role = 'outside' AND run_id = '{model['run_id']}' AND {of_curved}"
        )
        subsets, truth, predicted = (np.array(column) for column in zip(*rows, strict=True))
        groups = {"all": np.full(len(subsets), True)} | {name: subsets == name for name in np.unique(subsets).tolist()}
        figures = {"all": model["overall"], **model["subsets"]}
        assert figures.keys() == groups.keys()
        for name, own in groups.items():
            assert figures[name]["n"] == own.sum()
            assert figures[name]["mae"]["value"] == pytest.approx(np.abs(predicted - truth)[own].mean())
            assert figures[name]["spearman"]["value"] == pytest.approx(spearmanr(truth[own], predicted[own]).statistic)
    groups = [group["name"] for group in report["groups"]["groups"]]
    assert sorted([*groups, *report["groups"]["too_small"]]) == sorted(model["subsets"])
    ensemble, *members = report["models"]
    ((covered, width),) = unchanged.rows(
        "SELECT avg((s.score BETWEEN low AND high)::INT), avg(high - low) FROM predictions p "
        f"JOIN scores s USING (image_id) WHERE role = 'outside' AND run_id = '{ensemble['run_id']}' AND {of_curved}"
    )
    coverage = ensemble["overall"]["coverage"]
    assert (coverage["share"]["value"], coverage["width"]) == (pytest.approx(covered), pytest.approx(width))
    assert {member["overall"]["coverage"] for member in members} == {None}


def test_photos_that_were_learnt_from_or_not_measured_are_left_out_and_counted(unchanged):
    report = unchanged.evaluate("mixed")
    assert (report["images"], report["evaluated"]) == (NEW + COPIES + 1, NEW - 1)
    assert (report["in_training"], report["unmeasured"], report["unscored"]) == (COPIES, 1, 1)
    predictions = unchanged.rows(
        "SELECT DISTINCT image_id FROM predictions WHERE role = 'outside' AND image_id LIKE 'mixed/%'"
    )
    assert len(predictions) == NEW - 1
    assert not [image_id for (image_id,) in predictions if "other-name" in image_id or "grey" in image_id]
    assert f"{COPIES} that the models were trained on" in unchanged.page("mixed")


def test_the_data_set_of_the_training_is_unchanged_on_what_was_not_learnt(unchanged):
    report = unchanged.evaluate("demo")
    tested = unchanged.rows(
        "SELECT score FROM predictions WHERE role = 'test' AND run_id LIKE '%-ensemble-%' ORDER BY ALL"
    )
    predicted = unchanged.rows(
        "SELECT score FROM predictions WHERE role = 'outside' AND run_id LIKE '%-ensemble-%' AND image_id LIKE 'demo/%' "
        "ORDER BY ALL"
    )
    assert report["evaluated"] == len(tested)
    assert np.array(predicted) == pytest.approx(np.array(tested), abs=1e-5)


def test_judging_again_replaces_its_own_rows_and_nothing_else(judged):
    outside_rows = "SELECT * FROM predictions WHERE role = 'outside' ORDER BY ALL"
    others = "SELECT * FROM predictions WHERE role <> 'outside' ORDER BY ALL"
    before = judged.rows(others)
    judged.evaluate("plain")
    judged.evaluate("curved")
    first = judged.rows(outside_rows)
    assert len(first) == 2 * len(SUMMARIES) * NEW
    with open_store(judged.store) as store:
        store.execute(
            "DELETE FROM scores WHERE image_id = (SELECT min(image_id) FROM scores WHERE image_id LIKE 'plain/%')"
        )
        store.execute("UPDATE predictions SET score = 0 WHERE role = 'outside' AND image_id LIKE 'plain/%'")
    judged.evaluate("plain")
    gone = min(image_id for _, image_id, *_ in first if image_id.startswith("plain/"))
    again, remaining = judged.rows(outside_rows), [row for row in first if row[1] != gone]
    assert [row[:3] for row in again] == [row[:3] for row in remaining]
    assert [row[3] for row in again] == pytest.approx([row[3] for row in remaining])
    assert judged.rows(others) == before


def test_reports_on_test_images_do_not_see_it_and_erasure_does_not_take_it_for_training(judged):
    names = ("evaluation", "subscores", "compare", "training")
    before = [kallos_ok("report", name, "--json", "--store", judged.store).out for name in names]
    judged.evaluate("demo")
    judged.evaluate("plain")
    assert [kallos_ok("report", name, "--json", "--store", judged.store).out for name in names] == before
    assert erase(judged.store, ["plain/P0001.jpg"], lambda receipt: None).receipt.trained == ()


def test_a_bundle_says_the_same_and_writes_nothing(unchanged, tmp_path):
    kallos_ok("export", tmp_path / "bundle", "--no-onnx", "--store", unchanged.store)
    from_store = unchanged.evaluate("curved")
    before = unchanged.rows("FROM predictions ORDER BY ALL")
    assert unchanged.evaluate("curved", "--bundle", tmp_path / "bundle") == from_store
    assert unchanged.rows("FROM predictions ORDER BY ALL") == before


def test_a_bundle_knows_its_training_photos_in_a_store_that_never_trained(judged):
    with open_store(judged.store) as store:
        for table in ("manifests", "predictions", "runs"):
            store.execute(f"DELETE FROM {table}")
    report = judged.evaluate("mixed", "--bundle", judged.bundle)
    assert (report["in_training"], report["evaluated"]) == (COPIES, NEW - 1)


def test_what_cannot_be_judged_is_one_sentence_and_an_exit_code(judged, tmp_path):
    options = ("--store", judged.store)
    few = tmp_path / "few.csv"
    table(few, ["P0001.jpg", "P0002.jpg"], [2.0, 3.0])
    photos = judged.rows("SELECT root FROM locations WHERE data_set = 'plain'")[0][0]
    kallos_ok("ingest", "table", few, "--images", photos, "--scale", 1, 5, *options)
    with open_store(judged.store) as store:
        known = read_scores(few, Path(photos), "unscored")
        write(store, replace(known, scores=empty("scores"), splits=empty("splits")))
    refused(kallos("evaluate", "--data-set", "unscored", *options), 4, "unscored has no scores", "kallos ingest")
    refused(kallos("evaluate", "--data-set", "few", *options), 7, "Only 2", "more photos")
    refused(kallos("evaluate", "--data-set", "seen", *options), 12, "every scored photo of seen")
    refused(kallos("evaluate", "--data-set", "other", *options), 2, "'other'", "curved")
    refused(kallos("evaluate", "--data-set", "plain", "--protocol", "other", *options), 2, "demo-5fold")
    refused(kallos("evaluate", "--data-set", "plain", "--protocol", "demo-5fold", "--fold", 9, *options), 2, "1 to 5")
    refused(
        kallos("evaluate", "--data-set", "plain", "--protocol", "demo-5fold", "--fold", 2, *options), 7, "kallos train"
    )
    refused(kallos("evaluate", "--data-set", "plain", "--bundle", tmp_path / "no", *options), 3, "not a bundle")
    refused(kallos("evaluate", "--data-set", "plain", "--bundle", judged.bundle, "--fold", 1, *options), 2, "--bundle")


def test_models_of_other_versions_than_the_store_shows_are_refused(judged):
    with open_store(judged.store) as store:
        store.execute("UPDATE extractor_versions SET active = false WHERE extractor LIKE 'embedding:%'")
    answer = kallos("evaluate", "--data-set", "plain", "--bundle", judged.bundle, "--store", judged.store)
    refused(answer, 7, "embedding:", "kallos extract")


# the verdict


def test_a_verdict_follows_its_interval_and_is_stored_with_the_map_that_it_allows(judged):
    options = ("--data-set", "curved", "--store", judged.store)
    report = kallos_ok("validate", *options, "--json").json()
    found = report["validity"]
    corrected = found["corrected"]
    above, below = corrected["low"] > 0.5, corrected["high"] < 0.5
    assert found["verdict"] in (("use", "recalibrate") if above else ("do not use",) if below else ("undecided",))
    assert found["reliability"] is None, "curved has no single ratings"
    assert corrected["value"] == pytest.approx(report["evaluation"]["models"][0]["overall"]["spearman"]["value"])
    assert report["shift"]["compared"] > 50
    stored = "SELECT data_set, verdict, n, corrected, shared IS NULL FROM validations"
    row = ("curved", found["verdict"], NEW, pytest.approx(corrected["value"]), not above)
    assert judged.rows(stored) == [row]
    page = " ".join(kallos_ok("validate", *options).out.split())
    assert f"Verdict: {found['verdict']}" in page
    assert "noise is not known" in page
    assert len(judged.rows(stored)) == 1
    assert len(judged.rows("SELECT 1 FROM predictions WHERE role = 'outside'")) == len(SUMMARIES) * NEW
    erase(judged.store, ["curved/P0001.jpg"], lambda receipt: None)
    assert judged.rows(stored) == []


def test_predictions_are_those_of_the_raters_whom_a_verdict_allows(judged, workspace):
    photo = workspace.portraits / "images" / "P0001.jpg"
    run_id = judged.rows("SELECT run_id FROM runs WHERE model = 'ensemble' AND status = 'done'")[0][0]
    plain = kallos_ok("score", photo, "--json", "--store", judged.store).json()["predictions"][0]
    fitted = Recalibration(ScaleMap(Scale(1, 10), np.array([1.0, 3.0, 5.0]), np.array([1.0, 2.0, 5.0])), 1.5)
    as_curved = ("--data-set", "curved", "--json", "--store", judged.store)
    refused(kallos("score", photo, *as_curved), 2, "not trained on 'curved'", "kallos validate")
    with open_store(judged.store) as store:
        validations.record(store, run_id, "curved", {"verdict": "recalibrate", "n": 40}, fitted)
    for more in ((), ("--bundle", judged.bundle)):
        mapped = kallos_ok("score", photo, *as_curved, *more).json()["predictions"][0]
        to_curved = partial(np.interp, xp=[1, 3, 5], fp=[1, 2, 5])
        assert mapped["score"] == pytest.approx(to_curved(plain["score"]))
        reach = 1.5 * (to_curved(plain["score"]) - to_curved(plain["low"]))
        assert mapped["low"] == pytest.approx(max(to_curved(plain["score"]) - reach, 1))
        assert (mapped["own_scale"]["lowest"], mapped["own_scale"]["highest"]) == (1, 10)
    with open_store(judged.store) as store:
        validations.record(store, run_id, "curved", {"verdict": "do not use", "n": 40}, None)
    refused(kallos("score", photo, *as_curved), 2, "was: do not use", "kallos validate")


def test_the_page_on_validation(judged, tmp_path, monkeypatch):
    """With raters who agree with the model on the order, and are stricter: it is recalibrated."""
    monkeypatch.chdir(tmp_path)
    judged.evaluate("plain")
    shutil.copytree(judged.rows("SELECT root FROM locations WHERE data_set = 'plain'")[0][0], "mine")
    shutil.copy("mine/P0001.jpg", "photo.jpg")
    scores = judged.rows(
        "SELECT parse_filename(image_id), score FROM predictions JOIN runs USING (run_id) "
        "WHERE role = 'outside' AND model = 'ensemble' ORDER BY ALL"
    )
    order = np.argsort(np.argsort([score for _, score in scores]))
    random = np.random.default_rng(0)
    ratings = np.clip(np.rint(1 + order[:, None] / 13 + random.normal(0, 0.7, (len(scores), 4))), 1, 7)
    rows = [(name, *answers) for (name, _), answers in zip(scores, ratings.tolist(), strict=True)]
    write_workbook(Path("mine.xlsx"), {"Data": [("image", "R01", "R02", "R03", "R04"), *rows]})
    steps = commands("docs/studies/validation.md")
    assert [command[0] for command in steps] == ["ingest", "extract", "validate", "score"]
    run_all(steps, {})
    ((verdict, reliability, spearman, corrected),) = judged.rows(
        "SELECT verdict, reliability, spearman, corrected FROM validations WHERE data_set = 'mine'"
    )
    assert verdict == "recalibrate"
    assert 0.6 < reliability < 1
    assert spearman < corrected
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/studies/validation.md").read_text(), flags=re.DOTALL)
    exec(code, {})


def test_what_cannot_be_validated_is_refused(judged):
    options = ("--store", judged.store)
    refused(kallos("validate", "--data-set", "demo", *options), 2, "were trained on demo", "kallos report evaluation")
    refused(kallos("validate", "--data-set", "few-photos", *options), 2, "'few-photos'")
    refused(kallos("validate", "--data-set", "plain", "--bundle", judged.bundle, "--fold", 1, *options), 2, "--bundle")


# the report on arrays


def external_rows(truth, subsets) -> ExternalRows:
    n = len(truth)
    ids = [f"x/{i}" for i in range(n)]
    keys = pl.DataFrame({"image_id": ids, "sha256": ids, "score": truth, "histogram": None})
    arrays = {"geometry": np.zeros((n, 1)), "skin": np.zeros((n, 0)), "shape": np.zeros((n, 936), np.float32)}
    people = np.array([f"p{i:03}" for i in range(n)])
    return ExternalRows("x", "score", Rows.gathered(keys, arrays), tuple(subsets), people, (1.0, 10.0), n, 0, 0, 0)


@pytest.fixture
def curved_truth():
    """Predictions that are right but for noise, of raters who use their scale otherwise."""
    random = np.random.default_rng(0)
    opinion = np.clip(random.normal(3, 0.7, 400), 1, 5)
    predicted = opinion + random.normal(0, 0.05, 400)
    return external_rows(1 + 4 * ((opinion - 1) / 4) ** 3, random.choice(["one", "two"], 400)), predicted


def test_the_map_undoes_another_use_of_the_scale(curved_truth):
    rows, predicted = curved_truth
    report = external_evaluation.data(rows, "score", "x", {"ensemble": "run"}, {"ensemble": predicted})
    overall = report.models[0].overall
    assert overall.mae.low > 0.8
    assert overall.mapped_mae.high < 0.08
    assert overall.mapped_rmse.high < 0.12
    assert overall.spearman.low < overall.spearman.value < overall.spearman.high
    assert overall.coverage is None
    assert "coverage" not in report.groups.gaps


def test_no_image_is_judged_by_a_map_that_saw_it(curved_truth):
    """A score that nobody else has changes the map of every image but those of its own fifth."""
    rows, predicted = curved_truth
    ids, truth = rows.rows.image_ids, rows.rows.scores
    before = cross_mapped(ids, truth, {"predicted": predicted})["predicted"]
    changed = truth.copy()
    changed[0] = 50
    moved = cross_mapped(ids, changed, {"predicted": predicted})["predicted"] != before
    assert not moved[0]
    assert moved.any()


def test_noise_that_says_nothing_is_not_made_better_than_the_mean():
    """In-sample, the map would find order in noise."""
    random = np.random.default_rng(1)
    truth = random.normal(3, 0.7, 300)
    mapped = cross_mapped([str(i) for i in range(300)], truth, {"predicted": random.normal(3, 0.7, 300)})
    assert np.abs(mapped["predicted"] - truth).mean() > 0.98 * np.abs(truth - truth.mean()).mean()


def test_intervals_are_covered_as_they_are_and_mapped(curved_truth):
    rows, predicted = curved_truth
    predictions = {"ensemble": predicted, "a": predicted}
    report = external_evaluation.data(
        rows, "score", "x", dict.fromkeys(predictions, "run"), predictions, predicted - 0.1, predicted + 0.1
    )
    ensemble, a = report.models
    assert a.overall.coverage is None
    assert ensemble.overall.coverage.width == pytest.approx(0.2)
    assert ensemble.overall.coverage.share.value < 0.3
    assert ensemble.overall.coverage.mapped_share.value > 0.85
    assert set(ensemble.subsets) == {"one", "two"}
    assert report.groups.groups[0].figures["coverage"].value == ensemble.subsets["one"].coverage.mapped_share.value
    json.loads(to_json(external_evaluation.NAME, report))


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_page_fits_and_says_what_it_means(curved_truth, width):
    rows, predicted = curved_truth
    report = external_evaluation.data(
        rows, "score", "x", {"ensemble": "run"}, {"ensemble": predicted}, predicted - 0.1, predicted + 0.1
    )
    console = Console(file=io.StringIO(), width=width)
    console.print(external_evaluation.render(report))
    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    text = " ".join(" ".join(lines).split())
    for words in (
        "measures transfer",
        "comparable only after a map",
        "from 1 to 10, which is stretched to 1-5",
        "90 % intervals",
        "Fairness",
    ):
        assert words in text
