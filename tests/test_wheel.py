"""What people install: the wheel and the source archive, beside people's own modules and without the checkout."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from hatch_build import ROOMS, moved
from kallos.workflows.score import MIN_PARALLEL
from tests.command import kallos_ok
from tests.conftest import Workspace

ROOT = Path(__file__).parent.parent
RESOLVE_ALL = """
from kallos.extractors.landmark_finder import finder_of
from kallos.extractors.topologies.registry import TOPOLOGIES
from kallos.models.registry import MODELS
from kallos.models.spec import resolve
from kallos.reports.registry import PAGES, report_page
import kallos, sys

for spec in MODELS.values():
    for name in (spec.fitter, *spec.classes.values(), spec.regions, spec.features, spec.graphs):
        name and resolve(name)
found = [report_page(name) for name in PAGES]
found += [finder_of(each) for each in TOPOLOGIES if each.finder]
found += [getattr(kallos, name) for name in kallos.__all__]
print(sum(name.startswith("kallos.") for name in sys.modules))
"""


@dataclass(frozen=True)
class Installed:
    """An environment that has the packages of this one and kallos as people install it, and a folder to work in."""

    wheel: Path
    bin: Path
    folder: Path

    def run(self, *arguments: object) -> str:
        """What a program of the environment, or of the system, prints."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment = clean | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            list(map(str, arguments)), cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built from the checkout, and installed from the source archive, which builds its wheel anew."""
    built, own, folder = (tmp_path_factory.mktemp(name) for name in ("built", "environment", "folder"))
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", built], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", own], check=True)
    home = Path(sysconfig.get_path("purelib", vars={"base": str(own)}))
    (home / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    found = Installed(next(built.glob("*.whl")), own / "bin", folder)
    archive = next(built.glob("*.tar.gz"))
    found.run("python", "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--quiet", archive)
    for name in (*ROOMS, "tests", "benchmarks"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('this is the own module {name} of whoever uses kallos')")
    return found


def test_the_wheel_owns_kallos_alone(installed: Installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names} == {"kallos", "kallos-0.1.0.dist-info"}
    written = {f"kallos/{file.relative_to(ROOT)}" for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    written |= {str(file.relative_to(ROOT)) for file in (ROOT / "kallos").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == written
    assert {"kallos/extractors/face_landmarker.task", "kallos/reports/render/templates/report.html"} < names


def test_no_import_of_the_wheel_leaves_it(installed: Installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".py")]
        trees = [ast.parse(wheel.read(name)) for name in names]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    outside = [node.module for node in imports if str(node.module).split(".")[0] in ROOMS]
    inside = {str(node.module) for node in imports if str(node.module).startswith("kallos.")}
    assert outside == []
    assert len(inside) > 200
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names}
    assert inside <= modules


def test_the_source_archive_gives_the_same_wheel(installed: Installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        for name in wheel.namelist():
            if name.startswith("kallos/"):
                site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(installed.bin.parent)}))
                assert (site_packages / name).read_bytes() == wheel.read(name), name


def test_everything_that_is_named_by_a_string_is_found(installed: Installed):
    assert int(installed.run("python", "-c", RESOLVE_ALL)) > 200


def test_the_command_works_beside_peoples_own_modules(installed: Installed, workspace: Workspace):
    arguments = ("score", workspace.portrait, "--json", "--bundle", workspace.bundle)
    assert json.loads(installed.run("kallos", *arguments)) == kallos_ok(*arguments).json()


def test_processes_that_it_starts_find_it(installed: Installed, workspace: Workspace):
    photos = sorted((workspace.portraits / "images").iterdir())[:MIN_PARALLEL]
    answers = installed.run("python", "-m", "kallos", "score", *photos, "--json", "--bundle", workspace.bundle)
    assert len(json.loads(answers)["predictions"]) == MIN_PARALLEL
    counted = installed.run("kallos", "sql", "SELECT count(*) AS n FROM images", "--json", "--store", workspace.store)
    assert json.loads(counted) == [{"n": 120}]


def test_a_new_install_says_where_models_come_from(installed: Installed, workspace: Workspace):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        installed.run("kallos", "score", workspace.portrait)
    assert failed.value.returncode == 6
    assert "give a bundle by --bundle" in failed.value.stderr


@pytest.mark.parametrize(("word", "completed"), [("sco", "score"), ("score --prot", "--protocol")])
def test_a_shell_completes_what_is_typed(word: str, completed: str, installed: Installed):
    words = f"COMP_WORDS=(kallos {word}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _kallos_completion kallos"
    typing = f'eval "$(kallos completion bash)"; {words}; echo "${{COMPREPLY[@]}}"'
    assert installed.run("bash", "-c", typing).split() == [completed]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from models.spec import resolve", "from kallos.models.spec import resolve"),
        ("if a:\n    from reports import registry as é", "if a:\n    from kallos.reports import registry as é"),
        ("é = 'models.spec:resolve', 'models.spec'", "é = 'kallos.models.spec:resolve', 'kallos.models.spec'"),
        ("'models.nothing', 'models', 'from models.spec'", "'models.nothing', 'models', 'from models.spec'"),
        ("from .models import spec", "from .models import spec"),
        ("from modelsx import spec # from models.spec", "from modelsx import spec # from models.spec"),
    ],
)
def test_names_of_modules_move(source: str, expected: str):
    assert moved(source.encode(), ROOT).decode() == expected


@pytest.mark.parametrize(
    "source", ["import models.spec", "f'models.{name}'", "'''models.spec'''", "'models' '.spec'", r"'models\x2espec'"]
)
def test_a_name_that_cannot_be_moved_fails_the_build(source: str):
    with pytest.raises(ValueError, match="line 1"):
        moved(source.encode(), ROOT)
