"""What `make` installs is what pyproject.toml allows, by the hashes of the files, and one build of OpenCV."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [line for name, lines in PROJECT["optional-dependencies"].items() if name != "dev" for line in lines]
REQUIREMENTS = {
    "predict": PROJECT["dependencies"],
    "dev": [*PROJECT["dependencies"], *EXTRAS, *PROJECT["optional-dependencies"]["dev"]],
}


def locked(lock: str) -> dict[str, set[str]]:
    """package -> its versions, of which each Python or system has one."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==([^ ]+)", read(lock), flags=re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def read(lock: str) -> str:
    return (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", REQUIREMENTS)
def test_every_requirement_is_locked_within_its_range(lock: str):
    versions = locked(lock)
    requirements = [each for each in map(Requirement, REQUIREMENTS[lock]) if each.name != "kallos"]
    assert len(requirements) > 20
    outside = [
        f"{each}: {found or 'nothing'}"
        for each in requirements
        if not (found := versions.get(canonicalize_name(each.name))) or not all(map(each.specifier.contains, found))
    ]
    assert not outside, f"run `make lock`: {outside}"


def test_both_locks_have_the_same_versions():
    everything = locked("dev")
    assert {name for name, versions in locked("predict").items() if versions != everything[name]} == set()


@pytest.mark.parametrize("lock", REQUIREMENTS)
def test_every_package_has_hashes_and_no_host_is_named(lock: str):
    text = read(lock)
    blocks = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
    assert "--index-url" not in text


def test_one_build_of_opencv_is_installed():
    assert set(packages_distributions()["cv2"]) == {"opencv-contrib-python"}
