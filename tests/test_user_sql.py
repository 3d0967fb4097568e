"""SQL from people: one SELECT on the store's tables goes through, nothing else does, and none costs without end."""

import os
import re
import shutil
import sys
import time
from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurestore import user_sql
from featurestore.errors import QueryError, StoreError
from featurestore.opening import open_store
from tests.command import kallos, kallos_ok
from tests.hostile_sql import HOSTILE
from tests.synthetic_store import make_store

BENIGN = (
    "SELECT 1",
    "SELECT 1;",
    "/* why */ SELECT 1 -- so",
    "FROM scores",
    "TABLE scores",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM main.scores",
    'SELECT "Score" FROM "SCORES"',
    "DESCRIBE scores",
    "DESCRIBE SELECT score + 1 FROM scores",
    "SUMMARIZE geometric_features",
    "SELECT schema_version FROM store_info",
    "WITH scores AS (SELECT * FROM scores WHERE score > 3) SELECT count(*) FROM scores",
    "WITH a AS (SELECT 1 AS i), b AS (SELECT i + 1 AS i FROM a) FROM a JOIN b ON a.i < b.i UNION ALL SELECT 3, 4",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) FROM n",
    "SELECT * EXCLUDE (image_id) REPLACE (round(score, 1) AS score) RENAME (mean AS average) FROM scores",
    "SELECT median(COLUMNS(* EXCLUDE image_id)) FROM geometric_features",
    "SELECT subset, sex, count(*), grouping(sex) FROM images GROUP BY ROLLUP (subset, sex) ORDER BY ALL",
    "SELECT subset FROM images GROUP BY ALL HAVING count(*) > 1 ORDER BY random() LIMIT 50%",
    "SELECT DISTINCT ON (subset) subset, image_id FROM images ORDER BY image_id",
    "SELECT image_id, rank() OVER w, lag(score) OVER w, avg(score) OVER (ORDER BY score ROWS 2 PRECEDING) "
    "FROM scores WINDOW w AS (ORDER BY score DESC) QUALIFY rank() OVER w < 4",
    "SELECT quantile_cont(score, [0.1, 0.9]), arg_max(image_id, score), regr_slope(score, mean), mad(score), "
    "histogram(round(score)), string_agg(image_id, ', ' ORDER BY score) FILTER (score > 4), corr(score, mean) FROM scores",
    "PIVOT images ON subset IN ('AF', 'AM') USING count(*) GROUP BY sex",
    "UNPIVOT geometric_features ON COLUMNS(* EXCLUDE image_id) INTO NAME feature VALUE v",
    "SELECT i.image_id, s.score FROM images i, LATERAL (SELECT score FROM scores s WHERE s.image_id = i.image_id) s",
    "FROM images SEMI JOIN scores USING (image_id)",
    "FROM images ANTI JOIN shapes USING (image_id)",
    "FROM scores POSITIONAL JOIN range(3) USING SAMPLE 5",
    "SELECT a.score, b.score FROM scores a ASOF JOIN scores b ON a.score >= b.score LIMIT 3",
    "SELECT list_transform([1, 2], lambda x: x + 1), [x * 2 FOR x IN [1, 2] IF x > 1], {'a': 1}.a, MAP {'a': 1}['a']",
    "SELECT recipe -> '$.inputs', recipe ->> '$.code_version', json_extract(recipe, '$.columns') FROM extractor_versions",
    "SELECT key, value FROM extractor_versions, json_each(recipe)",
    "SELECT image_id, unnest(histogram), generate_subscripts(histogram, 1) FROM scores",
    "SELECT i, shape[i] FROM shapes, generate_series(1, 3) s(i) LIMIT 9",
    "SELECT array_cosine_similarity(a.shape, b.shape), list_inner_product(a.shape, b.shape) FROM shapes a, shapes b LIMIT 3",
    "SELECT regexp_extract(image_id, '(\\d+)', 1), split_part(image_id, '/', 1), image_id[:4], upper(sex), "
    "image_id LIKE '%1.png', sex ILIKE 'F%', image_id GLOB '*.png', format('{:.2f}', 1.5), sha256 ^@ '00' FROM images",
    "SELECT CASE WHEN score > 3 THEN 'high' ELSE 'low' END, coalesce(sd, 0), nullif(raters, 6), TRY_CAST('x' AS INT), "
    "score BETWEEN 2 AND 3, greatest(score, mean), score IS DISTINCT FROM mean, sqrt(score), 7 // 2, 2 ** 3, -score "
    "FROM scores",
    "SELECT started_at, date_trunc('hour', started_at), extract(year FROM started_at), current_date, now(), "
    "(started_at + INTERVAL 1 DAY)::VARCHAR, strftime(started_at, '%Y') FROM runs",
    "SELECT score FROM scores WHERE score = (SELECT max(score) FROM scores) OR image_id IN (SELECT image_id FROM images)",
    "SELECT version, extractor FROM extractor_versions ORDER BY version COLLATE NOCASE",
    "SELECT 'DROP TABLE images; SELECT * FROM locations' AS text",
    "SELECT '/etc/passwd', parse_filename(path), 'current_user' FROM images",
)

