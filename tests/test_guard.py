"""SQL from people: one SELECT goes through, nothing else does."""

from pathlib import Path

import pytest

from featurestore import guard
from featurestore.errors import QueryError
from featurestore.store import Store

HOSTILE = [
    "DELETE FROM images",
    "DROP TABLE images",
    "CREATE TABLE x (i INT)",
    "INSERT INTO store_info VALUES (2, now())",
    "UPDATE store_info SET schema_version = 2",
    "SELECT 1; DROP TABLE images",
    "COPY images TO 'stolen.csv'",
    "ATTACH 'other.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "PRAGMA database_list",
    "SELECT * FROM read_csv('secret.csv')",
    "SELECT * FROM 'secret.csv'",
    "SELECT * FROM read_text('secret.csv')",
    "SELECT * FROM glob('*')",
    "EXPORT DATABASE 'copy'",
    "CHECKPOINT",
    "",
    "SELEC 1",
]


@pytest.fixture
def path(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("password\nhunter2\n")
    with Store.open(tmp_path / "s.duckdb"):
        return tmp_path / "s.duckdb"


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_sql_is_refused_and_changes_nothing(path, query):
    before = {p.name for p in path.parent.iterdir()}
    with pytest.raises(QueryError):
        guard.select(path, query)
    assert {p.name for p in path.parent.iterdir()} == before
    assert guard.select(path, "SELECT schema_version FROM store_info").item() == 1


def test_a_python_variable_is_not_a_table(path):
    secret = {"password": ["hunter2"]}
    assert secret
    with pytest.raises(QueryError):
        guard.select(path, "SELECT * FROM secret")


def test_select_with_and_from_first_go_through(path):
    assert guard.select(path, "WITH x AS (SELECT 1 AS one) SELECT one FROM x").item() == 1
    assert len(guard.select(path, "FROM store_info")) == 1


def test_too_many_rows(path):
    with pytest.raises(QueryError, match="LIMIT"):
        guard.select(path, f"SELECT * FROM range({guard.MAX_ROWS + 1})")


def test_too_slow(path, monkeypatch):
    monkeypatch.setattr(guard, "MAX_SECONDS", 0.3)
    with pytest.raises(QueryError, match="longer than"):
        guard.select(path, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = -1")
