"""Export and import: what comes back is equal to the last bit, and a folder from elsewhere can do no harm."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from extractors.errors import InputError
from extractors.outputs import Field, Output
from featurestore import outputs, versions
from featurestore.errors import ExportError, StoreError
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.transfer import importing
from featurestore.transfer.exporting import export_store
from featurestore.transfer.folder import parquet, seal
from featurestore.transfer.importing import import_store
from tests.catalogue import catalogue, content
from tests.command import kallos, kallos_ok
from tests.crossed import crossed
from tests.synthetic_store import PROTOCOL, make_store


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A closed store with rows in every table and an encoder; tests must not change it."""
    path = tmp_path_factory.mktemp("source") / "s.duckdb"
    with make_store(path, images=48) as store:
        version = outputs.active_versions(store)["embedding:tiny"]
        store.append("near_duplicates", pl.DataFrame({"image_id": ["a"], "other_id": ["b"], "hamming": [3]}))
    encoder = store.runs_folder / "encoders" / version
    encoder.mkdir(parents=True)
    (encoder / "model.json").write_text("{}")
    return path


@pytest.fixture(scope="module")
def exported(source, tmp_path_factory) -> Path:
    """Its export; tests must not change it."""
    folder = tmp_path_factory.mktemp("exported") / "export"
    export(source, folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    """An export to be altered."""
    return Path(shutil.copytree(exported, tmp_path / "export"))


def export(path: Path, folder: Path) -> None:
    with open_store(path, read_only=True) as store:
        export_store(store, folder)


def assert_equal_stores(one: Path, other: Path) -> None:
    with open_store(one, read_only=True) as a, open_store(other, read_only=True) as b:
        for expected, found in zip(catalogue(a), catalogue(b), strict=True):
            assert expected.rows() == found.rows()
        assert content(a) == content(b)


@pytest.mark.parametrize("name", ["export", "a=1", "we[i]rd *? 'x'"])
def test_a_store_comes_back_equal_to_the_last_bit(source, tmp_path, name):
    export(source, tmp_path / name / "export")
    imported = import_store(tmp_path / name / "export", tmp_path / "new.duckdb")
    assert imported.views == ()
    assert_equal_stores(source, tmp_path / "new.duckdb")


def test_the_trained_store_comes_back_and_predicts_the_same(workspace, tmp_path):
    kallos_ok("store", "export", tmp_path / "export", "--store", workspace.store)
    new = tmp_path / "new.duckdb"
    answer = kallos_ok("store", "import", tmp_path / "export", "--store", new, "--json").json()
    with open_store(workspace.store, read_only=True) as store:
        tables, rows = len(content(store)), sum(len(store.frame(f'FROM "{table}"')) for table in content(store))
        folders = [*store.frame("SELECT folder FROM runs WHERE status = 'done'")["folder"], "encoders"]
    assert (answer["tables"], answer["rows"], answer["views"]) == (tables, rows, [])
    assert_equal_stores(workspace.store, new)
    for folder in folders:
        assert files(store.runs_folder / folder) == files(new.with_suffix(".runs") / folder)
    predictions = [
        kallos_ok("score", workspace.portrait, "--store", s, "--json").json() for s in (workspace.store, new)
    ]
    assert predictions[0] == predictions[1]


def files(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found
    return found


def test_the_imported_store_gives_the_same_training_set_and_can_be_written(source, exported, tmp_path):
    import_store(exported, tmp_path / "new.duckdb")
    shutil.copy(source, tmp_path / "old.duckdb")
    manifests = []
    for name in ("old.duckdb", "new.duckdb"):
        with open_store(tmp_path / name) as store:
            manifests.append(training_set(store, PROTOCOL, 2).manifest_id)
    assert manifests[0] == manifests[1]


DOUBLES = [0x7FF8000000000001, 0x7FF8000000000002, 0xFFF8000000000003, 0x7FF0000000000001, 0, 1 << 63, 1, 0x7FF << 52]
SINGLES = [0x7FC00001, 0x7FC00002, 0xFFC00003, 0x7F800001, 0, 1 << 31, 1, 0xFF800000]
DOUBLE = st.sampled_from(DOUBLES) | st.integers(0, 2**64 - 1)
SINGLE = st.sampled_from(SINGLES) | st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
JSON = st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
ODD_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "double": st.none() | DOUBLE,
            "vector": st.lists(SINGLE, min_size=3, max_size=3),
            "list": st.none() | st.lists(st.none() | DOUBLE, max_size=3),
            "words": st.none() | st.lists(st.none() | TEXT, max_size=3),
            "whole": st.none() | st.integers(0, 2**64 - 1),
            "text": st.none() | TEXT,
            "json": st.none() | JSON.map(lambda value: json.dumps(value, indent=1)),
            "moment": st.none() | st.integers(-(2**62), 2**62),
            "yes": st.none() | st.booleans(),
        }
    ),
    min_size=20,
    max_size=40,
)
ODD = Output(
    "odd",
    "oddities",
    "one row is odd; it's \"quoted\" -- and; 'twice' 🙂",
    (
        Field("double", "float64", "any bits"),
        Field("vector", "float32[3]", "any bits"),
        Field("list", "float64[]", "it may hold NULL"),
        Field("words", "str[]", "it may hold ''"),
        Field("whole", "uint64", "'); DROP TABLE images; --"),
        Field("text", "str", "a\nline"),
        Field("json", "str", "spaces in it stay"),
        Field("moment", "datetime64", "from the year -144169 on"),
        Field("yes", "bool", "or no"),
    ),
    1,
)


