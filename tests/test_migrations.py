"""A store of an earlier schema is brought up to date when it is opened: nothing lost, a backup beside it, kills survived."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from featurestore import migrations, normalization
from featurestore.errors import PrerequisiteError, StoreError
from featurestore.opening import open_store
from featurestore.schema import SCHEMA_VERSION, TABLES, VIEWS
from featurestore.store import Store
from featurestore.transfer.exporting import export_store
from featurestore.transfer.importing import import_store
from reports.stats.selection import Selection, chosen_runs
from tests.catalogue import catalogue, content

SCHEMA_1, SCHEMA_3 = ((Path(__file__).parent / "stores" / f"schema_{version}.sql").read_text() for version in (1, 3))
ROOT = "/home/somebody/photos"
TWINS = ["old/0003.png", "old/0004.png"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A closed store of schema version 1."""
    path = tmp_path / "s.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCHEMA_1)
    return path


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory):
    """A store of schema version 1 that was brought up to date; nobody changes it."""
    yield from brought_up_to_date(SCHEMA_1, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def of_schema_3(tmp_path_factory: pytest.TempPathFactory):
    yield from brought_up_to_date(SCHEMA_3, tmp_path_factory.mktemp("three"))


def brought_up_to_date(schema: str, folder: Path) -> Iterator[Store]:
    with duckdb.connect(str(folder / "s.duckdb")) as connection:
        connection.execute(schema)
    with open_store(folder / "s.duckdb") as store:
        yield store


@pytest.fixture(scope="module")
def before():
    """The old store, to ask what it said."""
    with duckdb.connect() as connection:
        connection.execute(SCHEMA_1)
        yield connection


def same_rows(before: duckdb.DuckDBPyConnection, after: Store, query: str) -> None:
    assert_frame_equal(after.frame(f"{query} ORDER BY ALL"), before.sql(f"{query} ORDER BY ALL").pl(), check_exact=True)


def version_of(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT schema_version FROM store_info").fetchall()[0][0]


def test_the_schema_is_that_of_a_new_store(migrated, of_schema_3, tmp_path):
    names = [each.name for each in (*TABLES, *VIEWS)]
    with open_store(tmp_path / "new.duckdb") as new:
        for store in (migrated, of_schema_3):
            for found, expected in zip(catalogue(store), catalogue(new), strict=True):
                known = found.filter(pl.col(found.columns[0]).is_in(names))
                assert known.rows() == expected.rows()


def test_every_table_and_view_is_known_and_has_a_comment(migrated):
    known = {each.name for each in (*TABLES, *VIEWS)}
    versions = set(migrated.frame("SELECT table_name FROM extractor_versions")["table_name"])
    outputs = set(migrated.frame("SELECT output FROM extractor_versions")["output"])
    tables, _, views = catalogue(migrated)
    assert {*tables["table_name"], *views["view_name"]} == known | versions | outputs | {"normalized_features"}
    described = migrated.describe()
    assert described.filter(pl.col("comment").is_null() | pl.col("table_comment").is_null()).is_empty()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM landmarks",
        "SELECT image_id, jaw_width, chin_angle, mouth_width, skin_lightness, eye_contrast FROM geometric_features",
        "SELECT * FROM shapes",
        "SELECT image_id, encoder, vector::FLOAT[] AS vector FROM embeddings",
        "SELECT * FROM normalized_features",
        "SELECT normalization, feature, mean, sd FROM normalizations",
        "SELECT feature, region, unit, formula, points, source, extractor FROM feature_catalog",
        "SELECT image_id, extractor, version, status, milliseconds FROM extractions WHERE status <> 'missing'",
        "SELECT extractor, version, output, table_name, recipe, active FROM extractor_versions",
        "SELECT manifest_id, protocol, fold, sql, versions, row_count, row_hash FROM manifests",
        "SELECT data_set, licence FROM data_sets",
        "SELECT image_id, rater_id, rating, first_rating FROM ratings",
        "SELECT image_id, mean, sd, raters, histogram, score FROM scores",
        "SELECT image_id, protocol, fold, role FROM splits",
        "SELECT run_id, model, protocol, fold, status, weights, encoder, manifest_id, config, folder, started_at, seconds "
        "FROM runs",
        "SELECT created_at FROM store_info",
        "SELECT run_id, epoch, train_loss, mae, rmse, pearson, seconds FROM training_history",
        "SELECT run_id, image_id, role, score FROM predictions",
        "SELECT run_id, region, weight FROM sub_score_weights",
        *(
            f"SELECT * FROM {table}"
            for table in (
                "images",
                "published_landmarks",
                "drawn_parameters",
                "findings",
                "evaluations",
                "sub_scores",
            )
        ),
    ],
)
def test_people_see_what_they_saw_before(before, migrated, query):
    assert before.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0] > 0
    same_rows(before, migrated, query)


