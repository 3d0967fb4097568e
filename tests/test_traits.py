"""Traits are targets of their own on the same photos: nothing pools two, from the table to the prediction."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import kallos as package
from featurestore import runs
from featurestore.checks.registry import run as run_checks
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.opening import open_store
from featurestore.runs import Run
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.traits import Target, chosen_trait, matching_trait, target_of, target_of_run
from featurestore.upkeep.invariants import INVARIANTS
from reports.stats.evaluated_runs import evaluated_rows
from tests.command import Answer, kallos, kallos_ok
from tests.conftest import TRAINING
from tests.synthetic_store import DATA_SET, PROTOCOL, TRAIT, add_trait, make_store

OTHER = "trustworthy"


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb") as store:
        yield store


def a_run(store: Store, protocol: str, manifest_id: str) -> Run:
    run_id = f"{protocol}-1-ridge"
    return Run(run_id, "ridge", protocol, 1, "none", None, manifest_id, {}, store.runs_folder / run_id)


# targets


def test_each_protocol_learns_its_own_trait_and_another_one_changes_nothing(store: Store) -> None:
    before = training_set(store, PROTOCOL, 1, "tiny")
    other = training_set(store, add_trait(store, OTHER), 1, "tiny")
    after = training_set(store, PROTOCOL, 1, "tiny")
    assert after.manifest_id == before.manifest_id
    assert after.train.image_ids == before.train.image_ids
    assert np.array_equal(after.train.scores, before.train.scores)
    assert other.manifest_id != before.manifest_id
    assert len(set(other.train.image_ids)) == len(other.train)
    scores = dict(store.frame("SELECT image_id, score FROM scores WHERE trait = $t", t=OTHER).iter_rows())
    assert other.train.scores.tolist() == [scores[image_id] for image_id in other.train.image_ids]
    assert abs(np.corrcoef(other.train.scores, _scores_of(store, other.train.image_ids))[0, 1]) < 0.6


def _scores_of(store: Store, image_ids: tuple[str, ...]) -> list[float]:
    scores = dict(store.frame("SELECT image_id, score FROM scores WHERE trait = $t", t=TRAIT).iter_rows())
    return [scores[image_id] for image_id in image_ids]


def test_a_fold_is_normalised_by_photos_that_have_a_score_on_its_trait(store: Store) -> None:
    protocol = add_trait(store, OTHER)
    store.execute("DELETE FROM scores WHERE trait = $t AND image_id < 'made-up/0030'", t=OTHER)
    fold = training_set(store, protocol, 1, "tiny")
    assert min(fold.train.image_ids) >= "made-up/0030"
    fitted_on = store.value("SELECT row_count FROM statistics WHERE normalization = $n", n=f"{protocol}/1")
    assert fitted_on == len(fold.train)


def test_a_run_records_its_trait_and_its_own_scale(store: Store) -> None:
    protocol = add_trait(store, OTHER)
    fold = training_set(store, protocol, 1, "tiny")
    run = a_run(store, protocol, fold.manifest_id)
    runs.begin(store, run)
    assert target_of_run(store, run.run_id) == target_of(store, protocol) == Target(OTHER, (1, 7))
    assert target_of(store, PROTOCOL) == Target(TRAIT, (1, 5))


def test_predictions_are_judged_by_the_scores_on_the_trait_of_their_run(store: Store) -> None:
    protocol = add_trait(store, OTHER)
    fold = training_set(store, protocol, 1, "tiny")
    run = a_run(store, protocol, fold.manifest_id)
    runs.begin(store, run)
    runs.record_predictions(store, run, "test", fold.test.image_ids, fold.test.scores, fold.test.scores)
    runs.finish(store, run, 1.0)
    judged = evaluated_rows(store, "ridge", run, "test")
    assert judged is not None
    assert judged.truth.tolist() == judged.predicted.tolist() == fold.test.scores.tolist()
    assert {each.what for each in INVARIANTS if store.value(each.violations)} <= {"a data set lies somewhere"}


def test_a_protocol_over_two_scales_has_none_of_its_own(store: Store) -> None:
    store.execute("INSERT INTO traits VALUES ('second', $t, 1, 9)", t=TRAIT)
    store.execute("INSERT INTO images (image_id, data_set) VALUES ('second/1.png', 'second')")
    store.execute("INSERT INTO splits VALUES ('second/1.png', $p, 1, 'train', $t)", p=PROTOCOL, t=TRAIT)
    assert target_of(store, PROTOCOL) == Target(TRAIT, None)


def test_which_trait_is_meant(store: Store) -> None:
    assert chosen_trait(store, [DATA_SET]) == TRAIT
    add_trait(store, OTHER)
    assert chosen_trait(store, [DATA_SET], OTHER) == OTHER
    with pytest.raises(UsageError, match=f"--trait, of {TRAIT}, {OTHER}"):
        chosen_trait(store, [DATA_SET])
    with pytest.raises(UsageError, match=f"'smart': choose from {TRAIT}, {OTHER}"):
        chosen_trait(store, [DATA_SET], "smart")
    assert matching_trait(store, DATA_SET, OTHER) == OTHER
    with pytest.raises(
        UsageError, match=f"The models were trained on smart, and {DATA_SET} was rated on {TRAIT}, {OTHER}"
    ):
        matching_trait(store, DATA_SET, "smart")
    store.execute("INSERT INTO data_sets VALUES ('bare', NULL)")
    with pytest.raises(PrerequisiteError, match=r"no ratings of bare yet: .*kallos ingest table"):
        matching_trait(store, "bare", OTHER)


def test_checks_look_at_each_trait(store: Store) -> None:
    add_trait(store, OTHER)
    store.execute("UPDATE scores SET score = 9 WHERE trait = $t AND image_id < 'made-up/0003'", t=OTHER)
    store.execute("UPDATE scores SET score = 8 WHERE trait = $t AND image_id < 'made-up/0001'", t=TRAIT)
    (found,) = (verdict for verdict in run_checks(store, DATA_SET) if verdict.check == "scores_off_scale")
    assert [(each.subject, each.images) for each in found.findings] == [("scores", 1), (f"scores on {OTHER}", 3)]


# two traits from the table to the prediction, on drawn portraits


@dataclass(frozen=True)
class Pair:
    """The workspace's store with a second trait on 1-7, trained on, and its bundle."""

    store: Path
    bundle: Path
    photo: Path

    def __call__(self, *arguments: object) -> Answer:
        return kallos_ok(*arguments, "--store", self.store)