def floats(bits: list[int | None], unsigned: type) -> pl.Series:
    """Floats of exactly these bits; None is NULL."""
    values = np.array([b or 0 for b in bits], dtype=unsigned).view(np.float64 if unsigned is np.uint64 else np.float32)
    known = pl.Series([b is not None for b in bits], dtype=pl.Boolean)
    return pl.select(pl.when(known).then(pl.Series("v", values)))["v"]


def odd_frame(rows: list[dict]) -> pl.DataFrame:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    lists = [None if cell is None else floats(cell, np.uint64) for cell in columns["list"]]
    vectors = floats([bits for row in columns["vector"] for bits in row], np.uint32)
    return pl.DataFrame(
        {
            "sha256": [f"{i:064x}" for i in range(len(rows))],
            "double": floats(columns["double"], np.uint64),
            "vector": vectors.reshape((-1, 3)),
            "list": pl.Series(lists, dtype=pl.List(pl.Float64)),
            "words": pl.Series(columns["words"], dtype=pl.List(pl.String)),
            "whole": pl.Series(columns["whole"], dtype=pl.UInt64),
            "text": pl.Series(columns["text"], dtype=pl.String),
            "json": pl.Series(columns["json"], dtype=pl.String),
            "moment": pl.Series(columns["moment"], dtype=pl.Int64).cast(pl.Datetime("us")),
            "yes": pl.Series(columns["yes"], dtype=pl.Boolean),
        }
    )


@given(rows=ODD_ROWS)
@example(rows=[])
# not shrunk: one example is three stores
@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_odd_values_come_back_bit_for_bit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("odd")
    with open_store(folder / "s.duckdb") as store, store.transaction():
        versions.register(store, [ODD])
        if rows:
            store.append(ODD.table_name, odd_frame(rows))
    export(folder / "s.duckdb", folder / "export")
    import_store(folder / "export", folder / "new.duckdb")
    assert_equal_stores(folder / "s.duckdb", folder / "new.duckdb")


def test_nans_of_different_payload_stay_different(tmp_path):
    # as many as it takes for Parquet to find a dictionary worth its while
    bits = [*DOUBLES, 0x3FF << 52] * 300
    with open_store(tmp_path / "s.duckdb") as store:
        store.append("ratings", pl.DataFrame({"rating": floats(bits, np.uint64)}))
    export(tmp_path / "s.duckdb", tmp_path / "export")
    import_store(tmp_path / "export", tmp_path / "new.duckdb")
    with open_store(tmp_path / "new.duckdb", read_only=True) as store:
        assert store.frame("SELECT rating FROM ratings")["rating"].to_numpy().view(np.uint64).tolist() == bits


def test_checksums_are_those_of_sha256sum(exported):
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "checksums.sha256"], cwd=exported, check=True)


def test_an_export_is_parquet_that_others_read(source, exported):
    with open_store(source, read_only=True) as store:
        expected = store.frame("SELECT image_id, histogram FROM scores")
    assert pl.read_parquet(exported / parquet("scores"), columns=expected.columns).equals(expected)