CANARY = "hunter2-in-the-file"
ENVIRONMENT = "hunter2-in-the-environment"


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("private-folder")
    (folder / "secret.csv").write_text(f"password\n{CANARY}\n")
    with make_store(folder / "s.duckdb", images=80) as store:
        store.execute("CREATE TABLE IF NOT EXISTS locations (data_set VARCHAR, root VARCHAR)")
        store.append("locations", pl.DataFrame({"data_set": ["made-up"], "root": [str(folder)]}))
        store.execute("CREATE TABLE geometry__0a1b (image_id VARCHAR)")
    return folder / "s.duckdb"


@pytest.fixture(scope="module")
def opened(path):
    """The store as a query's process has it, but in this one, which has an environment and variables to leak."""
    # A copy: within one process the settings would hold for everyone who has this file open.
    copy = path.parent / "copy" / path.name
    copy.parent.mkdir()
    shutil.copy(path, copy)
    with pytest.MonkeyPatch.context() as patch, open_store(copy, read_only=True) as store:
        patch.chdir(path.parent)
        patch.setenv("KALLOS_CANARY", ENVIRONMENT)
        for setting in user_sql.SETTINGS:
            store.execute(setting)
        # no query can change what the catalogue lists, and DuckDB takes longer to list it than to run most queries
        patch.setattr(user_sql, "_names", cache(user_sql._names))
        patch.setattr(store, "describe", cache(store.describe))
        yield store


def refused(run, query: str, folder: Path) -> str:
    """The sentence of the refusal, which tells none of the secrets."""
    before = {p.name for p in folder.iterdir()}
    with pytest.raises(QueryError) as error:
        run(query)
    sentence = str(error.value)
    for secret in (str(folder), folder.name, str(Path.home()) + "/", CANARY, ENVIRONMENT):
        assert secret not in sentence
    assert not re.search(rf"(?<![\d,]){os.getpid()}(?![\d,])", sentence)
    assert "\n" not in sentence
    assert {p.name for p in folder.iterdir()} == before
    return sentence


CASES = [pytest.param(q, id=f"{kind}: {ascii(q)[:60]}") for kind, queries in HOSTILE.items() for q in queries]


@pytest.mark.parametrize("query", CASES)
def test_hostile_sql_is_refused_and_tells_nothing(opened, path, query):
    refused(lambda q: user_sql.rows(opened, q), query.replace("{folder}", str(path.parent)), path.parent)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long if number % 4 else ()) for number, kind in enumerate(HOSTILE)]
)
def test_the_process_refuses_what_its_check_refuses(path, kind, monkeypatch):
    monkeypatch.chdir(path.parent)
    query = HOSTILE[kind][-1].replace("{folder}", str(path.parent))
    refused(lambda q: user_sql.select(path, q), query, path.parent)


