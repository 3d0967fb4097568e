"""Generates docs/licences.md from the installed packages: `python -m kallos.docs_pages.licences docs/licences.md`."""

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.utils import canonicalize_name

from kallos.docs_pages.markdown import item
from kallos.workflows.extras import required

EXTRAS = ("", "train", "weights", "web", "hub", "ray", "heic", "docs")
OPENING = """\
# Licences of what kallos uses

Made by `make docs` from the packages that are installed with kallos, its training, weights, page, hub commands, Ray
engine, reader of HEIC and site of documents, and with those in turn. The face landmarker, a file of kallos, is
Google's, under Apache-2.0. Weights and data sets have terms of their own, which every bundle repeats. Each package's
own files have the text of its licence. The wheels of pillow_heif, an extra, hold x265 and are therefore under the
GPL 2 as a whole.

"""


def markdown() -> str:
    """The whole page."""
    packages = dict[str, tuple[Distribution, set[str]]]()
    _collect("kallos", "", packages)
    del packages["kallos"]
    entries = (
        item(f"**{package.name}** {package.version}: {_licence(package)}; needed by {', '.join(sorted(parents))}")
        for _, (package, parents) in sorted(packages.items())
    )
    return OPENING + "".join(entries)


def _collect(name: str, parent: str, packages: dict[str, tuple[Distribution, set[str]]]) -> None:
    """Collect the package and its requirements, each with the packages that require it."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return  # for another platform or Python
    key = canonicalize_name(name)
    is_known = key in packages
    packages.setdefault(key, (package, set()))[1].add(parent)
    if not is_known:
        for child in required(package.requires or (), EXTRAS if package.name == "kallos" else ("",)):
            _collect(child, package.name, packages)


def _licence(package: Distribution) -> str:
    """The licence in the metadata: an SPDX expression, else classifiers, else the first line of the text."""
    about = package.metadata
    expression, text = ((about.get_all(key) or [""])[0].strip() for key in ("License-Expression", "License"))
    classified = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    named = text.partition("\n")[0][:60].replace("UNKNOWN", "")
    return expression or ", ".join(dict.fromkeys(classified)) or named or "see its files"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
