"""`kallos plan`: how many photos are fresh, stale, missing, failed or orphaned, and why."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from extractors.outputs import Field
from featurestore.planning import PlanLine, forget_failures, plan
from featurestore.store import Store
from featurestore.versions import rollback
from kallos.workflows.encoders import chosen_encoders
from kallos.workflows.plan import _wall_seconds, plan_report
from models.encoders.network import EncoderNetwork
from reports.pages.plan import render
from tests.command import kallos_ok
from tests.synthetic_store import _outputs, content, make_store


@pytest.fixture
def store(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        yield store


def lines(store: Store, **changed: dict[str, object]) -> dict[str, PlanLine]:
    """The plan of the synthetic outputs, some of them changed; landmarks first."""
    wanted = [replace(output, **changed.get(name, {})) for name, output in _outputs().items()]
    return {line.extractor: line for line in plan(store, wanted)}


def test_all_is_fresh_but_the_image_without_a_face(store):
    for line in lines(store).values():
        assert (line.fresh, line.stale, line.missing, line.failed, line.orphaned) == (79, 0, 0, 1, 0)
        assert line.why == ("1 no_face",)
        assert line.seconds == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"code_version": 2}, "code version 1 → 2"),
        ({"parameters": {"crop": 0.3}}, "crop None → 0.3"),
        ({"inputs": ("abc",)}, "the landmarks have changed"),
        (
            {"fields": [replace(f, version=1 + (f.name == "jaw_width")) for f in _outputs()["geometry"].fields]},
            "another formula of jaw_width",
        ),
        ({"fields": (Field("new", "float64", ""), *_outputs()["geometry"].fields)}, "new column new"),
        ({"fields": _outputs()["geometry"].fields[1:]}, "no column eye_width any more"),
    ],
)
def test_a_changed_recipe_makes_stale_and_says_what_changed(store, change, why):
    line = lines(store, geometry=change)["geometry"]
    assert (line.fresh, line.stale, line.failed) == (0, 79, 1)
    assert why in line.why
    assert line.seconds == pytest.approx(79 * 2.5 / 1000)
    assert lines(store, geometry=change)["skin"].fresh == 79


def test_new_photos_are_missing_and_photos_that_left_are_orphaned(store):
    store.execute(
        "INSERT INTO images BY NAME SELECT 'made-up/new.png' AS image_id, 'made-up' AS data_set, 'new' AS sha256"
    )
    store.execute("DELETE FROM images WHERE image_id = 'made-up/0005.png'")
    for line in lines(store).values():
        assert (line.fresh, line.missing, line.orphaned) == (78, 1, 1)


def test_a_copy_of_a_photo_counts_once(store):
    store.execute(
        "INSERT INTO images SELECT * REPLACE ('made-up/copy.png' AS image_id) FROM images WHERE image_id = 'made-up/0005.png'"
    )
    assert lines(store)["shape"].fresh == 79


def test_failures_can_be_forgotten_and_are_missing_then(store):
    store.execute(
        f"UPDATE attempts SET status = 'crash' WHERE extractor = 'skin' AND sha256 = '{content('made-up/0003.png')}'"
    )
    assert set(lines(store)["skin"].why) == {"1 crash", "1 no_face"}
    forget_failures(store, list(_outputs().values()))
    skin, shape = lines(store)["skin"], lines(store)["shape"]
    assert (skin.fresh, skin.missing, skin.failed) == (78, 2, 0)
    assert (shape.fresh, shape.missing, shape.failed) == (79, 1, 0)


def test_time_is_unknown_until_something_was_recorded(tmp_path):
    with make_store(tmp_path / "s.duckdb", extracted=False, trained=False) as store:
        assert {line.seconds for line in lines(store).values()} == {None}
        assert _wall_seconds(plan(store, list(_outputs().values()))) is None


def test_without_embeddings_the_default_encoder_is_still_to_be_run(tmp_path, monkeypatch):
    with make_store(tmp_path / "s.duckdb", extracted=False, trained=False) as store:
        before = plan_report(store)
        assert [line.extractor for line in before.lines][-1] == "embedding:tf_efficientnet_lite0"
        assert (before.lines[-1].missing, before.lines[-1].version) == (80, None)
        built = []
        monkeypatch.setattr(EncoderNetwork, "build", lambda *names, download: built.append(names) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            chosen_encoders(store, None, None, download=False)
        assert built == [("tf_efficientnet_lite0", "imagenet")], "what the plan says is what an extraction begins with"
    console = Console(file=io.StringIO(), width=200)
    console.print(render(before))
    assert "embedding:tf_efficientnet_lite0: the default encoder, with imagenet weights" in console.file.getvalue()


def test_a_rollback_shows_in_the_plan(store):
    from featurestore.versions import activate, register

    newer = replace(_outputs()["geometry"], code_version=2)
    with store.transaction():
        register(store, [newer])
        activate(store, [("geometry", newer.version)])
    assert lines(store)["geometry"].shown == newer.version
    rollback(store, "geometry")
    assert lines(store)["geometry"].shown is None


def test_the_command_on_real_portraits(workspace):
    report = kallos_ok("plan", "--store", workspace.store, "--json").json()
    names = {re.sub("-[0-9a-f]{8}$", "", line["extractor"]) for line in report["lines"]}
    assert names >= {"landmarks", "geometry", "embedding:mobilenet_v3_small"}
    assert all(line["stale"] + line["missing"] == 0 for line in report["lines"])
    assert report["normalized"] == {"demo-5fold": [5, 5]}
    answer = kallos_ok("plan", "--store", workspace.store).out
    # where lines break depends on how long the path is
    assert "has nothing to do." in " ".join(answer.split())
    assert max(map(len, answer.splitlines())) <= 80
