"""System libraries that no Python package contains: `make` runs this file before it downloads anything.

It uses only Python's standard library. Without `make`, kallos shows the same remedy when a library is missing.
"""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys

PYTHONS = ((3, 11), (3, 12), (3, 13))
LIBRARIES = {"libGL.so.1": "libgl1", "libgthread-2.0.so.0": "libglib2.0-0", "libgomp.so.1": "libgomp1"}
"""Shared libraries, and the packages of Debian and Ubuntu that hold them: two are OpenCV's need, one is LightGBM's."""


def main() -> None:
    """Install missing packages where possible; else print how to, and exit with code 1."""
    if sys.version_info[:2] not in PYTHONS:
        sys.exit("kallos needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 demo")
    packages = missing()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing what kallos needs of the system: {' '.join(packages)}", flush=True)
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True)
        subprocess.run(
            ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        packages = missing()
    if packages:
        sys.exit(f"kallos: {remedy(packages)}")


def missing(libraries: dict[str, str] = LIBRARIES) -> list[str]:
    """Debian packages of what this system lacks."""
    packages = [package for library, package in libraries.items() if not _can_be_loaded(library)]
    if importlib.util.find_spec("ensurepip") is None:  # what `python3 -m venv` needs
        packages.append("python{}.{}-venv".format(*sys.version_info))
    return packages


def remedy(packages: list[str]) -> str:
    """How to install missing packages: on Debian and Ubuntu, one command."""
    if shutil.which("apt-get"):
        return f"packages of the system are missing: sudo apt-get install {' '.join(packages)}"
    return f"what Debian has in {', '.join(packages)} is missing: install your system's packages of that."


def remedy_for(error: Exception) -> str:
    """The remedy for an import that failed because of a missing shared library; empty for other errors."""
    match = re.search(r"(\S+): cannot open shared object file", str(error))
    if match is None:
        return ""
    package = LIBRARIES.get(match[1])
    return (
        remedy([package]) if package else f"{match[1]} cannot be loaded: install your system's package that holds it."
    )


def _can_be_loaded(library: str) -> bool:
    if sys.platform != "linux":
        return True  # packages for other systems contain them
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