def test_there_are_enough_of_them():
    assert sum(map(len, HOSTILE.values())) >= 200
    assert len(BENIGN) >= 40


@pytest.mark.parametrize("query", BENIGN, ids=[q[:60] for q in BENIGN])
def test_what_people_ask_goes_through(opened, query):
    assert user_sql.rows(opened, query).width > 0


def test_the_process_gives_the_rows_of_the_store(path):
    query = "SELECT * FROM shapes JOIN scores USING (image_id) JOIN images USING (image_id) ORDER BY image_id"
    with open_store(path, read_only=True) as store:
        assert user_sql.select(path, query).equals(store.frame(query))


def test_a_guarded_query_leaves_the_callers_own_connection_alone(path):
    with open_store(path, read_only=True) as store:
        assert user_sql.select(path, "SELECT count(*) FROM scores").item() == 80
        store.execute("SET memory_limit = '1 GiB'")
        assert store.value("SELECT count(*) FROM read_text($file)", file=str(path)) == 1


SELECTS = [
    *("SELECT * FROM locations", "FROM duckdb_databases()", "SELECT current_setting('temp_directory')"),
    *("FROM 'secret.csv'", "FROM read_text('secret.csv')", "SELECT getenv('KALLOS_CANARY')", "FROM sqlite_master"),
    *("SHOW DATABASES", "FROM query('FROM locations')", "FROM geometry__0a1b", "SELECT current_catalog"),
]
WRAPPERS = (
    *("({})", "SELECT * FROM ({})", "SELECT ({})", "SELECT 1 WHERE EXISTS ({})", "SELECT array({})"),
    *("WITH a AS ({}) FROM a", "WITH RECURSIVE a AS (SELECT 1 UNION ALL ({})) FROM a", "DESCRIBE {}", "SUMMARIZE {}"),
    *(
        "SELECT 1 UNION ALL ({})",
        "({}) EXCEPT SELECT 1",
        "FROM scores, LATERAL ({})",
        "FROM scores POSITIONAL JOIN ({})",
    ),
    *("SELECT count(*) FROM ({}) t", "SELECT 1 LIMIT ({})", "SELECT list_transform([1], lambda x: ({}))", "{};"),
    *("WITH scores AS (SELECT 1), b AS ({}) FROM scores", "SELECT * FROM scores WHERE image_id IN ({})", "EXPLAIN {}"),
    *("SELECT * FROM (WITH locations AS (SELECT 1) SELECT 1), ({})", "SELECT 1; {}", "FROM (PIVOT ({}) ON a IN (1))"),
)
BLANKS = (" ", "\n", "\t", "/**/", "/* FROM scores */", " -- '\n")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    core=st.sampled_from(SELECTS),
    wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=4),
    blank=st.sampled_from(BLANKS),
    cased=st.sampled_from((str, str.upper, str.title)),
)
def test_no_wrapping_hides_a_hostile_query(opened, path, core, wrappers, blank, cased):
    query = core if "'" in core else cased(core)
    for wrapper in wrappers:
        query = wrapper.replace("{}", query)
    refused(lambda q: user_sql.rows(opened, q), query.replace(" ", blank), path.parent)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(" ".join((*SELECTS, *WRAPPERS, *BENIGN)).split(" ")), min_size=1, max_size=12))
