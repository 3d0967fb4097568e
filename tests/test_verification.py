"""`kallos verify`: a run whose training set is what it was holds; whatever was changed shows, under its own name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from featurestore.errors import PrerequisiteError
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.verification import verify
from tests.command import kallos, kallos_ok
from tests.synthetic_store import PROTOCOL, add_trait, content, make_store

RUN = f"{PROTOCOL}-1-b-00000003"
TRAINED_ON = "made-up/0001.png"
TESTED_ON = "made-up/0000.png"


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.duckdb"
    make_store(path).close()
    return path


@pytest.fixture
def store(sound, tmp_path):
    shutil.copy(sound, tmp_path / "s.duckdb")
    with open_store(tmp_path / "s.duckdb") as opened:
        yield opened


def broken(store: Store) -> set[str]:
    return {each.what for each in verify(store, RUN).compared if not each.holds}


def table_of(store: Store, extractor: str) -> str:
    return str(store.value("SELECT table_name FROM extractor_versions WHERE extractor = $e", e=extractor))


def test_an_untouched_run_holds(store):
    report = verify(store, RUN)
    assert report.holds
    assert {each.what for each in report.compared} >= {"manifest", "row count", "rows of the statistics"}


ROWS, VALUES = "rows: ids, photos, scores", "values: features, shapes, embeddings"
STATISTICS, OTHER_ROWS = "statistics: means, sds, mean shape", "statistics fitted on other rows"
NORMALISED = "normalised features that the raw ones do not give"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (f"UPDATE scores SET score = score + .1 WHERE image_id = '{TRAINED_ON}'", {ROWS}),
        (
            f"DELETE FROM splits WHERE image_id = '{TRAINED_ON}'",
            {"row count", ROWS, VALUES, "rows of the statistics", STATISTICS},
        ),
        ("UPDATE statistics SET mean = [7.0] || mean[2:]", {STATISTICS, NORMALISED}),
        ("UPDATE normalized_values SET z_scores = z_scores[2:] || [0.0]", {NORMALISED}),
        ("UPDATE normalized_values SET z_scores = z_scores[2:]", {NORMALISED}),
        ("DELETE FROM normalized_values", {"photos without normalised features"}),
        ("UPDATE statistics SET row_hash = 'x'", {"rows of the statistics"}),
        (
            "UPDATE statistics SET sql = replace(sql, '''train''', '''test''')",
            {STATISTICS, "rows of the statistics", OTHER_ROWS},
        ),
        ("UPDATE manifests SET sql = sql || ' LIMIT 30'", {"manifest", "row count", ROWS, VALUES, OTHER_ROWS}),
        ("UPDATE extractor_versions SET recipe = '{}' WHERE extractor = 'skin'", {"version of skin"}),
        (f"UPDATE scores SET score = 1 WHERE image_id = '{TESTED_ON}'", set()),
    ],
)
def test_what_was_changed_shows(store, change, shown):
    store.execute(change)
    assert broken(store) == shown


def test_a_changed_value_shows(store):
    store.execute(
        f"""UPDATE "{table_of(store, "geometry")}" SET features = list_concat([9.0], features[2:])::DOUBLE[7] WHERE sha256 = '{content(TRAINED_ON)}'"""
    )
    assert broken(store) == {VALUES, STATISTICS, NORMALISED}


def test_a_photo_in_both_roles_shows(store):
    split = f"SELECT * REPLACE ('test' AS role) FROM splits WHERE image_id = '{TRAINED_ON}' AND fold = 1"
    store.execute(f"INSERT INTO splits {split}")
    assert broken(store) == {"training rows among test rows"}


def test_versions_that_were_dropped_show(store):
    store.execute(f'DROP TABLE "{table_of(store, "geometry")}" CASCADE')
    store.execute("DELETE FROM extractor_versions WHERE extractor = 'geometry'")
    assert broken(store) == {"version of geometry", "rows"}


def test_a_run_of_an_earlier_kallos_is_not_called_sound(store):
    store.execute("UPDATE manifests SET value_hash = NULL")
    assert broken(store) == {"manifest"}


def test_another_trait_of_the_same_photos_changes_nothing_of_a_run(store):
    add_trait(store, "trustworthy")
    assert verify(store, RUN).holds


def test_a_query_from_before_traits_still_gives_its_rows(store):
    sql = "replace(sql, 'USING (image_id, trait)', 'USING (image_id)')"
    store.execute(f"UPDATE manifests SET sql = {sql}")
    add_trait(store, "trustworthy")
    assert broken(store) == {"manifest"}, "the text was changed, the rows are the same"


def test_an_unknown_run(store):
    with pytest.raises(PrerequisiteError, match="kallos report training"):
        verify(store, "nobody")


def test_every_run_of_the_workspace_holds_and_the_command_says_so(workspace, tmp_path):
    copy = tmp_path / "s.duckdb"
    shutil.copy(workspace.store, copy)
    for row in kallos_ok("sql", "SELECT run_id, model FROM runs", "--json", "--store", copy).json():
        answer = kallos_ok("verify", row["run_id"], "--store", copy)
        assert "holds" in answer.out
        assert "✗" not in answer.out
    with open_store(copy) as store:
        store.execute(
            "UPDATE scores SET score = 5 WHERE image_id IN (SELECT image_id FROM splits WHERE role = 'train')"
        )
    answer = kallos("verify", row["run_id"], "--store", copy)
    assert (answer.code, "✗" in answer.out) == (11, True)
    assert "cannot be reproduced" in answer.err
