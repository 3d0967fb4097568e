"""Compacting, erasing and examining a store."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from extractors.outputs import Field, Output
from featurestore.errors import StoreError, UsageError
from featurestore.migrations import backups
from featurestore.opening import open_store
from featurestore.upkeep import compacting
from featurestore.upkeep.compacting import compact, rewrite
from featurestore.upkeep.erasure import Receipt, erase
from featurestore.upkeep.health import examine
from featurestore.versions import activate, register
from tests.command import kallos, kallos_ok
from tests.synthetic_store import content, make_store

ERASED = "made-up/0001.png"


def unkept(receipt: Receipt) -> None:
    """Where no receipt is asked for."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.duckdb"
    make_store(path).close()
    return path


@pytest.fixture
def path(sound, tmp_path) -> Path:
    shutil.copy(sound, tmp_path / "s.duckdb")
    return tmp_path / "s.duckdb"


def contents(path: Path) -> dict[str, object]:
    """Every table and view with its rows; of tables in order, of views sorted, as some compute."""
    with open_store(path, read_only=True) as store:
        tables = store.frame("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL")["table_name"]
        views = store.frame("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL")["view_name"]
        in_order = {name: store.frame(f'SELECT * FROM "{name}"') for name in tables}
        return in_order | {name: store.frame(f'SELECT * FROM "{name}" ORDER BY ALL') for name in views}


def catalogue(path: Path) -> object:
    with open_store(path, read_only=True) as store:
        return store.frame(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).rows()


def test_rewriting_changes_nothing_but_the_file(path):
    before, described = contents(path), catalogue(path)
    rewrite(path)
    assert catalogue(path) == described
    after = contents(path)
    assert before.keys() == after.keys()
    for name, rows in before.items():
        # some views compute, and a sum depends on the order of its parts
        assert_frame_equal(rows, after[name], rel_tol=1e-12, abs_tol=1e-12)