def test_two_names_of_one_photo_share_one_row(migrated):
    for table in migrated.frame("SELECT table_name FROM extractor_versions")["table_name"]:
        assert migrated.value(f'SELECT count(*) - count(DISTINCT sha256) FROM "{table}"') == 0
        assert migrated.value(f"SELECT count(*) FROM \"{table}\" WHERE sha256 = repeat('3c', 32)") == 1
    seen = migrated.frame("SELECT image_id, jaw_width FROM geometric_features ORDER BY image_id")
    assert seen.filter(pl.col("image_id").is_in(TWINS))["jaw_width"].to_list() == [0.75, 0.75]
    twice = "SELECT count(*) FROM (SELECT 1 FROM attempts GROUP BY sha256, extractor, version HAVING count(*) > 1)"
    assert migrated.value(twice) == 0


def test_an_earlier_version_keeps_its_values_and_is_not_shown(migrated):
    rows = migrated.frame("SELECT sha256, features[1] FROM geometry__2222222222bb ORDER BY sha256").rows()
    assert rows == [("1a" * 32, 0.5), ("3c" * 32, 0.875)]
    active = migrated.frame("SELECT version FROM extractor_versions WHERE activated_at IS NOT NULL ORDER BY ALL")
    assert "2222222222bb" not in active["version"].to_list()
    assert len(active) == 5


def test_the_folder_of_the_photos_stands_in_locations_only(migrated):
    held = content(migrated)
    assert held.pop("locations") == {"data_set": ["old"], "root": [ROOT], "files": ([None], [])}
    assert ROOT not in str(held)
    assert migrated.value("SELECT detail FROM attempts WHERE status = 'no_face'") == "No face was found in the photo."


def test_statistics_and_manifests_still_normalise(migrated):
    fitted = normalization.read(migrated, "aaaaaaaaaa01")
    assert fitted.name == "old-2fold/1"
    assert fitted.features[0] == "jaw_width"
    assert fitted.features[-1] == "averageness"
    assert fitted.regions == ("jawline", "jawline", "lips", "skin", "eyes", "symmetry")
    assert fitted.mean.tolist() == [0.5, 95, 0.375, 60, 0.25, 0.25]
    assert fitted.sd.tolist() == [0.25, 5, 0.125, 10, 0.5, 0.125]
    assert fitted.mean_shape.tolist() == [0.5] * 936
    pinned = migrated.frame("SELECT manifest_id, statistics_id, value_hash FROM manifests ORDER BY ALL").rows()
    assert pinned == [(name, name, None) for name in ("aaaaaaaaaa01", "aaaaaaaaaa02")]


def test_a_store_of_schema_3_names_its_traits(of_schema_3):
    scales = of_schema_3.frame("SELECT * FROM traits ORDER BY data_set").rows()
    assert scales == [("mine", "score", 1, 7), ("scut", "attractiveness", 1, 5), ("yours", "score", 1, 5)]
    for table, rows in (("ratings", 12), ("scores", 4)):
        named = of_schema_3.frame(
            f"SELECT split_part(image_id, '/', 1), trait, count(*) FROM {table} GROUP BY ALL ORDER BY ALL"
        )
        assert named.rows() == [("mine", "score", rows), ("scut", "attractiveness", rows), ("yours", "score", rows)]
    assert of_schema_3.value("SELECT count(*) FROM ratings WHERE session IS NULL AND first_rating = 3") == 12


def test_a_protocol_over_several_traits_becomes_one_for_each(of_schema_3):
    protocols = of_schema_3.frame("SELECT protocol, trait, count(*) FROM splits GROUP BY ALL ORDER BY ALL").rows()
    assert protocols == [
        ("identity-disjoint-attractiveness", "attractiveness", 8),
        ("identity-disjoint-score", "score", 8),
        ("mine-5fold", "score", 8),
        ("of-scores", "score", 16),
        ("scut-5fold", "attractiveness", 8),
        ("yours-5fold", "score", 8),
    ]


def test_runs_know_what_they_learnt_and_those_of_several_traits_count_no_more(of_schema_3):
    runs = of_schema_3.frame("SELECT run_id, trait, scale_low, scale_high, status FROM runs ORDER BY run_id").rows()
    assert runs == [
        ("identity-disjoint-1-ridge", None, None, None, "pooled"),
        ("mine-5fold-1-ridge", "score", 1, 7, "done"),
        ("of-scores-1-ridge", "score", None, None, "done"),
        ("scut-5fold-1-a", None, None, None, "running"),
        ("scut-5fold-1-ridge", "attractiveness", 1, 5, "done"),
        ("yours-5fold-1-ridge", "score", 1, 5, "done"),
    ]
    with pytest.raises(PrerequisiteError, match=r"identity-disjoint-1-ridge.* of several traits at once"):
        chosen_runs(of_schema_3, Selection(runs=("identity-disjoint-1-ridge",)))


