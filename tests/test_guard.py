"""SQL from people: one SELECT on the store's tables goes through; nothing else does, and no refusal tells a path."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurestore import guard
from featurestore.errors import QueryError, StoreError
from tests.command import kallos
from tests.synthetic_store import make_store

SECRET = "hunter2-canary"

WRITES = [
    "DELETE FROM images",
    "DROP TABLE images",
    "DROP VIEW landmarks",
    "CREATE TABLE x (i INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE OR REPLACE VIEW landmarks AS SELECT 1",
    "CREATE MACRO f(a) AS a",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE SEQUENCE s",
    "CREATE SCHEMA s",
    "CREATE INDEX i ON images (image_id)",
    "INSERT INTO store_info VALUES (2, now())",
    "UPDATE store_info SET schema_version = 99",
    "ALTER TABLE images ADD COLUMN x INT",
    "TRUNCATE images",
    "COMMENT ON TABLE images IS 'mine'",
    "MERGE INTO images USING scores ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM images RETURNING *) SELECT * FROM gone",
    "WITH x AS (INSERT INTO store_info VALUES (9, now()) RETURNING 1) FROM x",
    "SELECT nextval('s')",
]
FILES = [
    "SELECT * FROM read_csv('secret.csv')",
    "SELECT * FROM read_csv_auto('secret.csv')",
    "SELECT * FROM 'secret.csv'",
    "FROM 'secret.csv'",
    'SELECT * FROM "secret.csv"',
    "SELECT * FROM images, 'secret.csv'",
    "SELECT (SELECT max(password) FROM 'secret.csv')",
    "WITH x AS (FROM 'secret.csv') FROM x",
    "SELECT * FROM read_text('secret.csv')",
    "SELECT * FROM read_blob('secret.csv')",
    "SELECT * FROM read_parquet('*')",
    "SELECT * FROM read_json('secret.csv')",
    "SELECT * FROM sniff_csv('secret.csv')",
    "SELECT * FROM parquet_metadata('x.parquet')",
    "SELECT * FROM parquet_scan('x.parquet')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/proc/self/environ'",
    "SELECT * FROM 'http://localhost/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "COPY images TO 'stolen.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY images FROM 'secret.csv'",
    "COPY FROM DATABASE s TO t",
    "EXPORT DATABASE 'copy'",
    "IMPORT DATABASE 'copy'",
    "SELECT * FROM query('SELECT * FROM read_text(''secret.csv'')')",
    "SELECT * FROM query_table('secret.csv')",
    "SELECT * FROM read_duckdb('s.duckdb')",
    "SELECT * FROM sqlite_scan('x.db', 't')",
]
SESSION = [
    "ATTACH 'other.duckdb'",
    "ATTACH ':memory:' AS m",
    "DETACH s",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL spatial FROM community",
    "UPDATE EXTENSIONS",
    "SET memory_limit = '100GB'",
    "SET GLOBAL threads = 64",
    "RESET memory_limit",
    "SET VARIABLE x = 1",
    "PRAGMA database_list",
    "PRAGMA memory_limit = '1TB'",
    "PRAGMA enable_profiling",
    "CALL pragma_database_size()",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "CREATE SECRET s (TYPE s3)",
    "EXPLAIN ANALYZE DELETE FROM images",
    "SHOW DATABASES",
    "SHOW ALL TABLES",
    "CREATE PERSISTENT SECRET s (TYPE http)",
]
TELLING = [
    "SELECT * FROM duckdb_databases()",
    "SELECT path FROM duckdb_databases()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_memory()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_columns()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM pragma_database_list()",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_storage_info('images')",
    "SELECT * FROM pragma_platform()",
    "SELECT * FROM pragma_user_agent()",
    "SELECT * FROM pragma_version()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM pg_catalog.pg_database",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM main.sqlite_master",
    "SELECT * FROM system.main.duckdb_settings()",
    'SELECT * FROM "duckdb_databases"()',
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT getenv('CANARY')",
    "SELECT current_database()",
    "SELECT current_catalog",
    "SELECT current_user",
    "SELECT version()",
    "SELECT pg_get_viewdef(1)",
    "SELECT current_query()",
    "SELECT txid_current()",
    "SELECT list_transform(['temp_directory'], lambda s: current_setting(s))",
    "SELECT * FROM locations",
    "SELECT root FROM main.locations",
    'SELECT * FROM "LOCATIONS"',
    "SELECT (SELECT max(root) FROM locations)",
    "SELECT * FROM images JOIN locations USING (data_set)",
    "FROM images POSITIONAL JOIN locations",
    "FROM images, LATERAL (SELECT root FROM locations)",
    "SUMMARIZE locations",
    "DESCRIBE locations",
    "WITH locations AS (SELECT 1) SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM locations), locations",
    "PIVOT locations ON data_set USING count(*)",
    "SELECT * FROM s.main.locations",
    "TABLE locations",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM locations'))",
    "SELECT * FROM (SHOW TABLES)",
]
MANY = [
    "SELECT 1; DROP TABLE images",
    "SELECT 1; SELECT 2",
    "SELECT 1;;SELECT 2",
    "SELECT 1 /* ; */; DELETE FROM images --",
    "-- only a comment",
    "",
    " ; ",
    "SELEC 1",
    "SELECT",
    "SELECT * FROM images WHERE",
    "\x00SELECT 1",
    "SELECT * FROM \u202eimages",
    "ＳＥＬＥＣＴ * FROM locations",
    "SELECT 'unterminated",
]
COSTLY = [
    "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    "SELECT len(repeat('x', 4000000000))",
    "SELECT list(range) FROM range(10000000000)",
    "SELECT sum(a.range * b.range) FROM range(100000000) a JOIN range(100000000) b ON a.range % 7 = b.range % 7",
    "SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
    "SELECT max(s) FROM (SELECT string_agg(range::VARCHAR, ',' ORDER BY random()) AS s FROM range(300000000))",
]
HOSTILE = [*WRITES, *FILES, *SESSION, *TELLING, *MANY]

HARMLESS = [
    "SELECT 1 AS one",
    "FROM store_info",
    "WITH x AS (SELECT 1 AS one) SELECT one FROM x",
    "SELECT image_id, score FROM scores JOIN images USING (image_id) ORDER BY score DESC LIMIT 3",
    "SELECT subset, count(*), round(avg(score), 2) FROM images JOIN scores USING (image_id) GROUP BY ALL ORDER BY ALL",
    "SELECT * EXCLUDE (image_id) FROM geometric_features LIMIT 1",
    "SELECT COLUMNS('.*_width') FROM geometric_features LIMIT 1",
    "SELECT corr(jaw_width, score) FROM geometric_features JOIN scores USING (image_id)",
    "DESCRIBE images",
    "SUMMARIZE scores",
    "SELECT * FROM range(3)",
    "SELECT unnest([1, 2, 3]) AS n",
    "SELECT quantile_cont(score, [.25, .5, .75]) FROM scores",
    "SELECT image_id FROM images WHERE image_id LIKE '%0001%' AND image_id SIMILAR TO '.*png'",
    "SELECT rank() OVER (ORDER BY score) AS place, image_id FROM scores QUALIFY place < 4",
    "SELECT array_distance(a.shape, b.shape) FROM shapes a, shapes b LIMIT 3",
    "SELECT list_transform([1, 2], lambda x: x + 1)",
    "SELECT regexp_extract(image_id, '[0-9]+') FROM images LIMIT 2",
    "PIVOT splits ON role IN ('train', 'test') USING count(*) GROUP BY fold",
    "UNPIVOT (SELECT jaw_width, eye_width FROM geometric_features LIMIT 1) ON * INTO NAME f VALUE v",
    "SELECT status, count(*) FROM extractions GROUP BY ALL",
    "SELECT versions ->> '$.geometry' FROM manifests",
    "SELECT CASE WHEN score > 3 THEN 'high' ELSE 'low' END AS half, count(*) FROM scores GROUP BY ALL",
    "(SELECT 1) UNION ALL (SELECT 2) EXCEPT SELECT 3",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) FROM r",
    "SELECT now() > TIMESTAMP '2020-01-01'",
    "SELECT random() < 1 -- a comment; and a semicolon",
]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "secret.csv").write_text(f"password\n{SECRET}\n")
    make_store(folder / "s.duckdb").close()
    return folder / "s.duckdb"


@pytest.fixture(autouse=True)
def surroundings(path, monkeypatch):
    """A folder with a secret, and one in the environment."""
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("CANARY", SECRET)


def tells(text: str, path: Path) -> list[str]:
    """What a text must not hold: folders, file names, secrets, the user."""
    return [
        word for word in (str(path.parent), path.name, SECRET, str(Path.home()) + "/", str(Path.cwd())) if word in text
    ]


def refused(path: Path, query: str) -> str:
    before = sorted((p.name, p.stat().st_mtime_ns) for p in path.parent.iterdir())
    with pytest.raises(QueryError) as error:
        guard.select(path, query)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in path.parent.iterdir()) == before
    said = str(error.value)
    # what people wrote themselves may be said back to them
    assert [word for word in tells(said, path) if word not in query] == []
    assert "\n" not in said
    return said


def test_there_are_many_hostile_statements():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 140


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_sql_is_refused_changes_nothing_and_tells_no_path(path, query):
    refused(path, query)


@pytest.mark.parametrize("query", HARMLESS)
def test_a_select_on_the_tables_goes_through(path, query):
    rows = guard.select(path, query)
    assert tells(rows.write_json(), path) == []


@pytest.mark.parametrize("query", COSTLY)
def test_time_and_memory_end(path, monkeypatch, query):
    monkeypatch.setattr(guard, "MAX_SECONDS", 3)
    said = refused(path, query)
    assert "longer than" in said or "too much" in said


def test_a_python_variable_is_not_a_table(path):
    secret = {"password": [SECRET]}
    assert secret
    refused(path, "SELECT * FROM secret")


def test_the_row_cap_and_the_size_cap(path):
    assert "LIMIT" in refused(path, f"SELECT * FROM range({guard.MAX_ROWS + 1})")
    assert "MiB" in refused(path, "SELECT repeat('x', 3000) FROM range(95000)")
    assert "characters" in refused(path, "SELECT 1" + " " * guard.MAX_CHARACTERS)


def test_plain_mistakes_are_explained(path):
    assert "jaw_widht" in refused(path, "SELECT jaw_widht FROM geometric_features")
    assert "kallos tables" in refused(path, "SELECT * FROM imagse")


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="kallos ingest"):
        guard.select(tmp_path / "none.duckdb", "SELECT 1")


FRAGMENTS = [
    "locations",
    "images",
    "'secret.csv'",
    "duckdb_settings()",
    "(SELECT root FROM locations)",
    "read_text('secret.csv')",
    "glob('*')",
    "getenv('CANARY')",
    "current_setting('home_directory')",
    "query('FROM locations')",
    "1",
    "data_set",
]
SHAPES = [
    "SELECT {0} FROM {1}",
    "FROM {1} SELECT {0}",
    "WITH x AS (SELECT {0} FROM {1}) FROM x",
    "SELECT (SELECT {0}) FROM {1}",
    "SELECT * FROM (FROM {1}) JOIN (FROM {1}) b ON true WHERE {0} IS NOT NULL",
    "SELECT {0} UNION ALL SELECT {0} FROM {1}",
    "SELECT [{0}] FROM {1} ORDER BY {0}",
    "SUMMARIZE (SELECT {0} FROM {1})",
    "SELECT {{'a': {0}}} FROM {1} GROUP BY ALL",
]


@given(shape=st.sampled_from(SHAPES), one=st.sampled_from(FRAGMENTS), other=st.sampled_from(FRAGMENTS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_combination_tells_a_secret(path, shape, one, other):
    query = shape.format(one, other)
    try:
        said = guard.select(path, query).write_json()
    except QueryError as error:
        said = str(error)
    assert [word for word in tells(said, path) if word not in query] == []


def test_the_command_refuses_with_its_exit_code(path):
    answer = kallos("sql", "DROP TABLE images", "--store", path)
    assert answer.code == 10
    assert answer.err.count("\n") == 1