PAIR_PROTOCOL = f"demo-{OTHER}-5fold"


@pytest.fixture(scope="module")
def pair(workspace, tmp_path_factory) -> Pair:
    """The other trait is the opposite of the first one, as three raters in columns see it."""
    folder = tmp_path_factory.mktemp("pair")
    store = folder / "kallos.duckdb"
    shutil.copy(workspace.store, store)
    shutil.copytree(workspace.store.with_suffix(".runs"), store.with_suffix(".runs"))
    with (workspace.portraits / "parameters.csv").open() as file:
        true_scores = [(row["image"], float(row["true_score"])) for row in csv.DictReader(file)]
    with (folder / "other.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "rater1", "rater2", "rater3"])
        for image, score in true_scores:
            opinion = round(7 - 1.5 * (score - 1))
            lines.writerow([image, *(min(max(opinion + change, 1), 7) for change in (-1, 0, 1))])
    pair = Pair(store, folder / "bundle", workspace.portrait)
    options = ("--images", workspace.portraits / "images", "--name", "demo", "--trait", OTHER, "--scale", 1, 7)
    pair("ingest", "table", folder / "other.csv", *options)
    pair("train", "all", "--protocol", PAIR_PROTOCOL, *TRAINING)
    pair("export", pair.bundle, "--protocol", PAIR_PROTOCOL)
    return pair


def test_the_second_trait_is_trained_and_judged_by_itself(pair: Pair) -> None:
    with open_store(pair.store, read_only=True) as store:
        rows = store.frame(
            "SELECT protocol, r.trait, scale_low, scale_high, corr(p.score, own.score) AS own, "
            "corr(p.score, other.score) AS other "
            "FROM runs r JOIN predictions p USING (run_id) JOIN scores own USING (image_id, trait) "
            "JOIN scores other ON other.image_id = p.image_id AND other.trait <> r.trait "
            "WHERE model = 'b-features' AND p.role = 'out_of_fold' GROUP BY ALL ORDER BY protocol"
        ).rows()
    assert [row[:4] for row in rows] == [("demo-5fold", "score", 1, 5), (PAIR_PROTOCOL, OTHER, 1, 7)]
    assert all(own > 0.2 and other < -0.2 for *_, own, other in rows)


def test_a_store_of_two_traits_is_sound(pair: Pair) -> None:
    with open_store(pair.store, read_only=True) as store:
        assert not [each.what for each in INVARIANTS if store.value(each.violations)]
        runs_of_both = store.frame("SELECT run_id FROM runs WHERE model = 'ridge'")["run_id"].to_list()
    for run_id in runs_of_both:
        assert "holds" in kallos("verify", run_id, "--store", pair.store).out


def test_the_protocol_has_to_be_named_where_there_are_two(pair: Pair) -> None:
    refused = kallos("train", "baseline", "--store", pair.store)
    assert refused.code == 2
    assert f"choose one with --protocol: demo-5fold, {PAIR_PROTOCOL}" in " ".join(refused.err.split())


def test_bundle_and_prediction_name_the_trait_and_its_own_scale(pair: Pair, workspace) -> None:
    for answer, trait, scale in (
        (pair("score", pair.photo, "--json", "--bundle", pair.bundle), OTHER, [1, 7]),
        (kallos_ok("score", pair.photo, "--json", "--bundle", workspace.bundle), "score", [1, 5]),
    ):
        (prediction,) = answer.json()["predictions"]
        assert (prediction["origin"]["trait"], prediction["origin"]["scale"]) == (trait, scale)
    text = " ".join(pair("score", pair.photo, "--bundle", pair.bundle).out.split())
    assert OTHER in text
    assert "on 1-7" in text
    assert "on 1-7" not in kallos_ok("score", pair.photo, "--bundle", workspace.bundle).out
    for card in ("MODEL_CARD.md", "DATA_CARD.md"):
        assert OTHER in (pair.bundle / card).read_text()


@pytest.mark.parametrize("name", ["overview", "dataset", "training", "evaluation", "subscores", "compare"])
def test_every_report_goes_on_with_two_traits(pair: Pair, name: str) -> None:
    pair("report", name)
    pair("report", name, "--json")


def test_reports_on_features_ask_which_trait(pair: Pair) -> None:
    refused = kallos("report", "features", "--store", pair.store)
    assert (refused.code, "--trait" in refused.err) == (2, True)
    first, other = (
        {f["name"]: f["correlation"] for f in pair("report", "features", "--trait", t, "--json").json()["features"]}
        for t in ("score", OTHER)
    )
    assert np.corrcoef([first[f] for f in first], [other[f] for f in first])[0, 1] < -0.5


def test_what_was_drawn_stays_when_another_trait_is_added(pair: Pair, workspace) -> None:
    for table in ("drawn_parameters", "images"):
        query = f"SELECT count(*) AS n FROM {table}"
        assert (
            pair("sql", query, "--json").json() == kallos_ok("sql", query, "--json", "--store", workspace.store).json()
        )


# photos without any rating


@pytest.fixture(scope="module")
def unrated(workspace, tmp_path_factory) -> Path:
    """A store of 24 portraits that nobody rated, with their features."""
    folder = tmp_path_factory.mktemp("unrated")
    photos = folder / "photos"
    photos.mkdir()
    for photo in sorted((workspace.portraits / "images").iterdir())[:24]:
        shutil.copy(photo, photos)
    kallos_ok("ingest", "photos", photos, "--store", folder / "s.duckdb")
    kallos_ok("extract", "--encoder", "mobilenet_v3_small", "--weights", "none", "--store", folder / "s.duckdb")
    return folder / "s.duckdb"


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "overview"),
        ("report", "dataset"),
        ("plan",),
        ("check",),
        ("doctor",),
        ("doctor", "--deep"),
        ("tables",),
        ("duplicates",),
        ("features", "jaw_width"),
        ("similar", "photos/P0001.jpg", "--by", "landmarks"),
        ("sql", "SELECT count(*) FROM geometric_features"),
        ("compact",),
    ],
    ids=" ".join,
)
def test_photos_without_ratings_break_nothing(unrated: Path, arguments: tuple[str, ...]) -> None:
    answer = kallos(*arguments, "--store", unrated)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "all"),
        ("benchmark", "--protocol", "photos-5fold"),
        ("evaluate", "--data-set", "photos"),
        ("export", "nowhere"),
        *(("report", name) for name in ("features", "training", "evaluation", "benchmark", "subscores", "compare")),
    ],
    ids=" ".join,
)
def test_what_needs_ratings_says_so(unrated: Path, arguments: tuple[str, ...], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = kallos(*arguments, "--store", unrated)
    assert answer.code == 7, answer.err
    assert "`kallos " in answer.err


def test_features_of_photos_without_ratings_are_a_query_away(unrated: Path) -> None:
    with package.open_store(unrated) as store:
        assert store.frame("SELECT image_id, jaw_width FROM geometric_features").height == 24


def test_ratings_can_come_later(unrated: Path, tmp_path: Path) -> None:
    copy = tmp_path / "s.duckdb"
    shutil.copy(unrated, copy)
    shutil.copytree(unrated.with_suffix(".runs"), copy.with_suffix(".runs"))
    photos = unrated.parent / "photos"
    lines = [f"{photo.name},{1 + i % 7}" for i, photo in enumerate(sorted(photos.iterdir()))]
    (tmp_path / "later.csv").write_text("\n".join(["image,score", *lines]))
    options = ("--name", "photos", "--images", photos, "--scale", 1, 7, "--store", copy)
    kallos_ok("ingest", "table", tmp_path / "later.csv", *options)
    planned = " ".join(kallos_ok("plan", "--store", copy).out.split())
    assert "24" in planned
    with open_store(copy) as store:
        assert store.value("SELECT count(*) FROM scores JOIN geometric_features USING (image_id)") == 24