def test_the_change_is_recorded_once(old):
    for _ in range(2):
        with open_store(old) as store:
            applied = store.frame("SELECT schema_version, change, applied_at FROM migrations")
            assert applied["schema_version"].to_list() == list(range(2, SCHEMA_VERSION + 1))
            assert applied["change"].to_list() == [change for change, _ in migrations.STEPS]
            assert applied["applied_at"].null_count() == 0
            assert store.value("SELECT schema_version FROM store_info") == SCHEMA_VERSION


def test_a_backup_of_the_old_store_lies_beside_it(before, old):
    open_store(old).close()
    assert migrations.backups(old) == [old.with_name("s.schema-1.duckdb")]
    (backup,) = migrations.backups(old)
    assert version_of(backup) == 1
    with duckdb.connect(str(backup), read_only=True) as connection:
        features = connection.sql("FROM normalized_features ORDER BY ALL").pl()
        assert features.equals(before.sql("FROM normalized_features ORDER BY ALL").pl(), null_equal=True)
    assert sorted(p.name for p in old.parent.iterdir()) == ["s.duckdb", "s.schema-1.duckdb"]


def test_an_error_inside_a_step_leaves_the_old_store_and_the_next_opening_completes(before, old, monkeypatch):
    (change, step), *_ = migrations.STEPS

    def broken(store: Store) -> None:
        step(store)
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", [(change, broken)])
        with pytest.raises(RuntimeError, match="full"):
            open_store(old)
    assert version_of(old) == 1
    with duckdb.connect(str(old), read_only=True) as connection:
        for table in ("extractions", "geometry__2222222222aa", "normalized_features"):
            rows = [c.sql(f"FROM {table} ORDER BY ALL").pl() for c in (connection, before)]
            assert_frame_equal(*rows)
    with open_store(old) as store:
        same_rows(before, store, "SELECT * FROM normalized_features")


STATEMENTS = """if True:
    import os, signal, sys
    from pathlib import Path
    from featurestore.opening import open_store
    from featurestore.store import Store
    done, last = 0, int(sys.argv[2])
    execute = Store.execute
    def counted(self, statement, **parameters):
        global done
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
        execute(self, statement, **parameters)
    Store.execute = counted
    open_store(Path(sys.argv[1])).close()
    print(done)"""


def statements_until_killed(path: Path, last: int) -> subprocess.CompletedProcess[str]:
    """Open a store in another process, which is killed before its statement number `last`; 0 lets it complete."""
    command = [sys.executable, "-c", STATEMENTS, str(path), str(last)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def everything(path: Path) -> list[object]:
    """Catalogue and content, without the moment of the migration."""
    with open_store(path) as store:
        held = content(store)
        del held["migrations"]["applied_at"], held["extractor_versions"]["activated_at"]
        return [*(frame.rows() for frame in catalogue(store)), held]


@pytest.mark.parametrize("between", [4, pytest.param(12, marks=pytest.mark.long)])
def test_killed_at_any_statement_the_next_opening_completes(old, tmp_path, between):
    whole = tmp_path / "whole.duckdb"
    whole.write_bytes(old.read_bytes())
    total = int(statements_until_killed(whole, 0).stdout)
    expected = everything(whole)
    for last in sorted({1, 2, *range(3, total, total // between), total - 1, total}):
        path = tmp_path / f"killed{last}.duckdb"
        path.write_bytes(old.read_bytes())
        assert statements_until_killed(path, last).returncode == -signal.SIGKILL
        assert 1 <= version_of(path) <= SCHEMA_VERSION
        assert everything(path) == expected, f"killed at statement {last} of {total}"


def test_a_reader_is_told_how_to_bring_it_up_to_date(old):
    content = old.read_bytes()
    with pytest.raises(StoreError, match=r"schema version 1.*kallos compact"):
        open_store(old, read_only=True)
    assert old.read_bytes() == content
    assert not migrations.backups(old)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_a_newer_kallos_is_refused_and_kept(old, read_only):
    with duckdb.connect(str(old)) as connection:
        connection.execute("UPDATE store_info SET schema_version = $version", {"version": SCHEMA_VERSION + 1})
    content = old.read_bytes()
    with pytest.raises(StoreError, match="newer kallos"):
        open_store(old, read_only=read_only)
    assert old.read_bytes() == content


def test_a_migrated_store_is_exported_and_imported_like_any_other(migrated, tmp_path):
    export_store(migrated, tmp_path / "export")
    assert import_store(tmp_path / "export", tmp_path / "new.duckdb").views == ()
    with open_store(tmp_path / "new.duckdb", read_only=True) as new:
        assert content(new) == content(migrated)
