"""Builds the wheel: the rooms, which lie side by side in the repository, move into the package `kallos`.

`models` or `reports` on the import path would collide with people's own modules, so the wheel owns `kallos` alone:
`models/spec.py` becomes `kallos/models/spec.py`, and imports and strings that name a module of a room follow. The
checkout stays as it is, an editable install too. What cannot be followed for certain fails the build.
"""

import ast
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOME = "kallos"
ROOMS = ("ensemble", "extractors", "featurestore", "models", "reports")
ROOM = rf"(?:{'|'.join(ROOMS)})\b"
NAMED = re.compile(rf"({ROOM}(?:\.\w+)+)(?::\w+)?")
"""A module of a room as strings name it: `models.spec`, or `models.image.fitter:ImageFitter`."""


class InsideKallos(BuildHookInterface):  # type: ignore[type-arg]
    """Hands the moved files to hatchling."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; an editable one is a path to the checkout."""
        if version == "editable":
            return
        self._moved = TemporaryDirectory()
        build_data["force_include"][self._moved.name] = HOME
        move(Path(self.root), Path(self._moved.name))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Called when the wheel is written."""
        if version != "editable":
            self._moved.cleanup()


def move(root: Path, home: Path) -> None:
    """Write the package `kallos` of a checkout, with the rooms in it, into the folder `home`."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / HOME, home, ignore=shutil.ignore_patterns("__pycache__", "browser"), dirs_exist_ok=True)
    if (root / HOME / "browser" / "built").is_dir():
        shutil.copytree(root / HOME / "browser" / "built", home / "browser" / "built")
    for room in ROOMS:
        shutil.copytree(root / room, home / room, ignore=ignored)
    for file in home.rglob("*.py"):
        file.write_bytes(moved(file.read_bytes(), root))


def moved(source: bytes, root: Path) -> bytes:
    """Source code with each name of a room's module under `kallos`. Raises ValueError for one that cannot be moved."""
    lines = source.splitlines(keepends=True)
    places = set[tuple[int, int, str]]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(re.match(ROOM, alias.name) for alias in node.names):
            raise ValueError(f"line {node.lineno}: import the modules of rooms by `from`")
        if isinstance(node, ast.JoinedStr) and re.match(rf"f['\"]+{ROOM}\.", ast.unparse(node)):
            raise ValueError(f"line {node.lineno}: name the modules of rooms by whole strings, or by __package__")
        if isinstance(node, ast.ImportFrom) and not node.level and re.match(ROOM, str(node.module)):
            places.add((node.lineno, node.col_offset + len("from "), str(node.module)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_module(node.value, root):
            places.add((node.lineno, node.col_offset + 1, node.value))
    for line, column, name in sorted(places, reverse=True):
        before, after = lines[line - 1][:column], lines[line - 1][column:]
        if not re.match(rf"{re.escape(name)}[\s\"']".encode(), after):
            raise ValueError(f"line {line}: {name} is written in a way that cannot be moved")
        lines[line - 1] = before + f"{HOME}.".encode() + after
    return b"".join(lines)


def _is_module(text: str, root: Path) -> bool:
    if not (named := NAMED.fullmatch(text)):
        return False
    path = root.joinpath(*named[1].split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