def test_a_folder_with_other_files_is_spared_and_an_earlier_export_is_replaced(source, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with open_store(source, read_only=True) as store:
        with pytest.raises(InputError, match="other files"):
            export_store(store, tmp_path)
        (tmp_path / "export").mkdir()
        export_store(store, tmp_path / "export")
        export_store(store, tmp_path / "export")
        (tmp_path / "export" / "notes.txt").write_text("mine")
        with pytest.raises(InputError, match="other files"):
            export_store(store, tmp_path / "export")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export", "thesis.txt"]
    assert (tmp_path / "export" / "notes.txt").exists()


def test_a_table_of_somebody_else_is_not_left_out_in_silence(tmp_path):
    with make_store(tmp_path / "s.duckdb", images=4, extracted=False, trained=False) as store:
        store.execute("CREATE TABLE mine (x INTEGER)")
        store.execute("COMMENT ON TABLE mine IS 'x'; COMMENT ON COLUMN mine.x IS 'x'")
        with pytest.raises(ExportError, match="mine"):
            export_store(store, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_beside_a_writer_the_snapshot_is_exported(source, tmp_path):
    path = tmp_path / "s.duckdb"
    shutil.copy(source, path)
    code = f"""if True:
        from pathlib import Path
        from featurestore.opening import open_store
        store = open_store(Path({str(path)!r}))
        store.publish()
        with store.transaction():
            store.execute("DELETE FROM ratings")
        print("written", flush=True)
        input()"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "written\n"
        export(path, tmp_path / "export")
    finally:
        writer.communicate("\n")
    import_store(tmp_path / "export", tmp_path / "new.duckdb")
    assert_equal_stores(source, tmp_path / "new.duckdb")


def test_what_is_there_is_not_imported_over(exported, tmp_path):
    path = tmp_path / "new.duckdb"
    path.write_text("dear reader")
    assert kallos("store", "import", exported, "--store", path).code == StoreError.exit_code
    assert path.read_text() == "dear reader"
    path.unlink()
    path.with_suffix(".runs").mkdir()
    with pytest.raises(StoreError, match="exists already"):
        import_store(exported, path)


def test_a_folder_that_is_no_export(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="kallos store export"):
            import_store(folder, tmp_path / "new.duckdb")


KILLED = """if True:
    import os, signal
    from pathlib import Path
    from featurestore.transfer import importing
    from featurestore.transfer.importing import import_store
    importing.create_views = lambda store: os.kill(os.getpid(), signal.SIGKILL)
    import_store(Path({folder!r}), Path({path!r}))"""


def test_a_killed_import_leaves_no_store_and_the_next_one_completes(source, exported, tmp_path):
    path = tmp_path / "new.duckdb"
    code = KILLED.format(folder=str(exported), path=str(path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert not path.exists()
    import_store(exported, path)
    assert_equal_stores(source, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.duckdb", "new.runs"]


def test_an_interrupted_import_leaves_nothing(exported, tmp_path, monkeypatch):
    def interrupt(store: Store) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "create_views", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_store(exported, tmp_path / "new.duckdb")
    assert list(tmp_path.iterdir()) == []


def refused(folder: Path, *phrases: str) -> None:
    """One sentence, the documented code, and nothing made anywhere beside the folder."""
    before = sorted(folder.parent.rglob("*"))
    answer = kallos("store", "import", folder, "--store", folder.parent / "new.duckdb")
    assert answer.code == ExportError.exit_code == 9, answer.err
    (line,) = answer.err.splitlines()
    for phrase in phrases:
        assert phrase in line
    assert sorted(folder.parent.rglob("*")) == before


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [parquet("scores"), parquet("locations"), "schema.json", "runs"])
def test_an_altered_file_is_named(copy, name):
    changed = next(p for p in [copy / name, *(copy / name).rglob("*")] if p.is_file())
    change_a_byte(changed)
    refused(copy, changed.name, "has changed")


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (lambda f: (f / parquet("scores")).unlink(), "is missing"),
        (lambda f: (f / parquet("more")).write_text("x"), "does not belong"),
        (lambda f: (f / "load.sql").write_text("DROP TABLE images"), "does not belong"),
        (lambda f: (f / "runs" / "link").symlink_to("/etc/hostname"), "not a plain file"),
        (lambda f: (f / "more").symlink_to(f / "tables"), "not a plain file"),
        (lambda f: os.mkfifo(f / "pipe"), "not a plain file"),
        (lambda f: list_file(f, "../outside"), "is missing"),
        (lambda f: list_file(f, "/etc/hostname"), "is missing"),
        (lambda f: list_file(f, "tables/../schema.json"), "is missing"),
        (lambda f: (f / "checksums.sha256").write_bytes(b"\xff\xfe"), "checksums.sha256 is damaged"),
        (lambda f: (f / "checksums.sha256").write_text("DROP TABLE images"), "checksums.sha256 is damaged"),
    ],
)
def test_a_file_more_or_less_or_elsewhere(copy, alter, phrase):
    (copy.parent / "outside").write_text("x")
    alter(copy)
    refused(copy, phrase)


def list_file(folder: Path, name: str) -> None:
    with (folder / "checksums.sha256").open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")


def test_a_link_in_the_place_of_a_file(copy):
    file = copy / parquet("scores")
    shutil.move(file, copy.parent / "scores.parquet")
    file.symlink_to(copy.parent / "scores.parquet")
    refused(copy, "scores", "not a plain file")


def reseal(folder: Path) -> None:
    """Make the checksums fit what the folder holds now, as whoever altered it would."""
    (folder / "checksums.sha256").unlink()
    seal(folder)


def reschema(folder: Path, alter: Callable[[dict], None]) -> None:
    """Alter schema.json, with checksums that fit."""
    path = folder / "schema.json"
    schema = json.loads(path.read_text())
    alter(schema)
    path.write_text(json.dumps(schema))
    reseal(folder)


def table_of(schema: dict, name: str) -> dict:
    return next(table for table in schema["tables"] if table["name"] == name)


def odd_one(schema: dict) -> dict:
    """A table that holds a version of an extractor's output."""
    return next(table for table in schema["tables"] if "__" in table["name"])


@pytest.mark.parametrize(
    ("alter", "phrase"),
    [
        (lambda s: s.update(format="kallos.store/9"), "format"),
        (lambda s: s.update(schema_version=1), "schema version 1"),
        (lambda s: s.update(tables="images"), "damaged"),
        (lambda s: s.pop("views"), "damaged"),
        (lambda s: s.update(rows=[]), "damaged"),
        (lambda s: s["tables"].remove(table_of(s, "images")), "images"),
        (lambda s: s["tables"].remove(odd_one(s)), "tables/"),
        (lambda s: s["tables"].append(table_of(s, "images")), "twice"),
        (lambda s: s["tables"].append(table_of(s, "images") | {"name": "mine"}), "mine"),
        (lambda s: s["rows"].update(images=1), "48 rows"),
        (lambda s: s["views"][0].update(name='x" AS SELECT 1; DROP TABLE images; --'), "not a name"),
        (lambda s: table_of(s, "images")["columns"].pop(), "images"),
        (lambda s: table_of(s, "scores")["columns"][1].update(type="FLOAT"), "scores"),
        (lambda s: odd_one(s).update(name="../../x"), "not a name"),
        (lambda s: odd_one(s).update(name='x" (i INTEGER); DROP TABLE images; --'), "not a name"),
        (lambda s: odd_one(s).update(name=["x"]), "not a name"),
        (lambda s: odd_one(s)["columns"][1].update(name='x" INTEGER); DROP TABLE images; --'), "not a name"),
        (lambda s: odd_one(s)["columns"][1].update(type="INTEGER DEFAULT (getenv('HOME'))"), "type"),
        (lambda s: odd_one(s)["columns"][1].update(type="STRUCT(a INTEGER)"), "type"),
        (lambda s: odd_one(s)["columns"][1].update(type="FLOAT[0]"), "loaded"),
        (lambda s: odd_one(s)["columns"][1].update(type="DOUBLE[7]"), "other columns"),
        (lambda s: odd_one(s).update(comment=None), "comment"),
        (lambda s: odd_one(s)["columns"][1].update(comment={"a": 1}), "comment"),
    ],
)
def test_a_schema_that_kallos_would_not_write(copy, alter, phrase):
    reschema(copy, alter)
    refused(copy, phrase)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"format": "kallos.store/1"}'])
def test_a_schema_that_is_none(copy, text):
    (copy / "schema.json").write_text(text)
    reseal(copy)
    refused(copy, "schema.json is damaged")


def test_sql_of_views_and_comments_is_text_and_nothing_else(copy, tmp_path):
    evil = f"'; COPY images TO '{tmp_path / 'stolen.csv'}'; --"

    def alter(schema: dict) -> None:
        schema["views"][0].update(sql=f"CREATE VIEW x AS SELECT 1{evil}", comment=evil)
        schema["views"][1]["columns"][0]["comment"] = evil
        table_of(schema, "images")["comment"] = evil
        odd_one(schema)["columns"][0]["comment"] = evil

    reschema(copy, alter)
    views = [view["name"] for view in json.loads((copy / "schema.json").read_text())["views"]]
    imported = import_store(copy, tmp_path / "new.duckdb")
    assert set(views[:2]) <= set(imported.views)
    assert not (tmp_path / "stolen.csv").exists()
    with open_store(tmp_path / "new.duckdb", read_only=True) as store:
        assert store.value("SELECT comment FROM duckdb_tables() WHERE table_name = 'images'") == evil
        assert store.value("SELECT count(*) FROM duckdb_columns() WHERE comment = $evil", evil=evil) == 1


def test_a_view_that_this_kallos_does_not_make_is_named(copy, tmp_path):
    reschema(copy, lambda schema: schema["views"][0].update(name="of_another_kallos"))
    answer = kallos_ok("store", "import", copy, "--store", tmp_path / "new.duckdb")
    assert "of_another_kallos" in answer.err


def rewrite(folder: Path, table: str, replaced: str) -> None:
    """Alter the rows of a table by `SELECT * REPLACE (...)`, with checksums that fit."""
    file = folder / parquet(table)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * REPLACE ({replaced}) FROM '{file}'")
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    reseal(folder)


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


QUERIES = [
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM '/etc/hostname'",
    'SELECT * FROM "/tmp/x.csv"',
    "SELECT getenv('HOME') AS sha256",
    "SELECT sha256 FROM images WHERE path IN (SELECT content FROM read_text('/etc/hostname'))",
    "WITH q AS (FROM glob('*')) SELECT * FROM q",
    "SELECT * FROM information_schema.tables",
    "SELECT 1; DROP TABLE images",
    "SELECT sha256 FROM images) TO '/tmp/x'; --",
    "DROP TABLE images",
    "ATTACH '/tmp/x.duckdb'",
    "",
]


@pytest.mark.parametrize(("query", "table"), crossed(QUERIES, ["manifests", "statistics"], every=4))
def test_a_stored_query_that_does_more_than_read_tables(copy, table, query):
    rewrite(copy, table, f"{text(query)} AS sql")
    refused(copy, "stored query")


@pytest.mark.parametrize(
    ("table", "replaced", "phrase"),
    [
        ("extractor_versions", "'x\" AS SELECT 1; DROP TABLE images; --' AS output", "output"),
        ("extractor_versions", "'images' AS output", "output"),
        ("extractor_versions", "'extractions' AS output", "output"),
        ("extractor_versions", "NULL::VARCHAR AS output", "output"),
        ("extractor_versions", "'images' AS table_name", "table"),
        ("extractor_versions", "'../../x' AS version", "table"),
        ("extractor_versions", "NULL::VARCHAR AS extractor", "table"),
        ("feature_definitions", "'x\", \"y' AS feature", "feature"),
        ("statistics", "['x\" FROM images; --'] AS features", "feature"),
        ("runs", "'../..' AS folder", "runs folder"),
        ("runs", "'/etc' AS folder", "runs folder"),
        ("runs", "'..' AS folder", "runs folder"),
        ("runs", "NULL::VARCHAR AS folder", "runs folder"),
        ("scores", "mean::VARCHAR AS mean", "other columns"),
    ],
)
def test_rows_that_kallos_would_not_write(copy, table, replaced, phrase):
    rewrite(copy, table, replaced)
    refused(copy, phrase)


def test_vectors_of_another_length_and_a_file_that_is_no_parquet(copy):
    shape = next(p.stem for p in (copy / "tables").iterdir() if p.stem.startswith("shape__"))
    rewrite(copy, shape, "shape[:10] AS shape")
    refused(copy, "cannot be loaded")
    (copy / parquet(shape)).write_text("SELECT 1")
    reseal(copy)
    refused(copy, "cannot be loaded")
