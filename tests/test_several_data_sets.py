"""Models of several data sets: one shared score, and a strictly increasing map to each data set's own scores."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import kallos as package
from extractors.background import face_alone
from featurestore import scale_maps
from featurestore.errors import LeakageError, PrerequisiteError, UsageError
from featurestore.opening import open_store
from featurestore.scale import MODEL_SCALE, RATINGS, Scale
from featurestore.scale_maps import FEWEST, FEWEST_SHARED, ScaleMap, ScaleMaps, _ranks
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.upkeep.invariants import INVARIANTS
from kallos.workflows.fold import Fold
from kallos.workflows.progress import ignore
from kallos.workflows.stored_faces import aligned_faces
from models.registry import ENSEMBLE
from tests.command import Answer, kallos, kallos_ok
from tests.synthetic_store import DATA_SET, PROTOCOL, TRAIT, add_trait, make_store
from tests.test_documented_commands import commands

Array = NDArray[np.float64]
OTHER, WIDE = "second", Scale(0, 100)
JOINED = f"{PROTOCOL}+second-2fold"

scores_of_any_kind = st.lists(
    st.one_of(st.floats(*MODEL_SCALE), st.sampled_from([1.0, 1.5, 3.0, 5.0])), min_size=2, max_size=80
).filter(lambda scores: len(set(scores)) > 1)


# maps


@given(own=scores_of_any_kind, reference=scores_of_any_kind, shared=st.lists(st.floats(*MODEL_SCALE), min_size=2))
def test_a_map_increases_strictly_stays_on_the_scale_and_can_be_undone(
    own: list[float], reference: list[float], shared: list[float]
) -> None:
    linked = ScaleMap.linking(WIDE, np.array(own), np.array(reference))
    scores = np.unique(np.round(shared, 3))
    mapped = linked.from_shared(scores)
    assert (np.diff(mapped) > 0).all()
    assert (mapped >= MODEL_SCALE.low).all()
    assert (mapped <= MODEL_SCALE.high).all()
    assert np.allclose(linked.to_shared(mapped), scores, atol=1e-9)
    assert json.loads(json.dumps(linked.as_dict())) == ScaleMap.restore(linked.as_dict()).as_dict()


def opinions(n: int, seed: int, mean: float = 3.0, sd: float = 0.6) -> Array:
    return np.clip(np.random.default_rng(seed).normal(mean, sd, n), 1.05, 4.95)


def curved(scores: Array) -> Array:
    """The same opinions where raters are sparing with high marks."""
    return MODEL_SCALE.at(MODEL_SCALE.share(scores) ** 2)


@pytest.mark.parametrize("n", [200, 2000])
def test_a_known_distortion_is_recovered(n: int) -> None:
    linked = ScaleMap.linking(WIDE, curved(opinions(n, 1)), opinions(n, 2))
    middle = np.quantile(opinions(20_000, 3), np.linspace(0.1, 0.9, 9))
    # each quantile has a standard error of sd * sqrt(p (1 - p)) / density / sqrt(n), at most 1.71 sd / sqrt(n) here;
    # both data sets have one, and the bound is 3 of their difference
    bound = 3 * np.sqrt(2) * 1.71 * 0.6 / np.sqrt(n)
    assert np.abs(linked.to_shared(curved(middle)) - middle).max() < bound
    assert np.abs(curved(middle) - middle).max() > 2.5 * bound or n < 2000


@pytest.mark.parametrize(("own", "reference", "knots"), [(8, 8, 2), (40, 40, 8), (400, 400, 32), (44, 400, 8)])
def test_a_linear_distortion_is_undone_exactly_by_a_knot_for_five_photos(own: int, reference: int, knots: int) -> None:
    scores = np.linspace(1.5, 4.5, own)
    linked = ScaleMap.linking(WIDE, 0.5 * scores + 1, np.linspace(1.5, 4.5, reference))
    assert len(linked.shared) == len(linked.scores) == knots + 2
    # quantiles that both have: half a photo of the smaller set is left at each end
    inside = np.linspace(1.5, 4.5, 50) if own == reference else linked.shared[1:-1]
    share = (inside - 1.5) / 3 if own == reference else np.linspace(0.5 / own, 1 - 0.5 / own, knots)
    assert linked.scores[1] == pytest.approx(1.75)
    assert linked.scores[-2] == pytest.approx(3.25)
    if own == reference:
        assert linked.from_shared(inside) == pytest.approx(0.5 * inside + 1)
    else:
        assert inside == pytest.approx(1.5 + 3 * (share * reference - 0.5) / (reference - 1))


def test_equal_scores_share_their_mean_rank() -> None:
    values, ranks = _ranks(np.array([3.0, 2.0, 4.0, 2.0]))
    assert (values.tolist(), ranks.tolist()) == ([2, 3, 4], [1 / 4, 2.5 / 4, 3.5 / 4])


def test_knots_too_near_to_others_or_to_an_end_are_left_out() -> None:
    knots = [(1.0005, 1.5), (2, 2.5), (2.0005, 3), (3, 2.5005), (3.002, 2.502), (4, 4.9995), (4.5, 4.5)]
    through = ScaleMap.through(WIDE, np.array(knots))
    assert through.shared.tolist() == [1, 2, 3.002, 4.5, 5]
    assert through.scores.tolist() == [1, 2.5, 2.502, 4.5, 5]


def fitted(own: Array, reference: Array, both: int) -> ScaleMap:
    """Linked data sets of which the first `both` photos are the same."""
    photos = [*map(str, range(len(reference))), *(str(i) if i < both else f"own {i}" for i in range(len(own)))]
    names = ["a"] * len(reference) + ["b"] * len(own)
    scales = {"a": Scale(1, 5), "b": WIDE}
    return ScaleMaps.fit(scales, names, photos, np.concatenate([reference, own])).maps["b"]


def test_photos_that_both_rated_show_where_a_scale_lies_and_others_cannot() -> None:
    """Raters of b saw a few photos of a, and many that are far more attractive."""
    of_a = opinions(600, 1)
    of_b = np.concatenate([curved(of_a[:200]), curved(opinions(800, 2, mean=4.0))])
    middle = np.array([2.5, 3.0, 3.5])
    known, unknown = fitted(of_b, of_a, 200), fitted(of_b, of_a, FEWEST_SHARED - 1)
    assert np.abs(known.to_shared(curved(middle)) - middle).max() < 0.1
    assert (unknown.to_shared(curved(middle)) - middle).max() < -0.4


def test_fifty_shared_photos_link_a_data_set_and_twenty_are_enough_without() -> None:
    of_a = opinions(FEWEST, 1)
    assert len(fitted(opinions(FEWEST, 2), of_a, 0).shared) == 2 + FEWEST // 5
    of_a, of_b = opinions(100, 1), curved(opinions(100, 2))
    of_b[:FEWEST_SHARED] = curved(of_a[:FEWEST_SHARED])
    assert len(fitted(of_b, of_a, FEWEST_SHARED).shared) == 2 + FEWEST_SHARED // 5
    assert len(fitted(of_b, of_a, FEWEST_SHARED - 1).shared) == 2 + len(of_b) // 5
    of_b[:FEWEST_SHARED] = 3
    assert len(fitted(of_b, of_a, FEWEST_SHARED).shared) == 2 + len(of_b) // 5, "equal scores show no scale"


def test_maps_are_kept_in_the_store_in_their_order(tmp_path: Path) -> None:
    bent = ScaleMap(WIDE, np.array([1, 2.5, 5]), np.array([1, 3.5, 5]))
    maps = ScaleMaps({"second": ScaleMap.reference(Scale(1, 7)), "first": bent})
    with open_store(tmp_path / "s.duckdb") as store:
        for run, of_run in (("a", maps), ("none", ScaleMaps())):
            scale_maps.record(store, run, of_run)
            assert scale_maps.of_run(store, run).as_dict() == of_run.as_dict()
        assert store.frame("SELECT place, data_set FROM scale_maps ORDER BY place").rows() == [
            (1, "second"),
            (2, "first"),
        ]
    assert (maps.reference, ScaleMaps().reference) == ("second", None)
    scores = np.array([2.5, 2.5, 2.5])
    assert maps.from_shared(["first/1", "second/1", "third/1"], scores).tolist() == [3.5, 2.5, 2.5]
    assert maps.to_shared(["first/1", "second/1", "third/1"], scores + 1).tolist() == [2.5, 3.5, 3.5]


def test_histograms_move_with_their_mean() -> None:
    linked = ScaleMap.linking(WIDE, curved(opinions(500, 1)), opinions(500, 2))
    shares = np.random.default_rng(0).dirichlet(np.ones(len(RATINGS)), 50)
    moved = linked.histograms_to_shared(shares)
    assert np.allclose(moved.sum(axis=1), 1)
    assert np.allclose(moved @ RATINGS, shares @ linked.to_shared(RATINGS))
    assert np.isnan(linked.histograms_to_shared(np.full((1, len(RATINGS)), np.nan))).all()


def test_scores_of_a_broken_model_stay_broken() -> None:
    linked = ScaleMap.linking(WIDE, curved(opinions(50, 1)), opinions(50, 2))
    assert np.array_equal(linked.from_shared(np.array([np.nan, np.inf])), [np.nan, np.inf], equal_nan=True)


@pytest.mark.parametrize(
    "content",
    [
        {"shared": [1, 5], "scores": [1, 3, 5]},
        {"shared": [1, 3, 3, 5], "scores": [1, 2, 3, 5]},
        {"shared": [1, 3, 5], "scores": [1, 3, 6]},
        {"shared": [1, float("nan"), 5], "scores": [1, 3, 5]},
        {"shared": [], "scores": []},
    ],
)
def test_what_is_no_map_is_refused(content: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="a scale map"):
        ScaleMap.restore({"scale": [1, 7], **content})


@pytest.mark.parametrize(
    ("own", "found"),
    [(opinions(FEWEST - 1, 1), f"{FEWEST - 1} training photos"), (np.full(40, 3.0), "1 different scores")],
)
def test_too_few_scores_are_not_linked(own: Array, found: str) -> None:
    with pytest.raises(PrerequisiteError, match=f"b has .*{found}.*without it"):
        fitted(own, opinions(40, 2), 0)


# training sets


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", images=120) as opened:
        yield opened


def divide(store: Store, trait: str = TRAIT) -> None:
    """The second half of the photos becomes a data set of its own, whose raters used 0-100, sparing with high marks."""
    tables = ["images", "ratings", "scores", "splits", "predictions", "sub_scores", "image_attributes"]
    for table in tables:
        store.execute(
            f"UPDATE {table} SET image_id = replace(image_id, '{DATA_SET}/', '{OTHER}/') WHERE image_id >= '{DATA_SET}/006'"
        )
    store.execute(f"UPDATE images SET data_set = '{OTHER}' WHERE image_id LIKE '{OTHER}/%'")
    store.execute(f"INSERT INTO data_sets VALUES ('{OTHER}', 'made up')")
    store.execute("INSERT INTO traits VALUES ($name, $trait, 0, 100)", name=OTHER, trait=trait)
    own = f"WHERE image_id LIKE '{OTHER}/%'"
    store.execute(
        f"UPDATE scores SET score = 1 + 4 * ((score - 1) / 4) ** 2, histogram = NULL, trait = $t {own}", t=trait
    )
    store.execute(f"UPDATE scores SET mean = (score - 1) * 25 {own}")
    store.execute(f"DELETE FROM ratings {own}")
    store.execute(
        f"UPDATE splits SET protocol = 'second-2fold', trait = $t {own} AND protocol = $p", p=PROTOCOL, t=trait
    )


def test_one_data_set_is_trained_on_as_ever(store: Store) -> None:
    fold = Fold(store, PROTOCOL, 1, "tiny", ignore)
    scores = dict(store.frame("SELECT image_id, score FROM scores WHERE trait = $t", t=TRAIT).iter_rows())
    for batch in (fold.rows.train, fold.rows.test):
        assert batch.scores.tolist() == [scores[image_id] for image_id in batch.image_ids]
        assert fold.rows.maps.from_shared(batch.image_ids, batch.scores) is batch.scores
    assert fold.rows.maps.as_dict() == {}


def test_joined_protocols_are_one_with_shared_scores(store: Store) -> None:
    before = training_set(store, PROTOCOL, 1, "tiny")
    divide(store)
    joined = training_set(store, JOINED, 1, "tiny")
    parts = [training_set(store, protocol, 1, "tiny") for protocol in JOINED.split("+")]
    assert set(joined.train.image_ids) == set(parts[0].train.image_ids) | set(parts[1].train.image_ids)
    assert len(joined.train) == len(before.train)
    assert list(joined.maps.maps) == [DATA_SET, OTHER]
    assert joined.maps.maps[OTHER].scale == WIDE
    own = joined.maps.from_shared(joined.test.image_ids, joined.test.scores)
    stored = dict(store.frame("SELECT image_id, score FROM scores WHERE trait = $t", t=TRAIT).iter_rows())
    assert np.allclose(own, [stored[image_id] for image_id in joined.test.image_ids])
    of_second = np.array([image_id.startswith(OTHER) for image_id in joined.train.image_ids])
    assert joined.train.scores[~of_second].tolist() == parts[0].train.scores.tolist()
    assert abs(joined.train.scores[of_second].mean() - parts[0].train.scores.mean()) < 0.05
    assert parts[1].train.scores.mean() < parts[0].train.scores.mean() - 0.4


def test_the_data_set_that_is_named_first_is_the_reference(store: Store) -> None:
    divide(store)
    other_way = training_set(store, "+".join(reversed(JOINED.split("+"))), 1, "tiny")
    assert other_way.maps.reference == OTHER


def test_maps_are_fitted_on_training_rows_alone(store: Store) -> None:
    divide(store)
    before = training_set(store, JOINED, 1, "tiny").maps.as_dict()
    store.execute(
        "UPDATE scores SET score = 1.01 WHERE image_id IN (SELECT image_id FROM splits WHERE protocol = $p AND fold = 1 "
        "AND role = 'test')",
        p=JOINED,
    )
    assert training_set(store, JOINED, 1, "tiny").maps.as_dict() == before


def test_a_joined_protocol_follows_its_parts(store: Store) -> None:
    divide(store)
    before = len(training_set(store, JOINED, 1, "tiny").train)
    store.execute("DELETE FROM splits WHERE protocol = $p AND image_id = $i", p=PROTOCOL, i=f"{DATA_SET}/0001.png")
    assert len(training_set(store, JOINED, 1, "tiny").train) == before - 1


def test_a_joined_protocol_has_the_folds_that_every_part_has(store: Store) -> None:
    divide(store)
    store.execute("DELETE FROM splits WHERE protocol = 'second-2fold' AND fold = 2")
    training_set(store, JOINED, 1, "tiny")
    assert store.frame("SELECT DISTINCT fold FROM splits WHERE protocol = $p", p=JOINED).rows() == [(1,)]


def test_what_cannot_be_joined_is_refused(store: Store) -> None:
    other_trait = add_trait(store, "kind")
    with pytest.raises(UsageError, match=r"different traits .*kind.*--trait"):
        training_set(store, f"{PROTOCOL}+{other_trait}", 1, "tiny")
    with pytest.raises(UsageError, match="names a data set twice"):
        training_set(store, f"{PROTOCOL}+{PROTOCOL}", 1, "tiny")
    with pytest.raises(UsageError, match=f"no protocol '{PROTOCOL}\\+typo'"):
        training_set(store, f"{PROTOCOL}+typo", 1, "tiny")
    divide(store)
    store.execute(
        f"UPDATE images SET sha256 = (SELECT sha256 FROM images WHERE image_id = '{DATA_SET}/0000.png') "
        f"WHERE image_id = '{OTHER}/0061.png'"
    )
    with pytest.raises(LeakageError, match="same photo"):
        training_set(store, JOINED, 1, "tiny")


# from two tables to the scores of either, on drawn portraits


@dataclass(frozen=True)
class Pair:
    """Two data sets of drawn portraits in one store, on 1-7 and on 0-100, trained on together, and the bundle."""

    store: Path
    bundle: Path

    def __call__(self, *arguments: object) -> Answer:
        return kallos_ok(*arguments, "--store", self.store)


BOTH = "study-a-5fold+study-b-5fold"


@pytest.fixture(scope="module")
def pair(workspace, tmp_path_factory) -> Pair:
    """What docs/several-data-sets.md types, of raters of b who are sparing with high marks.

    Values of the photos are in the store already, by their bytes.
    """
    folder = tmp_path_factory.mktemp("several")
    trained = Pair(folder / "kallos.duckdb", folder / "bundle")
    shutil.copy(workspace.store, trained.store)
    shutil.copytree(workspace.store.with_suffix(".runs"), trained.store.with_suffix(".runs"))
    with (workspace.portraits / "parameters.csv").open() as file:
        drawn = [(row["image"], (float(row["true_score"]) - 1) / 4) for row in csv.DictReader(file)]
    tables = {"a": (drawn[0::2], lambda share: 1 + 6 * share), "b": (drawn[1::2], lambda share: 100 * share**2)}
    for name, (rows, answer) in tables.items():
        photos = folder / name
        photos.mkdir()
        for image, _ in rows:
            shutil.copy(workspace.portraits / "images" / image, photos)
        lines = [f"{image},{answer(min(max(share, 0.0), 1.0)):.3f}" for image, share in rows]
        (folder / f"{name}.csv").write_text("\n".join(["image,score", *lines]))
    shutil.copy(workspace.portrait, folder / "photo.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KALLOS_STORE", str(trained.store))
        for command in commands("docs/several-data-sets.md"):
            kallos_ok(
                *("demo" if word == "other" else word for word in command),
                *(["--fast"] if command[0] == "train" else []),
            )
    trained("export", trained.bundle, "--protocol", BOTH)
    return trained


def test_predictions_are_kept_as_scores_of_each_images_data_set(pair: Pair) -> None:
    with open_store(pair.store, read_only=True) as store:
        assert not [each.what for each in INVARIANTS if store.value(each.violations)]
        maps = store.frame("SELECT DISTINCT data_set, place, scale_low, scale_high FROM scale_maps ORDER BY place")
        assert maps.rows() == [("study-a", 1, 1, 7), ("study-b", 2, 0, 100)]
        means = store.frame(
            "SELECT data_set, avg(p.score) AS predicted, avg(s.score) AS given FROM runs JOIN predictions p USING (run_id) "
            "JOIN images USING (image_id) JOIN scores s USING (image_id, trait) "
            "WHERE model = 'ensemble' AND protocol = $p AND role = 'out_of_fold' GROUP BY data_set ORDER BY data_set",
            p=BOTH,
        )
    (_, *of_a), (_, *of_b) = means.rows()
    assert of_a[1] - of_b[1] > 0.5
    assert of_a[0] - of_b[0] == pytest.approx(of_a[1] - of_b[1], abs=0.2)


def predicted(pair: Pair, workspace, *options: object) -> dict:
    (prediction,) = pair("score", workspace.portrait, "--json", "--bundle", pair.bundle, *options).json()["predictions"]
    return prediction


def test_a_bundle_scores_on_the_scale_of_either(pair: Pair, workspace) -> None:
    plain, of_a, of_b = (
        predicted(pair, workspace, *options) for options in ((), ("--data-set", "study-a"), ("--data-set", "study-b"))
    )
    assert plain == of_a
    for prediction, name, scale in ((of_a, "study-a", [1, 7]), (of_b, "study-b", [0, 100])):
        assert (prediction["origin"]["scored_for"], prediction["origin"]["scale"]) == (name, scale)
    with open_store(pair.store, read_only=True) as store:
        shared, scores = store.frame("SELECT shared, scores FROM scale_maps WHERE place = 2 LIMIT 1").row(0)
    for figure in ("score", "low", "high"):
        assert of_b[figure] == pytest.approx(np.interp(of_a[figure], shared, scores))
    assert of_b["own_scale"]["score"] == pytest.approx(25 * (of_b["score"] - 1))
    panel = pair("score", workspace.portrait, "--bundle", pair.bundle, "--data-set", "study-b").out
    shown = " ".join(panel.replace("│", " ").split())
    assert "scored as the raters of study-b would" in shown
    assert "combined, and mapped to scores of study-b: the parts do not add up there" in shown
    refused = kallos("score", workspace.portrait, "--bundle", pair.bundle, "--data-set", "demo")
    assert (refused.code, "not trained on 'demo': choose a data set from study-a, study-b" in refused.err) == (2, True)


def test_the_same_in_python_and_from_the_store(pair: Pair, workspace) -> None:
    of_b = predicted(pair, workspace, "--data-set", "study-b")
    stored = package.score(workspace.portrait, store=pair.store, protocol=BOTH, fold=1, data_set="study-b")
    assert stored["score"].item() == pytest.approx(of_b["score"], abs=1e-4)
    with package.load_bundle(pair.bundle, "study-b") as predictor:
        assert predictor.predict(workspace.portrait).score == of_b["score"]
        with pytest.raises(UsageError, match="scale of study-a alone"):
            predictor.explain(workspace.portrait)


def test_a_bundle_with_a_broken_map_is_refused(pair: Pair, workspace, tmp_path: Path) -> None:
    shutil.copytree(pair.bundle, tmp_path / "bundle")
    manifest = tmp_path / "bundle" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["scale_maps"]["study-b"]["scores"].reverse()
    manifest.write_text(json.dumps(content))
    refused = kallos("score", workspace.portrait, "--bundle", tmp_path / "bundle")
    assert (refused.code != 0, "a scale map does not increase" in refused.err) == (True, True)


@pytest.mark.parametrize("name", ["overview", "training", "evaluation", "subscores", "compare"])
def test_reports_know_several_data_sets(pair: Pair, name: str) -> None:
    pair("report", name, "--protocol", BOTH) if name != "overview" else pair("report", name)


def test_explanations_and_evaluations_go_on(pair: Pair, workspace, monkeypatch) -> None:
    """A data set that was trained on is evaluated by its test photos, on its own scale."""
    assert "on 1-7" in pair("explain", workspace.portrait, "--bundle", pair.bundle).out
    monkeypatch.setattr("featurestore.external_evaluation.FEWEST", 5)
    report = pair("evaluate", "--data-set", "study-b", "--protocol", BOTH, "--fold", 1, "--json").json()
    assert report["in_training"] > report["evaluated"] == report["images"] - report["in_training"]
    with open_store(pair.store, read_only=True) as store:
        difference = store.value(
            "SELECT max(abs(t.score - o.score)) FROM predictions t JOIN predictions o USING (run_id, image_id) "
            "WHERE t.role = 'test' AND o.role = 'outside' AND starts_with(image_id, 'study-b/')"
        )
    assert difference < 1e-3
    with open_store(pair.store, read_only=True) as store:
        run = store.value("SELECT run_id FROM runs WHERE model = 'ridge' AND protocol = $p", p=BOTH)
    assert "holds" in pair("verify", run).out


def test_faces_alone_are_scored_for_the_data_set_of_each_photo(pair: Pair) -> None:
    pair("evaluate", "--face-alone", "--protocol", BOTH)
    with open_store(pair.store, read_only=True) as store, package.load_bundle(pair.bundle) as predictor:
        run_id, image_id, score = store.frame(
            "SELECT run_id, image_id, score FROM predictions JOIN runs USING (run_id) "
            "WHERE role = 'face_alone' AND model = 'ensemble' AND starts_with(image_id, 'study-b/') ORDER BY image_id"
        ).row(0)
        (face,) = aligned_faces(store, (image_id,))
        batch, _ = predictor.batch_of(image_id, replace(face, aligned=face_alone(face.aligned)))
        shared = predictor.scores(batch)[ENSEMBLE]
        own = scale_maps.of_run(store, run_id).from_shared((image_id,), shared)
    assert score == pytest.approx(own.item(), abs=1e-3)
    assert abs(own.item() - shared.item()) > 0.05


def test_cards_say_how_the_scales_were_linked(pair: Pair) -> None:
    card = (pair.bundle / "MODEL_CARD.md").read_text()
    assert "study-b, 0-100" in card
    assert "as attractive on the whole" in " ".join(card.split())


def test_several_protocols_say_that_they_can_be_joined(pair: Pair) -> None:
    refused = " ".join(kallos("train", "baseline", "--store", pair.store).err.split())
    assert "To train on several data sets at once, join theirs by +." in refused
