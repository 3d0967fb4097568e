"""Shards wait beside the store, are taken in once, and are gone when a photo must be."""

import polars as pl
import pytest

from extractors.outputs import Field, Output
from featurestore.opening import open_store
from featurestore.shards import folder_of, left_over, merge, merge_left_over, write_shard
from featurestore.upkeep.erasure import erase
from featurestore.versions import ATTEMPT_COLUMNS, register

SIZES = Output("sizes", "sizes", "one row an image", (Field("size", "float32[2]", "made up"),), 1)
COLOURS = Output("colours", "colours", "one row an image", (Field("red", "float64", "made up"),), 1)
ONE, TWO, THREE = "a1" * 32, "b2" * 32, "c3" * 32


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "s.duckdb") as opened:
        with opened.transaction():
            register(opened, [SIZES, COLOURS])
            names = ["one", "two", "three"]
            ids = [f"mine/{name}" for name in names]
            images = {"image_id": ids, "data_set": "mine", "path": names, "sha256": [ONE, TWO, THREE]}
            opened.append("images", pl.DataFrame(images))
            opened.append("locations", pl.DataFrame({"data_set": ["mine"], "root": [str(tmp_path)]}))
        folder_of(opened.path).mkdir(parents=True)
        yield opened


def attempts(output, statuses):
    lines = [(sha256, output.extractor, output.version, status, None, 1.5) for sha256, status in statuses.items()]
    return pl.DataFrame(lines, schema=ATTEMPT_COLUMNS, orient="row")


def shard(store):
    """One is ok, two has one output only, three failed."""
    sizes = pl.DataFrame(
        {"sha256": [ONE, TWO], "size": [[1.0, float("nan")], [3.0, 4.0]]},
        schema_overrides={"size": pl.Array(pl.Float32, 2)},
    )
    colours = pl.DataFrame({"sha256": [ONE], "red": [0.1]})
    name = write_shard(
        folder_of(store.path),
        [
            (SIZES, sizes, attempts(SIZES, {ONE: "ok", TWO: "ok", THREE: "crash"})),
            (COLOURS, colours, attempts(COLOURS, {ONE: "ok"})),
        ],
    )
    return folder_of(store.path) / name


def rows(store):
    return {
        table: store.frame(f'SELECT * FROM "{table}" ORDER BY ALL').rows()
        for table in ("attempts", SIZES.table_name, COLOURS.table_name)
    }


def test_a_shard_becomes_rows_and_ledger_and_is_gone(store):
    assert merge(store, [shard(store)]) == (3, 1)
    found = rows(store)
    assert len(found["attempts"]) == 4
    assert str(found[SIZES.table_name]) == str([(ONE, [1.0, float("nan")]), (TWO, [3.0, 4.0])])
    assert found[COLOURS.table_name] == [(ONE, 0.1)]
    assert left_over(store) == []


def test_a_shard_that_was_merged_but_not_removed_changes_nothing(store):
    file = shard(store)
    content = file.read_bytes()
    merge(store, [file])
    once = rows(store)
    file.write_bytes(content)
    merge_left_over(store)
    assert str(rows(store)) == str(once)
    assert not file.exists()


def test_two_shards_of_the_same_photos_are_one(store):
    assert merge(store, [shard(store), shard(store)]) == (3, 1)
    assert len(rows(store)["attempts"]) == 4
    assert len(rows(store)[SIZES.table_name]) == 2


def test_a_photo_that_left_the_store_meanwhile_is_left_out(store):
    file = shard(store)
    store.execute("DELETE FROM images WHERE image_id = 'mine/one'")
    assert merge(store, [file], left_over=True) == (2, 1)
    assert rows(store)[SIZES.table_name] == [(TWO, [3.0, 4.0])]


def test_half_a_shard_and_a_damaged_one_are_removed(store):
    whole = shard(store)
    half = folder_of(store.path) / "killed.partial"
    half.write_bytes(whole.read_bytes()[:100])
    damaged = folder_of(store.path) / "damaged.parquet"
    damaged.write_bytes(whole.read_bytes()[:-50])
    assert left_over(store) == sorted([whole, damaged])
    assert not half.exists()
    assert merge(store, [damaged]) == (0, 0)
    assert left_over(store) == [whole]


def test_erasing_a_photo_removes_shards_that_may_hold_it(store):
    file = shard(store)
    path = store.path
    store.close()
    receipt = erase(path, ["mine/one"], lambda receipt: None).receipt
    assert file.name in receipt.copies
    assert not file.exists()
