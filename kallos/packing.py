"""What `kallos pack` does: Model A's missing fits as a folder for a machine with a GPU, and their results back.

The store keeps a copy of the pack's description, `pack.json`: which fits may come back, with which settings and from
which backbone. What comes back is judged by that copy, so a returned folder is read, never believed, and nothing in it
is run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, NoReturn

import torch
from PIL import Image
from safetensors.torch import save_file

from featurestore.errors import BundleError, InputError, OrderError, PackError
from featurestore.folders import is_litter
from featurestore.records import Epoch, FaceBatch
from featurestore.store import Store
from featurestore.transfer.folder import CHECKSUMS, staging
from featurestore.upkeep.erasure import PACK
from kallos.training import CHECKPOINT, HISTORY, PartFit, Trainer, fit_folder, is_fitted
from models.appearance import AppearanceConfig, AppearanceModel
from models.appearance_training import starting_backbone
from models.checkpoints import remove_checkpoint
from models.saved import DESCRIPTION, TENSORS
from models.weights import sha256_of_file

FORMAT = "kallos.pack/1"
RESULT = (DESCRIPTION, HISTORY, TENSORS)

PROGRAM = Path(__file__).with_name("pack_files")
SOURCES = {
    "featurestore": ("__init__", "errors", "records"),
    "models": (
        "__init__",
        "appearance",
        "appearance_training",
        "augmentation",
        "backbones",
        "checkpoints",
        "computing",
        "optimisation",
        "pixels",
        "pyramid",
        "foreign",
        "saved",
        "view",
        "weights",
    ),
}
"""What `train_appearance` imports of kallos."""

QUALITY = 80
"""Of the faces' JPEGs: 9 KB a face, 39 dB PSNR, so that 5,500 of them and MobileNetV2 stay below 60 MiB."""


@dataclass(frozen=True)
class Packed:
    """What a pack holds; size in bytes."""

    fits: int
    faces: int
    size: int


@dataclass(frozen=True)
class Taken:
    """Fits of a pack that were taken, that the store had already, and that are not trained yet."""

    taken: int
    known: int
    untrained: int


def write_pack(
    store: Store, protocol: str, folds: Sequence[int], encoder: str | None, config: AppearanceConfig, folder: Path
) -> Packed | None:
    """Write every missing fit of Model A on these folds into a new or empty folder; None when nothing is missing.

    A fit gets its own rows, which are training rows of its fold, and no others. Raises InputError when the folder
    holds something, and what `training_set` and `starting_backbone` raise.
    """
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} holds something else: give a new or empty folder for the pack.")
    backbone = starting_backbone(config)
    keys: list[str] = []
    numbers: dict[str, int] = {}
    with staging(folder) as made:
        (made / PACK).touch()  # killed from here on, it is known by this as what `kallos erase` removes
        for fold in folds:
            for fit in Trainer(store, protocol, fold, encoder, config).missing_a():
                if fit.key not in keys:
                    keys.append(fit.key)
                    _write_fit(made, fit, numbers)
        if not keys:
            return None
        tensors = {name: tensor.contiguous() for name, tensor in backbone.network.state_dict().items()}
        save_file(tensors, made / "backbone.safetensors")
        _copy_sources(made)
        content = {
            "format": FORMAT,
            "kallos": package_version("kallos"),
            # the weights by name: a path would tell of this machine
            "config": asdict(config) | {"weights": backbone.weights},
            "backbone": backbone.describe(),
            "faces": len(numbers),
            "fits": keys,
        }
        (made / PACK).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        kept = _kept(store, made / PACK)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / PACK, kept)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    return Packed(len(keys), len(numbers), size)


def _write_fit(pack: Path, fit: PartFit, numbers: dict[str, int]) -> None:
    """A fit's rows, and their faces unless they are there. Faces are numbered, because ids tell of people."""
    for role, batch in (("learned", fit.learned), ("held_out", fit.held_out)):
        rows = {
            "face": torch.tensor([_face(pack, batch, row, numbers) for row in range(len(batch))]),
            "scores": torch.from_numpy(batch.scores),
            "histograms": torch.from_numpy(batch.histograms),
        }
        file = pack / "fits" / fit.key / f"{role}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(rows, file)


