"""A training pack: what leaves the store, a machine with torch alone that trains it, and what may come back."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from PIL import Image

from extractors.faces import load_faces
from featurestore.store import Store
from kallos.pack_files.safetensors import tensorfile as standin
from kallos.packing import QUALITY
from models.weights import sha256_of_file
from tests.command import done, kallos
from tests.test_cli import refused

MODEL = (
    *("--backbone", "squeezenet1_1", "--weights", "none", "--precision", "float32"),
    *("--image-size", 64, "--epochs", 2, "--seed", 1),
)
FOLD = ("--protocol", "demo-5fold", "--fold", 1)

BARE = """
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

ABSENT = {"duckdb", "polars", "mediapipe", "cv2", "safetensors", "sklearn", "scipy", "lightgbm", "rich", "typer"}
ABSENT |= {"kallos", "models", "extractors", "featurestore"}  # but for those in the pack


class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            path = [place for place in (path or sys.path) if "-packages" not in str(place)]
        return super().find_spec(name, path, target)


sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Bare]
"""
"""As sitecustomize: a Python in which only torch, torchvision and what they bring are installed."""


@dataclass(frozen=True)
class Trained:
    """A store whose missing fits were packed, and the pack, trained on the bare machine."""

    store: Path
    folder: Path
    written: dict[str, bytes]
    outputs: tuple[str, str]

    @property
    def keys(self) -> list[str]:
        return json.loads(self.written["pack.json"])["fits"]


def copied(workspace, folder: Path) -> Path:
    """The workspace's store and runs, to be changed."""
    shutil.copytree(workspace.store.with_suffix(".runs"), folder / "s.runs")
    shutil.copy(workspace.store, folder / "s.duckdb")
    return folder / "s.duckdb"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def bare(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command of the bare machine's Python."""
    (folder / "bare").mkdir(exist_ok=True)
    (folder / "bare" / "sitecustomize.py").write_text(BARE)
    environment = os.environ | {"PYTHONPATH": str(folder / "bare")}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def trained(workspace, tmp_path_factory) -> Trained:
    """Killed within the second fit, then run again to the end."""
    folder = tmp_path_factory.mktemp("pack")
    store, pack = copied(workspace, folder), folder / "pack"
    done("pack", "write", pack, *FOLD, *MODEL, "--store", store)
    written = contents(pack)
    said = ""
    with bare(folder, str(pack / "train.py")) as first:
        while said.count("epoch 1 of 2") < 2:
            line = first.stdout.readline()
            assert line, said
            said += line
        first.send_signal(signal.SIGKILL)
    with bare(folder, str(pack / "train.py")) as second:
        rest = second.stdout.read()
    assert second.returncode == 0, rest
    return Trained(store, pack, written, (said, rest))


@pytest.fixture
def returned(trained, tmp_path) -> Trained:
    """The trained pack and its store, to be changed."""
    shutil.copytree(trained.folder, tmp_path / "pack")
    shutil.copytree(trained.store.with_suffix(".runs"), tmp_path / "s.runs")
    shutil.copy(trained.store, tmp_path / "s.duckdb")
    return Trained(tmp_path / "s.duckdb", tmp_path / "pack", trained.written, trained.outputs)


def sealed(result: Path) -> None:
    """Checksums that fit whatever lies in a result."""
    names = sorted(file.name for file in result.iterdir() if file.name != "checksums.sha256")
    sums = "".join(f"{sha256_of_file(result / name)}  {name}\n" for name in names)
    (result / "checksums.sha256").write_text(sums)


# what leaves


def test_the_bare_machine_has_no_more_than_torch(tmp_path):
    """A positive control of the machine that trains in these tests."""
    for name in ("duckdb", "safetensors", "models.appearance"):
        with bare(tmp_path, "-c", f"import {name}") as tried:
            assert "ModuleNotFoundError" in tried.stdout.read()
    with bare(tmp_path, "-c", "import torchvision") as tried:
        assert tried.stdout.read() == ""


def test_a_pack_holds_training_rows_without_names(trained):
    with Store.open(trained.store, read_only=True) as store:
        roles = store.frame(
            "SELECT role, list(image_id ORDER BY image_id) FROM splits SEMI JOIN geometric_features USING (image_id) "
            "WHERE protocol = 'demo-5fold' AND fold = 1 GROUP BY role"
        )
        ids = {role: tuple(of) for role, of in roles.iter_rows()}
        faces = load_faces(store, ids["train"], lambda done, total: None)
        scores = dict(store.frame("SELECT image_id, score FROM scores").iter_rows())
    assert len([name for name in trained.written if name.startswith("faces/")]) == len(ids["train"])
    by_face: dict[int, float] = {}
    for key in trained.keys:
        rows = {role: safetensors.torch.load(trained.written[f"fits/{key}/{role}.safetensors"]) for role in ("learned", "held_out")}  # fmt: skip
        both = torch.cat([rows["learned"]["face"], rows["held_out"]["face"]]).tolist()
        assert sorted(both) == list(range(len(ids["train"])))
        for role in rows.values():
            by_face |= dict(zip(role["face"].tolist(), role["scores"].tolist(), strict=True))
    assert sorted(by_face.values()) == sorted(scores[image_id] for image_id in ids["train"])
    # each packed face is the nearest to the crop of one image, whose score it has
    for number in range(0, len(by_face), 7):
        face = np.asarray(Image.open(trained.folder / "faces" / f"{number}.jpg"), dtype=np.float64)
        nearest = int(np.argmin([np.abs(face - crop).mean() for crop in faces]))
        assert scores[ids["train"][nearest]] == by_face[number]
        assert np.abs(face - faces[nearest]).mean() < 6
    everything = b"".join(trained.written.values())
    assert not [image_id for image_id in (*ids["train"], *ids["test"]) if image_id.encode() in everything]
    assert str(trained.store.parent).encode() not in everything


def test_scrambled_test_labels_change_no_byte(trained, workspace, tmp_path):
    store = copied(workspace, tmp_path)
    with Store.open(store) as opened:
        opened.execute(
            "UPDATE scores SET score = 6 - score, histogram = list_reverse(histogram) WHERE image_id IN "
            "(SELECT image_id FROM splits WHERE protocol = 'demo-5fold' AND fold = 1 AND role = 'test')"
        )
    done("pack", "write", tmp_path / "pack", *FOLD, *MODEL, "--store", store)
    assert contents(tmp_path / "pack") == trained.written


def test_folds_share_fits_and_what_is_fitted_is_not_packed(workspace, tmp_path):
    store = copied(workspace, tmp_path)
    same = MODEL[:-2]  # as the workspace trained fold 1
    answer = done("pack", "write", tmp_path / "none", *FOLD, *same, "--store", store)
    assert "Nothing to do" in answer.err
    assert not (tmp_path / "none").exists()
    done("pack", "write", tmp_path / "pack", "--protocol", "demo-5fold", *same, "--store", store)
    keys = [folder.name for folder in (tmp_path / "pack" / "fits").iterdir()]
    assert len(keys) == 10 - 4  # pairs of folds that a fit has not seen, but for those with fold 1
    assert not [key for key in keys if (tmp_path / "s.runs" / "fits" / key).exists()]
    refused(kallos("pack", "write", tmp_path / "pack", *FOLD, *MODEL, "--store", store), 3, "something else")


def test_erasing_removes_packs_beside_the_store_and_half_written_ones(workspace, tmp_path, monkeypatch):
    store = copied(workspace, tmp_path)
    inside, outside = tmp_path / "s.runs" / "mine", tmp_path / "pack"
    for folder in (inside, outside):
        done("pack", "write", folder, *FOLD, *MODEL, "--store", store)
    half = inside.with_name(".half.partial")

    def killed(*of):
        shutil.copytree(half, tmp_path / "half")  # what lies there when the process dies
        raise KeyboardInterrupt

    monkeypatch.setattr("kallos.packing._copy_sources", killed)
    assert kallos("pack", "write", inside.with_name("half"), *FOLD, *MODEL, "--store", store).code == 130
    (tmp_path / "half").rename(half)
    assert list(half.glob("faces/*.jpg"))
    done("erase", "demo/P0001.jpg", "--store", store)
    assert not inside.exists()
    assert not half.exists()
    assert outside.exists()
    assert (tmp_path / "s.runs" / "fits").exists()


# what is trained there


def test_a_killed_training_goes_on_and_comes_to_its_end(trained):
    said, rest = trained.outputs
    assert (
        f"4 fits, 0 of them done; training on {torch.cuda.get_device_name() if torch.cuda.is_available() else 'the CPU'}"
        in said
    )
    assert "4 fits, 1 of them done" in rest
    results = contents(trained.folder / "results")
    wanted = ("checksums.sha256", "history.json", "model.json", "model.safetensors")
    assert sorted(results) == sorted(f"{key}/{name}" for key in trained.keys for name in wanted)
    assert not list((trained.folder / "checkpoints").iterdir())


def test_the_runner_trains_as_kallos_does_on_the_same_pixels(trained, workspace, tmp_path, monkeypatch):
    """Bit for bit, the fit that was killed and went on among them."""
    from kallos import training

    def recompressed(*of):
        faces = load_faces(*of)
        for face in faces:
            Image.fromarray(face).save(tmp_path / "face.jpg", quality=QUALITY)
            face[:] = np.asarray(Image.open(tmp_path / "face.jpg"))
        return faces

    monkeypatch.setattr(training, "load_faces", recompressed)
    store = copied(workspace, tmp_path)
    done("train", "a", *FOLD, *MODEL, "--store", store)
    with Store.open(store, read_only=True) as opened:
        folder = opened.value("SELECT folder FROM runs WHERE model = 'a' AND config ->> '$.seed' = '1'")
    for part, key in enumerate(trained.keys, start=1):
        for name in ("model.json", "model.safetensors"):
            here = tmp_path / "s.runs" / folder / f"part-{part}" / name
            assert filecmp.cmp(here, trained.folder / "results" / key / name, shallow=False)


# what comes back


def test_results_are_taken_and_train_only_predicts(returned):
    store = ("--store", returned.store)
    shutil.move(returned.folder / "results" / returned.keys[0], returned.folder / "later")
    assert (
        "took 3 fits; 0 were here already, 1 are not trained yet" in done("pack", "take", returned.folder, *store).err
    )
    shutil.move(returned.folder / "later", returned.folder / "results" / returned.keys[0])
    said = done("pack", "take", returned.folder, *store).err
    assert "took 1 fits; 3 were here already, 0 are not trained yet" in said
    assert "delete it" in said
    answer = done("train", "a", *FOLD, *MODEL, *store)
    assert answer.err.count("is fitted already") == 4
    assert "epoch" not in answer.err
    with Store.open(returned.store, read_only=True) as opened:
        history = opened.frame(
            "SELECT part, epoch FROM training_history JOIN runs USING (run_id) WHERE config ->> '$.seed' = '1' ORDER BY ALL"
        )
        assert history.rows() == [(part, epoch) for part in range(1, 5) for epoch in (1, 2)]


DAMAGES = {
    "bytes": lambda result: (result / "model.safetensors").write_bytes(b"\0" * 99),
    "missing": lambda result: (result / "history.json").unlink(),
    "added": lambda result: (result / "run_me.py").write_text("print('run')"),
}

FORGERIES = {
    "tensors": lambda result: (result / "model.safetensors").write_bytes(b"\0" * 99),
    "other tensors": lambda result: safetensors.torch.save_file({"x": torch.ones(1)}, result / "model.safetensors"),
    "settings": lambda result: edit(result / "model.json", lambda said: said["config"].update(epochs=3)),
    "start": lambda result: edit(result / "model.json", lambda said: said["backbone"].update(weights_sha256="0")),
    "kind": lambda result: edit(result / "model.json", lambda said: said.update(kind="encoder")),
    "no object": lambda result: (result / "model.json").write_text("[]"),
    "shorter": lambda result: edit(result / "history.json", lambda said: said.pop()),
    "words": lambda result: edit(result / "history.json", lambda said: said[0].update(mae="low")),
    "more": lambda result: edit(result / "history.json", lambda said: said[0].update(more=1)),
    "no history": lambda result: (result / "history.json").write_text("{"),
}


def edit(file: Path, change) -> None:
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


@pytest.mark.parametrize("damage", [*DAMAGES, *(f"sealed {name}" for name in FORGERIES)])
def test_a_damaged_or_forged_result_is_refused_and_nothing_is_taken(returned, damage):
    result = returned.folder / "results" / returned.keys[-1]
    name = damage.removeprefix("sealed ")
    if damage in DAMAGES:
        DAMAGES[damage](result)
    else:
        FORGERIES[name](result)
        sealed(result)
    before = contents(returned.store.with_suffix(".runs"))
    refused(kallos("pack", "take", returned.folder, "--store", returned.store), 9, returned.keys[-1])
    assert contents(returned.store.with_suffix(".runs")) == before


def test_foreign_folders_are_refused(returned, workspace, tmp_path):
    def take(folder: Path, store: Path = returned.store):
        return kallos("pack", "take", folder, "--store", store)

    (tmp_path / "other").mkdir()
    refused(take(returned.folder, copied(workspace, tmp_path / "other")), 9, "no pack of this store")
    refused(take(tmp_path / "other"), 9, "no training pack")
    refused(take(tmp_path / "nowhere"), 3, "no folder")
    (returned.folder / "results" / "a-0123456789abcdef").mkdir()
    refused(take(returned.folder), 9, "a-0123456789abcdef")
    shutil.rmtree(returned.folder / "results")
    refused(take(returned.folder), 7, "python train.py")
    edit(returned.folder / "pack.json", lambda said: said["fits"].append("a-0123456789abcdef"))
    refused(take(returned.folder), 9, "has changed")


# the stand-in for safetensors

TENSORS = {
    "weights": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
    "running/mean": torch.arange(5, dtype=torch.float64) * float("nan"),
    "counter": torch.tensor(7),
    "half": torch.ones(3, dtype=torch.float16),
    "brain": torch.ones(3, dtype=torch.bfloat16) / 3,
    "int": torch.arange(3, dtype=torch.int32),
    "byte": torch.arange(3, dtype=torch.uint8),
    "yes": torch.tensor(True),
    "nothing": torch.empty(0, 3),
    'é"': torch.ones(1),
}
HEADER = {"state": json.dumps({"é": [1, 2]}), "fingerprint": "f"}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].shape == other[name].shape
        and one[name].reshape(-1).view(torch.uint8).tolist() == other[name].reshape(-1).view(torch.uint8).tolist()
        for name in one
    )  # fmt: skip


