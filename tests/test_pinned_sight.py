"""What a model saw is pinned: photos by their hashes, crops and settings in the run's id, fits by their machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from extractors.errors import InputError
from featurestore import machine
from featurestore.opening import open_store
from featurestore.store import Store
from featurestore.verification import verify
from kallos.workflows import cross_fit
from kallos.workflows.cross_fit import FITS, ORIGIN, CrossFit
from kallos.workflows.fold import Fold
from kallos.workflows.progress import ignore
from kallos.workflows.train import train
from models.image.fitter import ImageFitter
from models.image.spec import IMAGE
from models.loading import load_model
from models.spec import Options
from tests.command import kallos_ok

PROTOCOL = "demo-5fold"
QUICK = Options(
    backbone="squeezenet1_1", weights="none", image_size=64, epochs=1, precision="float32", seed=3, batch_size=16
)


@pytest.fixture
def copy(workspace, tmp_path) -> Path:
    """The trained store, with photos of its own."""
    path = tmp_path / "s.duckdb"
    shutil.copy(workspace.store, path)
    shutil.copytree(workspace.store.with_suffix(".runs"), path.with_suffix(".runs"))
    shutil.copytree(workspace.portraits, tmp_path / "portraits")
    with open_store(path) as store:
        root = store.value("SELECT root FROM locations")
        store.execute(
            "UPDATE locations SET root = $root",
            root=str(root).replace(str(workspace.portraits.resolve()), str(tmp_path / "portraits")),
        )
    return path


@pytest.fixture
def store(copy) -> Iterator[Store]:
    with open_store(copy) as opened:
        yield opened


def run_of(store: Store, model: str) -> str:
    return str(store.value("SELECT run_id FROM runs WHERE model = $model", model=model))


def broken(store: Store, run_id: str) -> set[str]:
    return {each.what for each in verify(store, run_id).compared if not each.holds}


def test_a_photo_that_has_changed_stops_a_training_and_nothing_is_lost(copy):
    with open_store(copy) as store:
        before = store.frame("FROM runs ORDER BY run_id")
        photo = store.value(
            "SELECT root || '/' || path FROM images JOIN locations USING (data_set) JOIN splits USING (image_id) "
            "SEMI JOIN landmarks USING (image_id) WHERE protocol = $p AND fold = 1 AND role = 'test'",
            p=PROTOCOL,
        )
    content = Path(photo).read_bytes()
    Path(photo).write_bytes(content + b"another byte")
    with pytest.raises(InputError, match=r"has changed since it was ingested: put the former file back, or .*`kallos"):
        train(copy, ["a"], protocol=PROTOCOL, options=QUICK)
    with open_store(copy) as store:
        assert store.frame("FROM runs ORDER BY run_id").equals(before)
    Path(photo).write_bytes(content)
    train(copy, ["a"], protocol=PROTOCOL, options=QUICK)
    with open_store(copy) as store:
        assert len(store.frame("FROM runs")) == len(before) + 1


def test_the_id_of_a_run_depends_on_how_faces_are_cropped(store, monkeypatch):
    def ids() -> list[str]:
        chosen = Fold(store, PROTOCOL, 1, None, ignore)
        return [CrossFit(chosen, spec, fitter)._run_id for spec, fitter in ((IMAGE, ImageFitter(QUICK)),)]

    before = ids()
    assert ids() == before
    monkeypatch.setattr(cross_fit, "RECIPE", cross_fit.RECIPE | {"crop_margin": 0.3})
    assert ids() != before


@pytest.mark.parametrize(
    ("model", "change", "shown"),
    [
        ("a", "$.seed", {"id of the run: settings, manifest"}),
        ("a", "$.crops.alignment", {"id of the run: settings, manifest", "crops of the faces"}),
        ("ridge", "$.training_code", {"id of the run: settings, manifest"}),
        ("a", "$.computing.threads", set()),
        ("a", "$.fits.1.machine", set()),
    ],
)
def test_the_id_of_a_run_is_derived_from_what_is_recorded(store, model, change, shown):
    run_id = run_of(store, model)
    assert verify(store, run_id).holds
    config = json.loads(store.value("SELECT config FROM runs WHERE run_id = $id", id=run_id))
    *path, name = change.removeprefix("$.").split(".")
    inner = config
    for step in path:
        inner = inner[step]
    assert name in inner
    inner[name] = 77
    store.execute("UPDATE runs SET config = $config WHERE run_id = $id", config=json.dumps(config), id=run_id)
    assert broken(store, run_id) == shown


def test_crops_of_another_kallos_show(store, monkeypatch):
    from featurestore import verification

    monkeypatch.setattr(verification, "RECIPE", verification.RECIPE | {"alignment": 99})
    assert broken(store, run_of(store, "a")) == {"crops of the faces"}


def test_fits_from_another_machine_are_named_in_every_report_of_the_run(copy, monkeypatch):
    with open_store(copy) as store:
        ridge = run_of(store, "ridge")
        fits = json.loads(store.value("SELECT config FROM runs WHERE run_id = $id", id=ridge))["fits"]
        store.execute("DELETE FROM runs WHERE run_id = $id", id=ridge)
    assert len({fit["fit"] for fit in fits.values()}) == len(fits) > 1
    assert machine.elsewhere(fits.values()) == ()
    moved, unknown = (copy.with_suffix(".runs") / FITS / fits[part]["fit"] / ORIGIN for part in ("1", "2"))
    moved.write_text(json.dumps(json.loads(moved.read_text()) | {"machine": "0123abcd", "device": "Plan9 vax"}))
    unknown.unlink()
    train(copy, ["baseline"], protocol=PROTOCOL)  # which the ridge regression is trained with
    for report in ("training", "lineage"):
        output = " ".join(kallos_ok("report", report, "--run", ridge, "--store", copy).out.split())
        assert "fits from Plan9 vax, machine 0123abcd" in output
        assert f"fits from {machine.NOT_RECORDED}" in output
    card = (copy.with_suffix(".runs") / ridge / "MODEL_CARD.md").read_text()
    assert "with fits from Plan9 vax, machine 0123abcd" in card
    with open_store(copy, read_only=True) as store:
        found = json.loads(store.value("SELECT config FROM runs WHERE run_id = $id", id=ridge))["fits"]
    chosen = [load_model(copy.with_suffix(".runs") / FITS / fit["fit"]).penalty for fit in found.values()]
    assert [fit["penalty"] for fit in found.values()] == chosen
    ends = " to ".join(dict.fromkeys(f"{end(chosen):.2g}" for end in (min, max)))
    assert f"chosen penalty {ends}, with fits" in card
    monkeypatch.setattr(machine.platform, "node", lambda: "elsewhere")
    assert len(machine.elsewhere(fits.values())) == 1, "seen from another machine, all of them are from this one"
