"""Every check of the store: silent on sound data, loud on each fault that is planted for it."""

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from featurestore.checks.drift import chance_limit, ks_statistics
from featurestore.checks.embeddings import dead_share, effective_rank, mean_cosine
from featurestore.checks.registry import CHECKS, Verdict, run
from featurestore.opening import open_store
from featurestore.store import Store
from reports.pages import checks
from reports.stats.selection import Selection
from tests.command import kallos, kallos_ok
from tests.synthetic_store import DATA_SET, add_trait, content, make_store

NUMBER = "substr(image_id, 9, 4)::INT"
"""The number of a made-up image, from 0."""


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every image was extracted and every feature has a range that holds it."""
    path = tmp_path_factory.mktemp("checks") / "sound.duckdb"
    with make_store(path) as store:
        faceless = store.frame("SELECT image_id FROM images ANTI JOIN landmarks USING (image_id)")["image_id"].to_list()
        for table in ("images", "image_attributes", "scores", "ratings", "splits"):
            store.execute(f"DELETE FROM {table} WHERE list_contains($ids, image_id)", ids=faceless)
        store.execute("UPDATE feature_definitions SET low = 0, high = 4")
    return path


@pytest.fixture
def store(sound_file: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(sound_file, tmp_path / "s.duckdb")
    with open_store(tmp_path / "s.duckdb") as opened:
        yield opened


def verdict(store: Store, check: str, data_set: str = DATA_SET) -> Verdict:
    with pytest.MonkeyPatch.context() as patch:
        # the others take the store as it is, too, and half a second
        patch.setattr("featurestore.checks.registry.CHECKS", {check: CHECKS[check]})
        (found,) = run(store, data_set)
    return found


# faults

Plant = Callable[[Store], None]


def view(name: str, query: str) -> Plant:
    """Put a query on the sound view in its place."""

    def plant(store: Store) -> None:
        store.execute(f"ALTER VIEW {name} RENAME TO sound")
        store.execute(f"CREATE VIEW {name} AS {query}")

    return plant


def feature(value: str, every: int = 1) -> Plant:
    """Give every so-manieth image another jaw_width."""
    case = f"CASE WHEN {NUMBER} % {every} = 0 THEN {value} ELSE jaw_width END"
    return view("geometric_features", f"SELECT * REPLACE ({case} AS jaw_width) FROM sound")


def vectors(value: str, images: str = "true") -> Plant:
    """Give some images another embedding."""
    return view(
        "embeddings",
        f"SELECT * REPLACE (CASE WHEN {images} THEN {value} ELSE vector::FLOAT[] END AS vector) FROM sound",
    )


def statements(*texts: str) -> Plant:
    def plant(store: Store) -> None:
        for text in texts:
            store.execute(text)

    return plant


def another_trait(*texts: str) -> Plant:
    def plant(store: Store) -> None:
        add_trait(store, "trustworthy")
        statements(*texts)(store)

    return plant


def second_data_set(shift: float = 0, sign: int = 1) -> Plant:
    """A copy of all images as another data set, with jaw_width shifted and embeddings multiplied by a sign."""
    renamed = "replace(image_id, 'made-up', 'other') AS image_id"

    def plant(store: Store) -> None:
        store.execute("INSERT INTO data_sets SELECT * REPLACE ('other' AS data_set) FROM data_sets")
        other = f"{renamed}, 'other' AS data_set, 'other' || sha256 AS sha256"
        store.execute(f"INSERT INTO images SELECT * REPLACE ({other}) FROM images")
        moved = {
            "geometric_features": f"jaw_width + {shift} AS jaw_width",
            "embeddings": f"list_transform(vector, lambda v: {sign} * v) AS vector",
        }
        for name, change in moved.items():
            store.execute(f"ALTER VIEW {name} RENAME TO sound_{name}")
            copy = f"SELECT * REPLACE ({renamed}, {change}) FROM sound_{name}"
            store.execute(f"CREATE VIEW {name} AS FROM sound_{name} UNION ALL {copy}")

    return plant


@dataclass(frozen=True)
class Fault:
    """A fault, the check that must find it, how it must judge, and whom it must name."""

    check: str
    outcome: str
    subject: str
    plant: Plant


FIRST = f"{DATA_SET}/0000.png"
STRETCHED = "list_transform(vector, lambda v, i: if(i = 1, {} * v, v))"
FAULTS = {
    "one image without a face": Fault(
        "coverage",
        "warn",
        "landmarks",
        lambda store: (
            view("landmarks", f"FROM sound WHERE image_id <> '{FIRST}'")(store),
            store.execute(f"UPDATE attempts SET status = 'no_face' WHERE sha256 = '{content(FIRST)}'"),
        ),
    ),
    "a tenth without embedding": Fault(
        "coverage", "fail", "embeddings of tiny", view("embeddings", f"FROM sound WHERE {NUMBER} % 10 > 0")
    ),
    "a tenth is NULL": Fault("missing_values", "warn", "jaw_width", feature("NULL", 10)),
    "a tenth is NaN": Fault("missing_values", "warn", "jaw_width", feature("'nan'", 10)),
    "all is NaN": Fault("missing_values", "fail", "jaw_width", feature("'nan'")),
    "one infinite value": Fault("infinite_values", "fail", "jaw_width", feature("'-inf'", 1000)),
    "one value for all": Fault("constant_features", "fail", "jaw_width", feature("0.1")),
    "one value for all who have one": Fault(
        "constant_features", "fail", "jaw_width", feature("CASE WHEN image_id < 'made-up/003' THEN 0.1 END")
    ),
    "one value far out": Fault("exploding_features", "fail", "jaw_width", feature("-50", 1000)),
    "one huge value among equal ones": Fault(
        "exploding_features", "fail", "jaw_width", feature(f"if({NUMBER} = 7, 1e7, 1)")
    ),
    "a tenth outside the range": Fault("declared_ranges", "warn", "jaw_width", feature("5", 10)),
    "half below the range": Fault("declared_ranges", "fail", "jaw_width", feature("-1", 2)),
    "one face beside its photo": Fault(
        "landmarks_outside",
        "warn",
        "landmarks",
        view(
            "landmarks", f"SELECT * REPLACE (if({NUMBER} = 7, list_transform(x, lambda v: v - 80), x) AS x) FROM sound"
        ),
    ),
    "other units than pixels": Fault(
        "landmarks_outside",
        "fail",
        "landmarks",
        view("landmarks", "SELECT * REPLACE (list_transform(y, lambda v: 100 * v) AS y) FROM sound"),
    ),
    "a zero vector": Fault(
        "broken_embeddings", "fail", "tiny", vectors("list_transform(vector, lambda v: 0)", f"{NUMBER} = 7")
    ),
    "a NaN in a vector": Fault(
        "broken_embeddings", "fail", "tiny", vectors(STRETCHED.format("'nan'::FLOAT"), f"{NUMBER} = 7")
    ),
    "an infinite vector": Fault(
        "broken_embeddings", "fail", "tiny", vectors(STRETCHED.format("'inf'::FLOAT"), f"{NUMBER} = 7")
    ),
    "two photos with one vector": Fault(
        "repeated_embeddings", "warn", "tiny", vectors("repeat([1], 8)", f"{NUMBER} < 2")
    ),
    "ten photos with one vector": Fault(
        "repeated_embeddings", "fail", "tiny", vectors("repeat([1], 8)", f"{NUMBER} < 10")
    ),
    "all point the same way": Fault(
        "collapsed_embeddings", "fail", "tiny", vectors("list_transform(vector, lambda v: v + 1000)")
    ),
    "a hundred dead dimensions": Fault("collapsed_embeddings", "fail", "tiny", vectors("vector || repeat([2.5], 100)")),
    "hardly more than one direction": Fault("collapsed_embeddings", "warn", "tiny", vectors(STRETCHED.format(6))),
    "one direction": Fault("collapsed_embeddings", "fail", "tiny", vectors(STRETCHED.format(1000))),
    "a score of 7": Fault(
        "scores_off_scale", "fail", "scores", statements(f"UPDATE scores SET score = 7 WHERE image_id = '{FIRST}'")
    ),
    "a score that is no number": Fault(
        "scores_off_scale", "fail", "scores", statements(f"UPDATE scores SET score = 'nan' WHERE image_id = '{FIRST}'")
    ),
    "an image without score": Fault(
        "unscored_images", "warn", "scores", statements(f"DELETE FROM scores WHERE image_id = '{FIRST}'")
    ),
    "two raters": Fault(
        "few_raters", "warn", "scores", statements(f"UPDATE scores SET raters = 2 WHERE image_id = '{FIRST}'")
    ),
    "two raters on another trait": Fault(
        "few_raters",
        "warn",
        "scores on trustworthy",
        another_trait("UPDATE scores SET raters = 2 WHERE trait = 'trustworthy' AND mean > 5"),
    ),
    "a photo under two names": Fault(
        "duplicate_photos", "warn", FIRST, statements(f"UPDATE images SET sha256 = 'same' WHERE {NUMBER} < 2")
    ),
    "a photo in train and test": Fault(
        "split_overlap", "fail", "made-up-2fold/1", statements(f"UPDATE images SET sha256 = 'same' WHERE {NUMBER} < 2")
    ),
    "a fold with a lost photo": Fault(
        "stale_references",
        "fail",
        "splits",
        statements(
            f"DELETE FROM images WHERE image_id = '{FIRST}'",
            f"DELETE FROM scores WHERE image_id = '{FIRST}'",
            f"DELETE FROM ratings WHERE image_id = '{FIRST}'",
            f"DELETE FROM image_attributes WHERE image_id = '{FIRST}'",
        ),
    ),
    "a prediction of a lost photo": Fault(
        "stale_references",
        "warn",
        "predictions",
        statements(
            "INSERT INTO predictions (run_id, image_id, role, score) VALUES ('r', 'made-up/gone.png', 'test', 3)"
        ),
    ),
    "scores of a lost data set": Fault(
        "stale_references",
        "fail",
        "scores",
        statements("INSERT INTO scores (image_id, score) VALUES ('lost/1.png', 3)"),
    ),
    "a subset measured in other units": Fault("subset_drift", "warn", "jaw_width of AF", feature("10 * jaw_width", 4)),
    "a data set with wider jaws": Fault("data_set_drift", "warn", "jaw_width", second_data_set(shift=0.5)),
    "a data set in another direction": Fault("embedding_drift", "warn", "tiny", second_data_set(sign=-1)),
}


def test_every_check_has_a_planted_fault():
    assert {fault.check for fault in FAULTS.values()} == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_says_in_one_line_what_holds(name: str):
    about = CHECKS[name].__doc__
    assert about
    assert about.endswith(".")
    assert "\n" not in about


def test_a_sound_store_passes_every_check(store: Store):
    outcomes = {v.check: v.outcome for v in run(store, DATA_SET)}
    alone = {"data_set_drift": "not run", "embedding_drift": "not run"}
    assert outcomes == dict.fromkeys(CHECKS, "ok") | alone


def test_a_second_data_set_of_the_same_faces_passes_too(store: Store):
    second_data_set()(store)
    for check in ("data_set_drift", "embedding_drift"):
        assert verdict(store, check).outcome == "ok"


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(store: Store, name: str):
    fault = FAULTS[name]
    fault.plant(store)
    found = verdict(store, fault.check)
    assert found.outcome == fault.outcome
    gravest = found.findings[0]
    assert (gravest.severity, gravest.subject) == (fault.outcome, fault.subject)
    assert gravest.images >= 1
    assert gravest.remedy
    assert np.isfinite([gravest.value, gravest.limit]).all()


def test_a_fault_is_told_of_the_data_set_that_has_it(store: Store):
    second_data_set(shift=50)(store)
    assert verdict(store, "declared_ranges").outcome == "ok"
    assert verdict(store, "declared_ranges", "other").outcome == "fail"


def test_a_photo_that_is_stored_lying_down_is_not_outside(store: Store):
    store.execute("UPDATE images SET width = 60, height = 140")
    tall = "list_transform(x, lambda v: 1.4 * v) AS x, list_transform(y, lambda v: 0.6 * v) AS y"
    view("landmarks", f"SELECT * REPLACE ({tall}) FROM sound")(store)
    assert store.value("SELECT max(list_max(x)) FROM landmarks") > 60 * 1.05
    assert verdict(store, "landmarks_outside").outcome == "ok"


def test_few_images_are_not_judged_by_their_distribution(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 12, trained=False) as store:
        found = {v.check: v for v in run(store, DATA_SET)}
    assert found["constant_features"].outcome == "not run"
    assert found["constant_features"].reason == "11 images have geometric_features, 20 are needed"
    assert found["infinite_values"].outcome == "ok"


def test_before_extract_coverage_fails_and_names_the_command(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 12, extracted=False, trained=False) as store:
        found = {v.check: v for v in run(store, DATA_SET)}
    assert [(f.severity, f.subject, f.value) for f in found["coverage"].findings] == [
        ("fail", output, 0) for output in ("landmarks", "geometric_features", "shapes", "embeddings")
    ]
    assert "kallos extract" in found["coverage"].findings[0].remedy
    assert "kallos extract" in found["exploding_features"].reason
    assert found["scores_off_scale"].outcome == "ok"


# the statistics

SAMPLES = arrays(np.float64, st.tuples(st.integers(2, 30), st.just(1)), elements=st.integers(-3, 3) | st.just(np.nan))


@given(SAMPLES, SAMPLES)
def test_the_distance_is_the_largest_between_the_cumulative_distributions(ours, others):
    a, b = (side[np.isfinite(side)] for side in (ours, others))
    expected = max(abs(np.mean(a <= v) - np.mean(b <= v)) for v in (*a, *b)) if len(a) and len(b) else 0
    inside = np.arange(len(ours) + len(others)) < len(ours)
    (distance,) = ks_statistics(np.concatenate([ours, others]), inside)
    assert distance == pytest.approx(expected)


def test_chance_alone_hardly_ever_passes_its_limit():
    random = np.random.default_rng(0)
    inside = np.arange(300) < 80
    limit = chance_limit(inside, comparisons=50)
    alarms = [(ks_statistics(random.normal(size=(300, 50)), inside) > limit).any() for _ in range(200)]
    assert np.mean(alarms) <= 0.02
    assert (ks_statistics(random.normal(size=(300, 1)) + inside[:, None], inside) > limit).all()


def test_the_spread_of_embeddings():
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(60, 5)) * (3, 2, 1, 1, 0)).astype(np.float32) + np.float32(1)
    variances = np.linalg.eigvalsh(np.cov(vectors.T.astype(np.float64)))
    assert effective_rank(vectors) == pytest.approx(variances.sum() ** 2 / (variances**2).sum(), rel=1e-4)
    assert effective_rank(vectors[:4]) < 3.001
    assert effective_rank(np.ones((60, 5), np.float32)) == 0
    assert dead_share(vectors) == pytest.approx(1 / 5)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    assert mean_cosine(vectors) == pytest.approx((cosines.sum() - 60) / (60 * 59), rel=1e-4)


# the report and the command


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_report_fits_the_terminal_and_says_what_to_do(store: Store, width: int):
    FAULTS["a photo in train and test"].plant(store)
    FAULTS["a data set with wider jaws"].plant(store)
    console = Console(file=io.StringIO(), width=width)
    console.print(checks.render(checks.data(store, Selection())))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "Checks of made-up" in text
    assert "Checks of other" in text
    assert "✗ split overlap" in text
    assert "! duplicate photos" in text
    assert "✓ infinite values" in text
    assert "train again" in " ".join(text.split())


def test_the_drawn_portraits_pass(workspace):
    report = kallos_ok("check", "--json", "--store", workspace.store).json()
    assert report["schema"] == "kallos.report.checks/1"
    assert report["failed"] == []
    (data_set,) = report["data_sets"]
    assert [v["check"] for v in data_set["verdicts"]] == list(CHECKS)


def test_what_fails_is_exit_code_11_in_the_terminal_and_as_json(store: Store):
    FAULTS["a score of 7"].plant(store)
    store.connection.close()
    for form in ((), ("--json",)):
        answer = kallos("check", *form, "--store", store.path)
        assert answer.code == 11
        assert "scores_off_scale failed" in answer.err
        assert "made-up" in answer.out
    finding = next(v for v in answer.json()["data_sets"][0]["verdicts"] if v["outcome"] == "fail")["findings"][0]
    assert finding["detail"] == f"{FIRST} has 7.0"


def test_warnings_are_exit_code_0(store: Store):
    FAULTS["two raters"].plant(store)
    store.connection.close()
    assert kallos_ok("check", "--json", "--store", store.path).json()["warned"] == ["few_raters"]


def test_an_unknown_data_set_and_an_empty_store(store: Store, tmp_path: Path):
    store.connection.close()
    assert kallos("check", "--data-set", "nobody", "--store", store.path).code == 2
    open_store(tmp_path / "empty.duckdb").connection.close()
    assert kallos("check", "--store", tmp_path / "empty.duckdb").code == 7


@pytest.mark.parametrize(("outcome", "shown"), [("not run", ["–", "–"]), ("ok", ["0", "0"])])
def test_a_check_that_was_not_run_found_nothing_that_can_be_counted(outcome, shown):
    verdict = Verdict("drift", "holds", outcome, (), "why")
    console = Console(file=io.StringIO(), width=100)
    console.print(checks.render(checks.CheckReport((), (), (checks.CheckedDataSet("x", 3, (verdict,)),))))
    (line,) = (line for line in console.file.getvalue().splitlines() if "drift" in line)
    assert line.split("drift")[1].split()[:2] == shown
