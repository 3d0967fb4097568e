"""After any additions, erasures and changes of roles, statistics are those that a fit from nothing gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from featurestore import normalization_statistics
from featurestore.normalization import averageness
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.versions import forget
from tests.synthetic_store import DATA_SET, PROTOCOL, content, make_store

ALL, STEP = 20, 5


@pytest.fixture(autouse=True)
def few_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some 40 training photos a few do not count yet, as of 10,000 in a large store."""
    monkeypatch.setattr(normalization_statistics, "ALL", ALL)
    monkeypatch.setattr(normalization_statistics, "STEP", STEP)


def add(store: Store, like: int, role: str = "train") -> str:
    """A rated photo with features of its own, such as another has; gives its id."""
    old = f"{DATA_SET}/{like:04d}.png"
    new = f"{DATA_SET}/new-{store.value('SELECT count(*) FROM images')}-{like}.png"
    named = f"SELECT * REPLACE ('{new}' AS image_id"
    store.execute(f"INSERT INTO images {named}, '{content(new)}' AS sha256) FROM images WHERE image_id = '{old}'")
    store.execute(f"INSERT INTO scores {named}) FROM scores WHERE image_id = '{old}'")
    store.execute(f"INSERT INTO splits {named}, '{role}' AS role) FROM splits WHERE image_id = '{old}'")
    for extractor, column in (("geometry", "features"), ("skin", "features"), ("shape", "shape")):
        table = store.value("SELECT table_name FROM extractor_versions WHERE extractor = $e", e=extractor)
        store.execute(
            f"""INSERT INTO "{table}" SELECT '{content(new)}', list_transform({column}, lambda x: x * 1.25)
            FROM "{table}" WHERE sha256 = '{content(old)}'"""
        )
    return new


def erase(store: Store, place: int) -> None:
    gone = store.frame("SELECT image_id, sha256 FROM images ORDER BY image_id").row(place)
    forget(store, pl.Series([gone[1]]))
    for table in ("images", "scores", "splits"):
        store.execute(f"DELETE FROM {table} WHERE image_id = $id", id=gone[0])


def change_role(store: Store, place: int) -> None:
    image_id = store.frame("SELECT DISTINCT image_id FROM splits ORDER BY ALL")["image_id"][place]
    store.execute(
        "UPDATE splits SET role = if(role = 'test', 'train', 'test') WHERE image_id = $id AND fold = $fold",
        id=image_id,
        fold=1 + place % 2,
    )


def trained(store: Store, fold: int) -> list[str]:
    """By hand: the hashes of a fold's training photos with features, as they were ingested."""
    rated = store.frame(
        "SELECT image_id FROM splits SEMI JOIN scores USING (image_id, trait) WHERE role = 'train' AND fold = $f",
        f=fold,
    )["image_id"]
    with_features = store.frame("SELECT image_id FROM geometric_features JOIN shapes USING (image_id)")["image_id"]
    images = store.frame("SELECT image_id, sha256 FROM images")
    return [sha256 for image_id, sha256 in images.iter_rows() if image_id in {*rated} & {*with_features}]


def counted(store: Store, fold: int) -> list[str]:
    """Those of them that count, ascending."""
    hashes = trained(store, fold)
    return sorted(hashes[: max(ALL, len(hashes) // STEP * STEP)])


def check(store: Store) -> None:
    """Every fold has the statistics of its training photos, computed by NumPy on all of them at once."""
    raw = store.frame(
        "SELECT sha256, * EXCLUDE (sha256) FROM geometric_features JOIN shapes USING (image_id) "
        "JOIN (SELECT image_id, sha256 FROM images) USING (image_id) ORDER BY sha256"
    )
    current = store.frame("FROM statistics WHERE current")
    assert current["normalization"].sort().to_list() == [f"{PROTOCOL}/1", f"{PROTOCOL}/2"]
    for row in current.iter_rows(named=True):
        rows = raw.filter(pl.col("sha256").is_in(counted(store, int(row["normalization"][-1]))))
        shapes = rows["shape"].to_numpy()
        mean_shape = shapes.astype(np.float64).mean(axis=0).astype(np.float32)
        assert row["mean_shape"] == mean_shape.tolist()
        assert row["row_count"] == len(rows)
        values = rows.drop("sha256", "image_id", "shape").to_numpy()
        values = np.ascontiguousarray(np.column_stack([values, averageness(shapes, mean_shape)]))
        np.testing.assert_array_equal(row["mean"], np.nanmean(values, axis=0))
        np.testing.assert_array_equal(row["sd"], np.nanstd(values, axis=0))


def tables(store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    return (
        store.frame("FROM statistics WHERE current ORDER BY statistics_id"),
        store.frame("FROM normalized_values ORDER BY statistics_id, sha256"),
    )


Change = tuple[Callable[[Store, int], object], int]
CHANGES = st.lists(st.tuples(st.sampled_from([add, erase, change_role]), st.integers(0, 70)), min_size=1, max_size=4)


@given(changes=CHANGES)
@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_after_any_changes_statistics_are_those_of_a_fit_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[Change]
) -> None:
    with make_store(tmp_path_factory.mktemp("s") / "s.duckdb", trained=False) as store:
        normalization_statistics.fit(store)
        for change, place in changes:
            change(store, place)
            normalization_statistics.fit(store)
            check(store)
        followed = tables(store)
        store.execute("DELETE FROM statistics; DELETE FROM normalized_values")
        normalization_statistics.fit(store)
        assert all(now.equals(before, null_equal=True) for now, before in zip(tables(store), followed, strict=True))


def test_photos_more_change_nothing_but_their_own_rows_until_a_step_is_whole(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        first = normalization_statistics.fit(store)
        before = store.frame("SELECT rowid, * FROM normalized_values")
        counts = {fold: len(trained(store, fold)) for fold in (1, 2)}
        for more in range(1, STEP + 1):
            add(store, 0)
            fitted = normalization_statistics.fit(store)
            for fold, count in counts.items():
                step_is_whole = (count + more) // STEP > count // STEP
                assert (fitted[PROTOCOL, fold] != first[PROTOCOL, fold]) == step_is_whole
            if fitted == first:
                after = store.frame("SELECT rowid, * FROM normalized_values")
                assert after[: len(before)].equals(before, null_equal=True)
                assert len(after) == len(before) + 2 * more
        assert fitted != first


def test_statistics_of_which_some_photos_do_not_count_yet_are_used_and_derived_again(tmp_path: Path) -> None:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        fold = training_set(store, PROTOCOL, 1)
        assert len(fold.train.image_ids) > len(counted(store, 1)) >= ALL
        assert training_set(store, PROTOCOL, 1, normalized_by=f"{PROTOCOL}/1").manifest_id == fold.manifest_id
        row = store.frame("FROM statistics").row(0, named=True)
        assert normalization_statistics.rows_of(store, row["sql"]) == (row["row_count"], row["row_hash"])