def test_a_rewrite_that_fails_leaves_the_store_as_it_was(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(compacting, "quote", lambda fresh: "'/no/such/folder/x.duckdb'")
    with pytest.raises(StoreError, match="as it was"):
        rewrite(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == [path.name]


def test_compact_drops_earlier_versions_and_orphans_only(path):
    newer = Output("geometry", "geometric_features", "made up", (Field("jaw_width", "float64", "made up"),), 2)
    with open_store(path) as store:
        older = store.value("SELECT table_name FROM extractor_versions WHERE extractor = 'geometry'")
        with store.transaction():
            register(store, [newer])
            store.execute(f'INSERT INTO "{newer.table_name}" SELECT sha256, features[5:5]::DOUBLE[1] FROM "{older}"')
            activate(store, [("geometry", newer.version)])
        store.execute(f"DELETE FROM images WHERE image_id = '{ERASED}'")
        shapes = store.value("SELECT count(*) FROM shapes")
    report = compact(path)
    assert [extractor for extractor, _ in report.versions] == ["geometry"]
    assert report.orphans > 5
    assert len(report.unverified) == 5
    with open_store(path, read_only=True) as store:
        assert not store.has(older)
        assert store.value("SELECT count(*) FROM geometric_features") == shapes
        assert store.value("SELECT count(*) FROM shapes") == shapes
        assert store.value("SELECT count(*) FROM attempts WHERE sha256 = $s", s=content(ERASED)) == 0
    assert compact(path).versions == ()


def test_the_commands_say_what_they_did(path):
    assert "There was nothing to drop" in kallos_ok("compact", "--store", path).out
    assert kallos_ok("compact", "--store", path, "--json").json()["versions"] == []


# erasing


def test_erasing_leaves_no_row_no_byte_and_no_copy(path):
    notes = path.with_suffix(".runs") / "notes"
    notes.mkdir(parents=True)
    (notes / "harmless.txt").write_text("nothing of anybody")
    (path.parent / "s.schema-1.duckdb").write_bytes(path.read_bytes())
    (path.parent / "s.snapshots").mkdir()
    shutil.copy(path, path.parent / "s.snapshots" / "20260101T000000.000000.duckdb")
    shutil.copy(path, path.parent / ".s.duckdb.rewritten")
    with open_store(path, read_only=True) as store:
        tables = store.frame(
            "SELECT DISTINCT table_name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
            "WHERE column_name IN ('image_id', 'sha256') ORDER BY ALL"
        )["table_name"].to_list()
        held = {
            t
            for t in tables
            if store.frame(f'FROM "{t}"').write_json().count(ERASED)
            or content(ERASED) in store.frame(f'FROM "{t}"').write_json()
        }
    erased = erase(path, [ERASED], unkept)
    receipt = erased.receipt
    assert (receipt.photos, receipt.images, receipt.found) == (1, 1, ())
    assert receipt.rows.keys() == held - {"erasures"}
    assert len(held) >= 12
    assert "s.schema-1.duckdb" in receipt.copies
    assert backups(path) == []
    assert not (path.parent / "s.snapshots").exists()
    assert all(run.startswith("made-up-2fold-1") for run in receipt.trained)
    assert len(receipt.trained) == 5
    for file in path.parent.rglob("*"):
        if file.is_file() and file.suffix != ".png":
            assert ERASED.encode() not in file.read_bytes()
            assert content(ERASED).encode() not in file.read_bytes()
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT count(*) FROM images") == 79
        assert store.frame("SELECT photos, finished FROM erasures").rows() == [(1, True)]


def test_what_is_known_of_a_rater_goes_with_the_last_rating(path):
    with open_store(path) as store:
        store.execute(f"UPDATE ratings SET rater_id = 'once' WHERE image_id = '{ERASED}' AND rater_id = 'r0'")
        store.execute(
            "INSERT INTO rater_attributes VALUES ('made-up', 'once', 'sex', 'f'), ('made-up', 'once', 'age', '9')"
        )
    assert erase(path, [ERASED], unkept).receipt.rows["rater_attributes"] == 2
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT count(*) FROM rater_attributes") == 6


def test_deleting_alone_would_leave_bytes(path):
    """Why a new file is written: this is what DuckDB does without."""
    with open_store(path) as store:
        store.execute(f"DELETE FROM images WHERE image_id = '{ERASED}'")
        store.execute("CHECKPOINT")
    assert ERASED.encode() in path.read_bytes()


def test_copies_of_the_photo_under_other_names_go_too(path):
    with open_store(path) as store:
        store.execute(
            f"INSERT INTO images SELECT * REPLACE ('made-up/copy.png' AS image_id) FROM images WHERE image_id = '{ERASED}'"
        )
    assert erase(path, [ERASED], unkept).image_ids == (ERASED, "made-up/copy.png")


def test_an_unknown_id_erases_nothing(path):
    before = contents(path)
    with pytest.raises(UsageError, match="nothing was erased"):
        erase(path, [ERASED, "made-up/nobody.png"], unkept)
    assert contents(path)["images"].equals(before["images"])


@pytest.mark.parametrize("kind", ["id", "hash", "digest", "vector"])
def test_a_trace_beside_the_store_is_found(path, kind):
    """A positive control: the search does find what it looks for."""
    with open_store(path, read_only=True) as store:
        shape = store.frame("SELECT shape FROM shapes WHERE image_id = $id", id=ERASED)["shape"].to_numpy()[0]
    traces = {
        "id": ERASED.encode(),
        "hash": content(ERASED).encode(),
        "digest": bytes.fromhex(content(ERASED)),
        "vector": np.float32(shape).tobytes(),
    }
    pack = path.with_suffix(".runs") / "pack.bin"
    pack.parent.mkdir()
    pack.write_bytes(b"before" + traces[kind] + b"after")
    answer = kallos("erase", ERASED, "--store", path)
    assert (answer.code, "pack.bin" in answer.err) == (11, True)
    pack.unlink()
    assert kallos("erase", ERASED, "--store", path).code == 0, "the same command goes on"


def test_a_vector_left_in_a_column_is_found(path):
    with open_store(path) as store:
        store.execute("UPDATE statistics SET mean_shape = (SELECT shape FROM shapes WHERE image_id = $id)", id=ERASED)
    assert "statistics.mean_shape" in erase(path, [ERASED], unkept).receipt.found


def test_an_erasure_that_was_killed_is_finished_by_the_same_command(path, monkeypatch):
    """Killed when rows are deleted and bytes are not: the id is unknown by then, and still the command goes on."""
    from featurestore.upkeep import erasure

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(erasure, "rewrite", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(path, [ERASED], unkept)
    monkeypatch.undo()
    assert ERASED.encode() in path.read_bytes()
    assert "erasures" in [symptom.what for symptom in examine(path) if symptom.state == "warn"]
    kallos_ok("erase", ERASED, "--store", path)
    assert ERASED.encode() not in path.read_bytes()
    assert all(symptom.state == "ok" for symptom in examine(path))


def test_the_receipt_names_nobody_and_the_screen_says_what_is_left_to_do(path):
    answer = kallos_ok("erase", ERASED, "--store", path)
    (receipt,) = path.parent.glob("s.erased-*.json")
    assert "0001.png" not in receipt.read_text()
    assert json.loads(receipt.read_text())["photos"] == 1
    screen = " ".join(answer.out.split())
    assert "Still in your folders" in screen
    assert "made-up-2fold-1-baseline" in screen
    assert re.search(r"\d+ files?, [\d.]+ MiB, searched", screen)


# examining


def test_a_sound_store_is_well(path):
    symptoms = examine(path)
    assert {symptom.state for symptom in symptoms} == {"ok"}
    assert {"tables", "views", "rows and ledger"} <= {symptom.what for symptom in symptoms}


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("ALTER TABLE scores DROP COLUMN sd", "tables"),
        ("DROP VIEW feature_catalog", "views"),
        ("UPDATE attempts SET status = 'crash' WHERE extractor = 'shape'", "rows and ledger"),
        ("UPDATE runs SET status = 'running'", "runs"),
    ],
)
def test_what_is_not_well_is_named(path, harm, what):
    with open_store(path) as store:
        store.execute(harm)
    assert what in [symptom.what for symptom in examine(path) if symptom.state != "ok"]


def test_doctor_tells_of_installation_machine_weights_and_store(workspace):
    report = kallos_ok("doctor", "--store", workspace.store, "--json").json()
    assert list(report["parts"]) == ["Installation", "Machine", "Weights", "Store"]
    assert {"kallos", "duckdb", "landmarker"} <= {symptom["what"] for symptom in report["parts"]["Installation"]}
    assert "all is well" in kallos_ok("doctor", "--store", workspace.store).out


def test_doctor_without_a_store_and_with_a_broken_one(tmp_path):
    assert "There is no store" in kallos_ok("doctor", "--store", tmp_path / "none.duckdb").out
    (tmp_path / "letter.duckdb").write_text("dear reader")
    assert kallos("doctor", "--store", tmp_path / "letter.duckdb").code == 11


def test_nothing_is_compacted_while_another_process_writes(path):
    code = f"from pathlib import Path; from featurestore.opening import open_store; s = open_store(Path({str(path)!r})); print('open', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=str(holder.pid)):
            compact(path)
    finally:
        holder.communicate("\n")


def test_an_erasure_counts_as_finished_when_its_receipt_is_kept(path: Path):
    def killed(receipt: Receipt) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(path, [ERASED], killed)
    receipts = []
    assert not erase(path, [ERASED], receipts.append).receipt.found
    assert len(receipts) == 1
    with open_store(path, read_only=True) as store:
        assert store.value("SELECT bool_and(finished) FROM erasures")
