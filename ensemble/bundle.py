"""The deployment bundle: a folder with all that a prediction needs, refused when any byte has changed."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from ensemble.parts import TRAINED_ON, Parts, load_normalization, save_normalization
from ensemble.training_photos import TrainingPhotos
from extractors.errors import InputError
from extractors.file_hash import sha256_of_file
from extractors.recipes import Uses
from featurestore.errors import BundleError
from featurestore.folders import is_litter
from featurestore.records import Comparison
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMaps
from featurestore.staging import staging, take_place
from featurestore.traits import Target
from models.registry import ENSEMBLE, MODELS
from models.spec import resolve
from models.untrusted import as_bundle_error, read_json

KIND = "kallos.bundle/"
FORMAT = f"{KIND}4"
UNRECORDED = f"{KIND}3"
"""Format of bundles that do not record what their models use: whole versions are compared instead."""

MANIFEST = "manifest.json"
PHOTOS = "training_photos.bin"
REQUIRED = {ENSEMBLE, "encoder"}


def export(parts: Parts, cards: Mapping[str, str], folder: Path, *, onnx: bool = True) -> Path:
    """Write a bundle into `folder`, which must be new, empty or an unmodified earlier bundle.

    With `onnx`, networks are written as ONNX graphs, which run faster and without torch; else as trained.
    `cards` are file name -> text of the files at its top, which replace the cards of single runs.
    The bundle is written beside it and moved into place, so that a half-written one is never visible.
    Raises InputError when the folder holds anything else; nothing is deleted.
    """
    if not _may_be_replaced(folder):
        raise InputError(f"{folder} holds other files: give a new or empty folder for the bundle.")
    with staging(folder) as staged:
        _fill(staged, parts, cards, onnx)
        take_place(staged, folder)
    return folder


def _fill(folder: Path, parts: Parts, cards: Mapping[str, str], onnx: bool) -> None:
    """Write every file of a bundle, the manifest last."""

    def without_cards(_: str, names: list[str]) -> list[str]:
        return [name for name in names if name in cards or is_litter(Path(name))]

    for name, source in parts.folders.items():
        shutil.copytree(source, folder / name, ignore=without_cards)
    if onnx:
        for name in parts.folders.keys() & MODELS.keys():
            if graphs := MODELS[name].graphs:
                resolve(graphs)(folder / name)
    save_normalization(parts.normalization, folder / "normalization.json")
    parts.photos.save(folder / PHOTOS)
    for name, text in cards.items():
        (folder / name).write_text(text, encoding="utf-8")
    content = {
        "format": FORMAT,
        "kallos": package_version("kallos"),
        "parts": sorted(parts.folders),
        "trait": parts.target.trait,
        "scale": parts.target.scale,
        "scale_maps": parts.maps.as_dict(),
        "versions": dict(parts.versions),
        "uses": parts.uses,
        "features": list(parts.normalization.features),
        "trained_on": dict(parts.trained_on),
        "evaluations": {model: dict(figures) for model, figures in parts.evaluations.items()},
        "comparisons": [asdict(comparison) for comparison in parts.comparisons],
        "files": {name: sha256_of_file(folder / name) for name in _files(folder)},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1))


def open_bundle(folder: Path) -> Parts:
    """Verify a bundle and return its parts.

    Raises InputError when there is no bundle, BundleError when a file is missing, added or altered.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} is not a bundle (it has no {MANIFEST}): create one with `kallos export {folder}`.")
    content = read_json(folder / MANIFEST)
    with as_bundle_error(folder / MANIFEST):
        if content["format"] not in (FORMAT, UNRECORDED):
            raise BundleError(f"{folder} has format {content['format']}, this kallos reads {FORMAT}: export it again.")
        _verify(folder, content)
        if not REQUIRED <= set(content["parts"]) <= REQUIRED | MODELS.keys():
            raise BundleError(f"{folder} does not hold the parts of a bundle: get the bundle again.")
        scale = content["scale"]
        return Parts(
            target=Target(str(content["trait"]), None if scale is None else Scale(float(scale[0]), float(scale[1]))),
            folders={name: folder / name for name in content["parts"]},
            normalization=load_normalization(folder / "normalization.json"),
            versions=dict(content["versions"]),
            uses=_uses(content),
            trained_on={name: content["trained_on"][name] for name in TRAINED_ON},
            evaluations=dict(content["evaluations"]),
            photos=TrainingPhotos.load(folder / PHOTOS, str(content["trained_on"]["manifest_id"])),
            comparisons=tuple(_comparison(row) for row in content["comparisons"]),
            maps=ScaleMaps.restore(content.get("scale_maps", {})),
        )


def _uses(content: dict[str, Any]) -> Uses | None:
    uses = None if content["format"] == UNRECORDED else content["uses"]
    if uses is not None and content["versions"].keys() - uses.keys():
        raise ValueError("it does not record what its models use")
    return uses


def _comparison(content: dict[str, Any]) -> Comparison:
    mae, mae_beside, low, high = (float(content[name]) for name in ("mae", "mae_beside", "low", "high"))
    # earlier bundles compare on test photos alone
    out_of_fold = content.get("out_of_fold") is True
    return Comparison(str(content["beside"]), int(content["n"]), mae, mae_beside, low, high, out_of_fold)


def _may_be_replaced(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    if all(map(is_litter, folder.iterdir())):
        return True
    try:
        content = read_json(folder / MANIFEST)
        with as_bundle_error(folder / MANIFEST):
            # bundles of an earlier kallos too, so that they can be exported again
            _verify(folder, content)
            return str(content["format"]).startswith(KIND)
    except BundleError:
        return False


def _verify(folder: Path, content: dict[str, Any]) -> None:
    """Raises BundleError for a file that is missing, added or altered."""
    listed, present = set(content["files"]), set(_files(folder)) - {MANIFEST}
    if listed != present:
        name = min(listed ^ present)
        problem = "is missing" if name in listed else "does not belong there"
        raise BundleError(f"{folder} is not as it was exported ({name} {problem}): get the bundle again.")
    for name, sha256 in content["files"].items():
        if sha256_of_file(folder / name) != sha256:
            raise BundleError(f"{folder} is not as it was exported ({name} has changed): get the bundle again.")


def _files(folder: Path) -> list[str]:
    """Relative paths of all files below a folder, except litter, with forward slashes. Links are refused."""
    paths = [path for path in sorted(folder.rglob("*")) if not is_litter(path)]
    if links := [path for path in paths if path.is_symlink()]:
        raise BundleError(f"{links[0]} is a link: a bundle holds plain files only.")
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]