def test_no_heap_of_words_tells_a_secret(opened, path, words):
    try:
        output = user_sql.rows(opened, " ".join(words)).write_csv()
    except QueryError as error:
        output = str(error)
    except pl.exceptions.ComputeError:
        return  # the rows are nested, CSV is not
    assert not any(secret in output for secret in (path.parent.name, CANARY, ENVIRONMENT))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT nosuch FROM scores", '"nosuch" not found'),
        ("SELECT * FROM nosuch", "nosuch is not a table"),
        ("SELECT 'x'::INT", "Could not convert"),
        ("SELECT round('x') FROM scores", "type casts"),
        ("SELECT INTERVAL 1 YEAR", "CAST it to VARCHAR"),
        ("SELECT {'a': INTERVAL 1 YEAR}", "CAST it to VARCHAR"),
        ("SELECT getenv('HOME')", "getenv is not a function"),
        ("PIVOT images ON subset USING count(*)", "ON column IN"),
        ("SHOW TABLES", "`kallos tables`"),
        (f"SELECT * FROM range({user_sql.MAX_ROWS + 1})", "add a LIMIT"),
        (f"SELECT repeat('x', 4000) FROM range({user_sql.MAX_ROWS})", "fewer rows or columns"),
    ],
)
def test_a_refusal_says_what_to_do(opened, path, query, says):
    assert says in refused(lambda q: user_sql.rows(opened, q), query, path.parent)


ENDLESS = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT max(range) FROM range(1000000000000000000)",
    "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
)
GREEDY = (
    "SELECT len(repeat('x', 2000000000))",
    "SELECT len(range(4000000000))",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = -1",
    "SELECT string_agg(repeat('x', 1000000)) FROM range(3000)",
    "SELECT range, repeat('x', 100000) FROM range(100000)",
    "SELECT * FROM (SELECT random() AS r, repeat('x', 1000) AS s FROM range(10000000)) ORDER BY r",
    "SELECT " + "(SELECT " * 800 + "1" + ")" * 800,
)


@pytest.mark.parametrize("query", ENDLESS)
def test_a_query_without_end_is_ended_even_where_duckdb_cannot_interrupt_it(path, monkeypatch, query):
    monkeypatch.setattr(user_sql, "MAX_SECONDS", 3)
    began = time.monotonic()
    assert "longer than 3 s" in refused(lambda q: user_sql.select(path, q), query, path.parent)
    assert time.monotonic() - began < 6


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only DuckDB's own memory limit holds")
@pytest.mark.parametrize("query", GREEDY, ids=[q[:60] for q in GREEDY])
def test_a_query_cannot_take_the_memory_or_the_disk(path, tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    assert "too much memory" in refused(lambda q: user_sql.select(path, q), query, path.parent)
    assert not list(tmp_path.iterdir())


def test_a_long_text_is_not_even_read(path):
    with pytest.raises(QueryError, match="characters"):
        user_sql.select(path, "SELECT 1" + " " * user_sql.MAX_CHARACTERS)


def test_text_that_is_not_unicode_becomes_question_marks(path):
    assert user_sql.select(path, "SELECT '\ud800'").item() == "?"


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="no store"):
        user_sql.select(tmp_path / "none.duckdb", "SELECT 1")


def test_the_command_refuses_with_the_exit_code_of_sql(path):
    assert kallos_ok("sql", "SELECT count(*) AS n FROM scores", "--json", "--store", path).json() == [{"n": 80}]
    answer = kallos("sql", "SELECT * FROM duckdb_databases()", "--store", path)
    assert answer.code == QueryError.exit_code
    # the advice repeats the --store that was typed
    assert str(path.parent) not in answer.out + answer.err.replace(f"--store {path}", "")


def test_no_allowed_function_tells_of_the_process_whatever_it_is_asked(opened, path):
    """Also those that a later DuckDB brings and calls pure."""
    names = [n for (n,) in opened.connection.sql(user_sql.PURE_FUNCTIONS).fetchall() if n.isidentifier()]
    assert len(names) > 500
    arguments = (
        "",
        "'KALLOS_CANARY'",
        "'secret_directory'",
        f"'{path.parent}/secret.csv'",
        "'SELECT * FROM locations'",
    )
    for name in names:
        for argument in arguments:
            try:
                answer = str(opened.connection.sql(f'SELECT "{name}"({argument})').fetchall())
            except duckdb.Error:
                continue
            assert not any(secret in answer for secret in (CANARY, ENVIRONMENT, "stored_secrets", "data_set")), name
