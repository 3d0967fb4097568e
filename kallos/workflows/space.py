"""`kallos export --space`: a bundle as a folder that runs as a Hugging Face Space, or with `python app.py`."""

import shutil
from collections.abc import Mapping
from importlib.metadata import requires, version
from pathlib import Path

from ensemble.bundle import export
from ensemble.parts import Parts
from extractors.errors import InputError
from featurestore.staging import new_folder
from kallos.workflows.extras import required
from models.spec import resolve
from reports.render.markdown import page

FILES = Path(__file__).parent.parent / "space_files"
PACKAGES = {each.__module__.partition(".")[0] for each in (new_folder, InputError, resolve, export, page, required)}
"""Top-level packages of the rooms: each its own in a checkout, all one in a wheel (`hatch_build.py`)."""

ABOUT = """# kallos

How would a pool of raters rate a photograph of a face? This Space answers that, and nothing about a person's worth,
health or character. It must not be used to decide about people, or on photos of people who did not agree.

`app.py` serves the bundle in `bundle/`, whose `MODEL_CARD.md` and `DATA_CARD.md` say what it was trained on, how
well it does and for whom. The other folders are kallos itself, so that this folder runs alone:
`pip install -r requirements.txt`, `python app.py`. Uploads are deleted after the answer."""


def export_space(parts: Parts, cards: Mapping[str, str], folder: Path, *, onnx: bool = True) -> Path:
    """Write a Space into a new or empty folder. Raises InputError when the folder is not empty."""
    with new_folder(folder, "the Space") as staged:
        export(parts, cards, staged / "bundle", onnx=onnx)
        for package in PACKAGES:
            source = Path(__file__).parents[2] / package
            shutil.copytree(source, staged / package, ignore=shutil.ignore_patterns("__pycache__", "browser"))
        for name in ("app.py", "Dockerfile"):
            shutil.copy(FILES / name, staged)
        names = required(requires("kallos") or (), {"web"} if onnx else {"web", "train"})
        requirements = [f"{name}=={version(name).split('+')[0]}" for name in names]  # as they are installed here
        (staged / "requirements.txt").write_text("\n".join(requirements) + "\n")
        (staged / "README.md").write_text(page(_head(), ABOUT), encoding="utf-8")
    return folder


def _head() -> dict[str, object]:
    """The metadata of a Space, in the head of its README."""
    return {
        "title": "kallos",
        "emoji": "📐",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "docker",
        "app_port": 7860,
        "license": "other",
        "short_description": "How a pool of raters would rate a photograph",
        "tags": ["kallos", "facial-aesthetics", "not-for-decisions-about-people"],
    }