@pytest.mark.parametrize("metadata", [None, HEADER])
def test_the_stand_in_and_the_library_write_the_same_and_read_each_other(tmp_path, metadata):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    standin.save_file(TENSORS, ours, metadata=metadata)
    safetensors.torch.save_file(TENSORS, theirs, metadata=metadata)
    assert metadata or ours.read_bytes() == theirs.read_bytes()  # the library shuffles metadata
    assert same(safetensors.torch.load_file(ours), TENSORS)
    assert same(standin.load_file(theirs), TENSORS)
    with standin.safe_open(theirs, framework="pt") as one, safetensors.safe_open(ours, framework="pt") as other:
        assert one.metadata() == other.metadata() == metadata
        assert sorted(one.keys()) == sorted(other.keys())
        assert torch.equal(one.get_tensor("weights"), other.get_tensor("weights"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:20],
        lambda whole: whole[:-1],
        lambda whole: whole + b"x",
        lambda whole: b"\xff" * 8 + whole[8:],
        lambda whole: whole.replace(b'"F64"', b'"F32"'),
        lambda whole: whole.replace(b'"F64"', b'"X64"'),
        lambda whole: whole.replace(b"[3,4]", b"[4,4]"),
        lambda whole: whole.replace(b"[3,4]", b"[3,x]"),
    ],
)
def test_the_stand_in_refuses_what_the_library_refuses(tmp_path, damage):
    file = tmp_path / "tensors"
    standin.save_file(TENSORS, file)
    damaged = damage(file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    with pytest.raises(safetensors.SafetensorError):
        safetensors.torch.load_file(file)
    with pytest.raises(standin.SafetensorError):
        standin.load_file(file)


def test_a_file_that_is_not_there_is_named_as_the_library_does(tmp_path):
    for module in (standin, safetensors):
        with pytest.raises(FileNotFoundError):
            module.safe_open(tmp_path / "nowhere", framework="pt")
