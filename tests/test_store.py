"""The store: what is written is what is read, and every way of opening it wrongly is one clear sentence."""

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from featurestore.errors import StoreError
from featurestore.opening import open_store
from featurestore.schema import TABLES, VIEWS


def scores(rows: list[tuple[str, float | None, list[int] | None]]) -> pl.DataFrame:
    schema = {"image_id": pl.String, "sd": pl.Float64, "histogram": pl.List(pl.Int32)}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture
def store(tmp_path: Path):
    with open_store(tmp_path / "s.duckdb") as opened:
        yield opened


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
        st.none() | st.floats(allow_nan=True, width=64),
        st.none() | st.lists(st.integers(0, 60), max_size=5),
    ),
    max_size=12,
    unique_by=lambda row: row[0],
)


@given(before=ROWS, after=ROWS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sync_makes_the_table_equal_to_the_rows_and_twice_changes_nothing(store, before, after):
    store.sync("scores", scores(before))
    store.sync("scores", scores(after))
    read = store.frame("SELECT image_id, sd, histogram FROM scores")
    assert_frame_equal(read, scores(after), check_row_order=False)
    assert store.sync("scores", scores(after)) == 0


def test_sync_leaves_rows_outside_its_scope(store):
    store.sync("scores", scores([("x/1", 0.5, None), ("y/1", 0.5, None)]))
    store.sync("scores", scores([("x/2", 0.7, None)]), "starts_with(image_id, $name)", name="x/")
    assert store.frame("SELECT image_id FROM scores ORDER BY ALL")["image_id"].to_list() == ["x/2", "y/1"]


def test_transaction_is_all_or_nothing(store):
    with pytest.raises(RuntimeError), store.transaction():
        store.append("scores", scores([("x", 1.0, None)]))
        raise RuntimeError
    assert store.value("SELECT count(*) FROM scores") == 0


def test_every_table_and_column_has_a_comment(store):
    described = store.describe()
    assert set(described["table"]) == {each.name for each in (*TABLES, *VIEWS)} - {"locations"}
    assert described.filter(pl.col("comment").fill_null("") == "").is_empty()
    assert described.filter(pl.col("table_comment").fill_null("") == "").is_empty()


def test_missing_store_names_the_remedy(tmp_path):
    with pytest.raises(StoreError, match="kallos ingest"):
        open_store(tmp_path / "none.duckdb", read_only=True)


def test_missing_folder(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        open_store(tmp_path / "no" / "s.duckdb")


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path):
    path = tmp_path / "letter.duckdb"
    path.write_text("dear reader")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(path)
    assert path.read_text() == "dear reader"


def test_a_store_of_another_version_is_refused(tmp_path):
    path = tmp_path / "s.duckdb"
    with open_store(path) as store:
        store.execute("UPDATE store_info SET schema_version = 99")
    with pytest.raises(StoreError, match="99"):
        open_store(path)


def test_a_store_that_another_process_holds_names_the_process(tmp_path):
    path = tmp_path / "s.duckdb"
    open_store(path).connection.close()
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=str(holder.pid)):
            open_store(path)
    finally:
        holder.communicate("\n")


def test_a_store_that_was_killed_before_its_first_table_is_made_by_the_next_command(tmp_path: Path):
    path = tmp_path / "s.duckdb"
    for kill in (lambda: duckdb.connect(str(path)).close(), path.touch):
        path.unlink(missing_ok=True)
        kill()
        with pytest.raises(StoreError, match="`kallos ingest --help`"):
            open_store(path, read_only=True)
        with open_store(path) as store:
            assert store.value("SELECT count(*) FROM images") == 0
