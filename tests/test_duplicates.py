"""Near-duplicates are found where they were planted and nowhere else, and the protocol keeps them together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from featurestore.duplicates import FOLDS, PROTOCOL, SAME, find_near_duplicates, leaks, make_protocol
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.outputs import active_table
from featurestore.store import Store
from featurestore.training_sets import training_set
from tests.command import kallos, kallos_ok
from tests.synthetic_store import DATA_SET, add_trait, content, make_store

IMAGES = 200


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", IMAGES, trained=False) as store:
        yield store


def plant(store: Store, image: int, like: int, noise: float = 1e-4, bits: int = 1) -> None:
    """Make one photo look like another: its embedding and shape nearly, its hash but for some bits."""
    own, other = (content(f"{DATA_SET}/{i:04d}.png") for i in (image, like))
    shapes, embeddings = active_table(store, "shape"), active_table(store, "embedding:tiny")
    for table, column in ((shapes, "shape"), (embeddings, "vector")):
        row = store.value(f'SELECT {column} FROM "{table}" WHERE sha256 = $s', s=other)
        near = (np.array(row) * (1 + noise * np.resize([1, -1], len(row)))).tolist()
        store.execute(f'UPDATE "{table}" SET {column} = $near WHERE sha256 = $s', near=near, s=own)
    prints = active_table(store, "fingerprint")
    phash = store.value(f'SELECT phash FROM "{prints}" WHERE sha256 = $s', s=other)
    store.execute(
        f'UPDATE "{prints}" SET phash = $phash::UBIGINT WHERE sha256 = $s', phash=phash ^ (2**bits - 1), s=own
    )


def name(image: int) -> str:
    return f"{DATA_SET}/{image:04d}.png"


def test_without_a_copy_nothing_is_found(store):
    assert find_near_duplicates(store).is_empty()


def test_planted_pairs_are_found_and_what_hangs_together_is_a_group(store):
    plant(store, 7, like=3)
    plant(store, 9, like=7)
    plant(store, 50, like=40)
    pairs = find_near_duplicates(store)
    assert pairs.select("image_id", "other_id", "group_id").rows() == [
        (name(3), name(7), name(3)),
        (name(3), name(9), name(3)),
        (name(7), name(9), name(3)),
        (name(40), name(50), name(40)),
    ]
    assert pairs["hamming"].to_list() == [1, 0, 1, 1]
    assert (pairs["cosine_distance"] < 1e-3).all()
    assert store.frame("FROM near_duplicates ORDER BY ALL").equals(pairs)
    assert find_near_duplicates(store).equals(pairs), "found again, nothing changes"


def far_in(store: Store, spoilt: str) -> None:
    """Give photo 7 what another photo has in one measure."""
    far = content(name(100))
    table = active_table(store, spoilt)
    columns = {"fingerprint": "phash", "shape": "shape", "embedding:tiny": "vector"}[spoilt]
    store.execute(
        f'UPDATE "{table}" SET {columns} = (SELECT {columns} FROM "{table}" WHERE sha256 = $far) WHERE sha256 = $own',
        far=far,
        own=content(name(7)),
    )


def is_found(store: Store) -> bool:
    return (name(3), name(7)) in find_near_duplicates(store).select("image_id", "other_id").rows()


@pytest.mark.parametrize("spoilt", ["fingerprint", "shape", "embedding:tiny"])
def test_where_hashes_differ_all_three_measures_must_agree(store, spoilt):
    plant(store, 7, like=3, bits=SAME + 1)
    assert is_found(store)
    far_in(store, spoilt)
    assert not is_found(store)


def test_all_but_equal_hashes_of_near_shapes_need_no_embedding(store):
    plant(store, 7, like=3, bits=SAME)
    far_in(store, "embedding:tiny")
    assert is_found(store)
    far_in(store, "shape")
    assert not is_found(store)


def test_a_network_that_tells_people_apart_finds_other_photos_of_one_person(store):
    change = {"parameters": {"weights_sha256": "faces"}}
    store.execute(
        "UPDATE extractor_versions SET recipe = json_merge_patch(recipe, $change) WHERE output = 'embeddings'",
        change=json.dumps(change),
    )
    found = [
        set(find_near_duplicates(store, same_person={weights: limit}).select("image_id", "other_id").rows())
        for weights, limit in (("ImageNet", 0.7), ("faces", 0.999), ("faces", 0.7), ("faces", 0.3))
    ]
    assert not found[0]
    assert found[1] < found[2] < found[3]
    vectors = store.frame("SELECT image_id, vector FROM embeddings ORDER BY image_id")
    centred = vectors["vector"].to_numpy() - vectors["vector"].to_numpy().mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = unit @ unit.T
    one, other = np.nonzero(np.triu(cosines >= 0.7, 1))
    ids = vectors["image_id"]
    assert found[2] == {(ids[int(i)], ids[int(j)]) for i, j in zip(one, other, strict=True)}


def test_copies_of_the_same_bytes_are_pairs(store):
    store.execute(
        f"INSERT INTO images SELECT * REPLACE ('{DATA_SET}/copy.png' AS image_id) FROM images WHERE image_id = '{name(5)}'"
    )
    assert find_near_duplicates(store).rows() == [(name(5), f"{DATA_SET}/copy.png", 0, 0.0, name(5))]


def test_a_photo_that_left_is_no_copy(store):
    plant(store, 7, like=3)
    find_near_duplicates(store)
    store.execute(f"DELETE FROM images WHERE image_id = '{name(7)}'")
    assert find_near_duplicates(store).is_empty()


def protocol(store: Store) -> pl.DataFrame:
    return store.frame(
        "SELECT image_id, fold, role, subset, score, sha256 FROM splits JOIN images USING (image_id) "
        "JOIN scores USING (image_id, trait) WHERE protocol = $p ORDER BY fold, image_id",
        p=PROTOCOL,
    )


def test_the_folds_are_whole_groups_balanced_and_cover_everything_once(store):
    chain = [(7, 3), (9, 7), (50, 40), (61, 60), (62, 60), (63, 61)]
    for image, like in chain:
        plant(store, image, like)
    find_near_duplicates(store)
    make_protocol(store)
    rows = protocol(store)
    tested = rows.filter(pl.col("role") == "test")
    assert len(rows) == FOLDS * (IMAGES - 1)
    assert tested["image_id"].is_unique().all()
    assert len(tested) == IMAGES - 1
    fold_of = dict(tested.select("image_id", "fold").iter_rows())
    assert all(fold_of[name(image)] == fold_of[name(like)] for image, like in chain)
    sizes = tested.group_by("fold").len()["len"]
    assert sizes.max() - sizes.min() <= 6
    by_subset = tested.group_by("fold", "subset").len()["len"]
    assert by_subset.max() - by_subset.min() <= 6
    means = tested.group_by("fold").agg(pl.col("score").mean())["score"]
    assert means.max() - means.min() < 0.15
    assert {row["leaked"] for row in leaks(store).filter(pl.col("protocol") == PROTOCOL).iter_rows(named=True)} == {0}


def test_the_folds_depend_neither_on_the_order_of_rows_nor_on_names(store):
    make_protocol(store)
    before = protocol(store).select("sha256", "fold", "role").sort("fold", "sha256")
    store.execute("CREATE TABLE shuffled AS FROM images ORDER BY hash(image_id || 'x')")
    store.execute("DELETE FROM images")
    store.execute("INSERT INTO images FROM shuffled")
    make_protocol(store)
    assert protocol(store).select("sha256", "fold", "role").sort("fold", "sha256").equals(before)


def test_a_training_set_of_the_protocol_can_be_made(store):
    make_protocol(store)
    fold = training_set(store, PROTOCOL, 2)
    assert len(fold.train) + len(fold.test) == IMAGES - 1


def test_another_trait_has_a_protocol_of_its_own_and_the_first_keeps_its_name(store):
    make_protocol(store)
    before = protocol(store)
    add_trait(store, "trustworthy")
    make_protocol(store)
    assert store.frame(
        "SELECT protocol, trait, count(*) FROM splits WHERE starts_with(protocol, $p) GROUP BY ALL ORDER BY ALL",
        p=PROTOCOL,
    ).rows() == [
        (PROTOCOL, "score", FOLDS * (IMAGES - 1)),
        (f"{PROTOCOL}-trustworthy", "trustworthy", FOLDS * (IMAGES - 1)),
    ]
    assert protocol(store).equals(before)


def test_with_two_traits_from_the_start_each_is_named(store):
    add_trait(store, "trustworthy")
    make_protocol(store)
    protocols = store.frame("SELECT DISTINCT protocol, trait FROM splits WHERE starts_with(protocol, $p)", p=PROTOCOL)
    assert set(protocols.rows()) == {(f"{PROTOCOL}-{trait}", trait) for trait in ("score", "trustworthy")}


def test_leaks_are_counted_by_fold(store):
    """0002 and 0003 stand in different roles of the made-up folds, 0002 and 0004 do not."""
    plant(store, 3, like=2)
    find_near_duplicates(store)
    assert leaks(store).rows() == [("made-up-2fold", 1, 100, 1), ("made-up-2fold", 2, 100, 1)]


def test_before_extract_and_with_an_unknown_encoder(tmp_path, store):
    with pytest.raises(UsageError, match="--encoder resnet18"):
        find_near_duplicates(store, "resnet18")
    with (
        make_store(tmp_path / "bare.duckdb", extracted=False, trained=False) as bare,
        pytest.raises(PrerequisiteError, match="extract"),
    ):
        find_near_duplicates(bare)


def test_the_command_on_drawn_portraits(workspace, tmp_path):
    copy = tmp_path / "s.duckdb"
    copy.write_bytes(workspace.store.read_bytes())
    answer = kallos_ok("duplicates", "--store", copy, "--sheet", tmp_path / "sheet.png")
    assert "identity-disjoint" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    report = kallos_ok("duplicates", "--store", copy, "--json").json()
    assert {leak["leaked"] for leak in report["leaks"] if leak["protocol"] == PROTOCOL} == {0}
    assert kallos("duplicates", "--data-set", "nobody", "--store", copy).code == 2


def test_training_without_a_protocol_still_takes_the_data_sets_own(workspace, tmp_path):
    copy = tmp_path / "s.duckdb"
    copy.write_bytes(workspace.store.read_bytes())
    kallos_ok("duplicates", "--store", copy)
    answer = kallos_ok("train", "baseline", "--store", copy)
    assert "demo-5fold fold 1" in answer.err
    disjoint = kallos_ok("train", "baseline", "--protocol", PROTOCOL, "--fold", 2, "--store", copy)
    assert f"{PROTOCOL} fold 2" in disjoint.err