def _face(pack: Path, batch: FaceBatch, row: int, numbers: dict[str, int]) -> int:
    """The number under which the face of a row lies in the pack."""
    assert batch.faces is not None
    image_id = batch.image_ids[row]
    if image_id not in numbers:
        numbers[image_id] = len(numbers)
        file = pack / "faces" / f"{numbers[image_id]}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(batch.faces[row]).save(file, quality=QUALITY, optimize=True, progressive=True)
    return numbers[image_id]


def _copy_sources(pack: Path) -> None:
    for package, modules in SOURCES.items():
        (pack / package).mkdir()
        for module in modules:
            shutil.copyfile(PROGRAM.parent.parent / package / f"{module}.py", pack / package / f"{module}.py")
    shutil.copyfile(PROGRAM / "train.py", pack / "train.py")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROGRAM / "safetensors", pack / "standin" / "safetensors", ignore=ignored)


def take_pack(store: Store, folder: Path) -> Taken:
    """Put a pack's results among the store's fits, all of them or none.

    Raises InputError when there is no folder, OrderError when nothing in it is trained, and PackError when this store
    did not write the pack or a result is not what the pack asked for.
    """
    described = _described(store, folder)
    keys = described["fits"]
    results = [result for result in _results(folder) if result.suffix != ".partial"]
    if strays := [result.name for result in results if result.name not in keys]:
        _refuse(folder, f"the result {strays[0]!r} is none of its fits")
    if not results:
        raise OrderError(f"Nothing in {folder} is trained yet: run `python train.py` there first.")
    wanted = [result for result in results if not is_fitted(store, result.name)]
    for result in wanted:
        _check(result, described)
    for result in wanted:
        place = fit_folder(store, result.name)
        remove_checkpoint(place / CHECKPOINT)
        place.mkdir(parents=True, exist_ok=True)
        for name in (HISTORY, TENSORS, DESCRIPTION):  # the description last: a fit that has one is whole
            shutil.copyfile(result / name, place / name)
    return Taken(len(wanted), len(results) - len(wanted), len(keys) - len(results))


def _described(store: Store, folder: Path) -> dict[str, Any]:
    """The pack's description, from the copy that was kept when it was written."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: give one that `kallos pack write FOLDER --protocol NAME` made.")
    if not (folder / PACK).is_file():
        raise PackError(
            f"{folder} is no training pack (no {PACK}): give one that `kallos pack write FOLDER --protocol NAME` made."
        )
    kept = _kept(store, folder / PACK)
    if not kept.is_file():
        raise PackError(f"{folder} is no pack of this store, or its {PACK} has changed: write one from this store.")
    described: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return described


def _kept(store: Store, description: Path) -> Path:
    """Where the store keeps a copy of a pack's description: under its hash."""
    return store.runs_folder / "packs" / f"{sha256_of_file(description)}.json"


def _results(folder: Path) -> list[Path]:
    place = folder / "results"
    return sorted(each for each in place.iterdir() if each.is_dir()) if place.is_dir() else []


def _check(result: Path, described: Mapping[str, Any]) -> None:
    """Raises PackError unless a result is as the runner wrote it, and what the pack asked for."""
    if {file.name for file in result.iterdir() if file.is_file() and not is_litter(file)} != {*RESULT, CHECKSUMS}:
        _refuse(result, "a file is missing or does not belong there")
    checksums = "".join(f"{sha256_of_file(result / name)}  {name}\n" for name in sorted(RESULT))
    if (result / CHECKSUMS).read_bytes() != checksums.encode():
        _refuse(result, "a file has changed")
    config = described["config"]
    try:
        said = json.loads((result / DESCRIPTION).read_text(encoding="utf-8"))
        wanted = {"kind": AppearanceModel.kind, "config": config, "backbone": described["backbone"]}
        # where no histogram is known, none is learnt
        if said not in (wanted, wanted | {"config": config | {"histogram": 0.0}}):
            _refuse(result, "the model was trained with other settings")
        AppearanceModel.load(result)
        history = [Epoch(**line) for line in json.loads((result / HISTORY).read_text(encoding="utf-8"))]
    except (BundleError, RuntimeError, ValueError, TypeError, KeyError):
        _refuse(result, "the model or its history cannot be read")
    all_numbers = all(isinstance(value, int | float) for line in history for value in vars(line).values())
    if not all_numbers or [line.epoch for line in history] != list(range(1, config["epochs"] + 1)):
        _refuse(result, "the history is not that of its training")


def _refuse(folder: Path, what: str) -> NoReturn:
    raise PackError(f"{folder} is not as train.py leaves it ({what}): get it again from where it was trained.")
