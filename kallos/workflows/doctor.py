"""Diagnostics of the installation, the machine, the available weights and the store."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path

from ensemble.combiner import Combiner
from featurestore.errors import BundleError
from featurestore.opening import open_store
from featurestore.upkeep.health import Symptom, examine
from featurestore.upkeep.invariants import examine_deeply
from kallos.workflows.extras import TRAINING
from models.encoders.spec import EncoderSpec
from models.registry import ENSEMBLE
from reports.pages.doctor import DoctorReport

OPENCV = "opencv-contrib-python"
PACKAGES = ("duckdb", "polars", "pyarrow", "numpy", "mediapipe", OPENCV, "onnxruntime", "lightgbm")

SCARCE_DISK = 2 * 2**30
"""Bytes: a store of SCUT-FBP5500, its snapshot and a rewritten copy take less than half of it."""


def doctor(store: str | Path, *, deep: bool = False) -> DoctorReport:
    """All that a bug report should contain. Nothing is written.

    `deep` also reads every value of the store, every photo and every trained model.
    """
    store = Path(store)
    parts = {
        "Installation": tuple(_installation()),
        "Machine": tuple(_machine(store)),
        "Weights": tuple(_weights(store)),
        "Store": examine(store),
    }
    if deep and all(symptom.state != "fail" for symptom in parts["Store"]) and store.exists():
        parts |= {"Store, in depth": examine_deeply(store), "Trained models": tuple(_models(store))}
    return DoctorReport(parts)


def _models(store: Path) -> Iterator[Symptom]:
    """Whether the model of every finished run can be loaded."""
    from models.loading import load_model

    with open_store(store, read_only=True) as opened:
        finished = opened.frame("SELECT run_id, model, folder FROM runs WHERE status = 'done' ORDER BY started_at")
        folder = opened.runs_folder
    loaded = 0
    for run_id, model, name in finished.iter_rows():
        try:
            Combiner.load(folder / name) if model == ENSEMBLE else load_model(folder / name)
            loaded += 1
        except BundleError as error:
            yield Symptom(run_id, "fail", str(error))
    yield Symptom("models", "ok", f"{loaded} of {len(finished)} finished runs can be loaded")


def _installation() -> Iterator[Symptom]:
    yield Symptom("kallos", "ok", f"{version('kallos')}, Python {platform.python_version()}, {sys.executable}")
    for name in PACKAGES:
        try:
            yield Symptom(name, "ok", version(name))
        except PackageNotFoundError:
            yield Symptom(name, "fail", "is not installed: install kallos again")
    for name in TRAINING:
        try:
            yield Symptom(name, "ok", version(name))
        except PackageNotFoundError:
            yield Symptom(name, "ok", "is not installed; to train: `pip install 'kallos[train]'`")
    yield _opencv()
    yield _landmarker()


def _opencv() -> Symptom:
    """Every build installs the folder cv2: a second one overwrites half of the first."""
    # not `packages_distributions`, which looks at every file of every package: most of a second
    builds = {package.name for package in distributions() if "\ncv2/__init__.py," in f"\n{package.read_text('RECORD')}"}
    others = sorted(builds - {OPENCV})
    if not others:
        return Symptom("OpenCV", "ok", "one build")
    return Symptom("OpenCV", "fail", f"{', '.join(others)} lies over {OPENCV}: uninstall both, install kallos again")


def _landmarker() -> Symptom:
    from extractors.landmark_finder import finder_of
    from extractors.topologies import registry

    try:
        with finder_of(registry.current())():
            return Symptom("landmarker", "ok", "starts; its model lies in this package")
    except (ImportError, OSError, RuntimeError) as error:
        return Symptom("landmarker", "fail", f"does not start ({error}): install kallos again")


def _machine(store: Path) -> Iterator[Symptom]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Symptom("processor", "ok", f"{os.cpu_count()} cores, {platform.machine()}")
    yield Symptom("memory", "ok", f"{memory / 2**30:.0f} GiB")
    free = shutil.disk_usage(store.parent if store.parent.is_dir() else Path.cwd()).free
    yield Symptom("disk", "ok" if free > SCARCE_DISK else "warn", f"{free / 2**30:,.0f} GiB free beside the store")
    if find_spec("torch"):
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: networks run on the processor"
        yield Symptom("GPU", "ok", gpu)


def _weights(store: Path) -> Iterator[Symptom]:
    if find_spec("torch"):
        import torch

        cache = Path(torch.hub.get_dir()) / "checkpoints"
        files = sorted(file.name for file in cache.glob("*.pth")) if cache.is_dir() else []
        none = "none here: `--weights imagenet --download` fetches them, or give a .safetensors file"
        yield Symptom("torchvision's", "ok", ", ".join(files) or none)
    folder = store.with_suffix(".runs") / "encoders"
    for encoder_folder in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            encoder = EncoderSpec.read(encoder_folder)
            yield Symptom("encoder", "ok", f"{encoder.name}, {encoder.weights}, sha256 {encoder.weights_sha256[:12]}")
        except BundleError as error:
            yield Symptom("encoder", "fail", str(error))
