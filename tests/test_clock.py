"""A clock that is put back: what happened last stays last, and every time is UTC."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from featurestore import runs, snapshots
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.versions import activate, rollback
from tests.command import kallos_ok
from tests.synthetic_store import PROTOCOL, make_store

AHEAD = "INTERVAL 400 DAYS"


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb") as store:
        yield store


def again(store: Store, model: str, seed: int) -> str:
    """The newest run of a model once more, as another run that is done."""
    recorded = runs.load(store, runs.latest(store, PROTOCOL, 1)[model])
    run = runs.Run(**vars(recorded) | {"run_id": f"{recorded.run_id}-{seed}"})
    runs.begin(store, run)
    runs.finish(store, run, 1.0)
    return run.run_id


def test_the_run_begun_last_is_the_newest_though_the_clock_was_put_back(store):
    store.execute(f"UPDATE runs SET started_at = started_at + {AHEAD}")
    for seed in range(3):
        assert again(store, "b", seed) == runs.latest(store, PROTOCOL, 1)["b"]
    times = store.frame("SELECT started_at FROM runs")["started_at"]
    assert times.n_unique() == len(times)


def test_a_rollback_shows_the_version_shown_before_though_the_clock_was_put_back(store):
    before = store.value("SELECT version FROM extractor_versions WHERE extractor = 'skin'")
    store.execute(
        "INSERT INTO extractor_versions SELECT extractor, 'oldest', output, table_name, recipe, false, "
        "activated_at - INTERVAL 1 HOUR FROM extractor_versions WHERE extractor = 'skin'"
    )
    store.execute(
        "INSERT INTO extractor_versions SELECT extractor, 'new', output, table_name, recipe, false, NULL "
        "FROM extractor_versions WHERE version = 'oldest'"
    )
    store.execute(f"UPDATE extractor_versions SET activated_at = activated_at + {AHEAD}")
    with store.transaction():
        activate(store, [("skin", "new")])
    assert rollback(store, "skin") == {"skin": before}
    assert rollback(store, "skin") == {"skin": "new"}


def test_readers_get_the_snapshot_taken_last_though_the_clock_was_put_back(store, monkeypatch):
    clock = [datetime.now(UTC) + timedelta(days=400), datetime.now(UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, zone):
            return clock.pop(0).astimezone(zone)

    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "datetime", Clock)
        store.publish()
        store.execute("DELETE FROM scores")
        store._publisher.publish()
    (newest,) = snapshots.files(store.path)
    with open_store(newest, read_only=True) as read:
        assert read.value("SELECT count(*) FROM scores") == 0


def test_a_snapshot_from_a_time_to_come_has_no_negative_age(store, monkeypatch):
    (copy,) = [store.path.with_name("copy.duckdb")]
    snapshots.copy_held_file(store.path, copy)
    held = open_store

    def of_tomorrow(path, **how):
        opened = held(copy, **how)
        opened.snapshot_of, opened.writer = datetime.now(UTC) + timedelta(days=1), "process 1"
        return opened

    monkeypatch.setattr("kallos.workflows.stores.open_store", of_tomorrow)
    assert "snapshot of 0.0 s ago" in " ".join(kallos_ok("tables", "--store", store.path).err.split())


def test_times_are_utc_wherever_the_machine_stands(tmp_path):
    """Where clocks are put back by an hour each autumn, local times would run twice through it."""
    path = tmp_path / "s.duckdb"
    script = "import sys; from pathlib import Path; from featurestore.opening import open_store; open_store(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, path], env=os.environ | {"TZ": "America/New_York"}, check=True)
    with open_store(path, read_only=True) as store:
        created_at = store.value("SELECT created_at FROM store_info").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - created_at) < timedelta(hours=1)
